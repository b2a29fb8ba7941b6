"""Count what became of a curation's texts, and measure how its people and its judge have worked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from coig.config import CurateConfig
from coig.config.curation import Accept, Work
from coig.curation.records import SCORES, State
from coig.curation.rules import scores_of, wanted_reviewers
from coig.curation.store import Text
from coig.statistics.agreement import count_coincidences, krippendorff_alpha
from coig.statistics.intervals import wilson_interval

PAPER_FIRST_ROUND = 0.7  # arXiv 2510.14763: about 70 % of the triplets were accepted in the first round
ENDED: tuple[State, ...] = ("excluded", "unfit", "duplicate", "rejected", "removed", "taken_down")
FEWEST = 5  # acts of a kind that give an estimate of its minutes
# a step's name, the state of texts that passed it, the states of those that wait for it, and of those that it left out
STEPS: list[tuple[str, State, tuple[State, ...], tuple[State, ...]]] = [
    ("within the rules", "ingested", (), ("excluded",)),
    ("assessed", "assessed", ("ingested",), ("unfit",)),
    ("unique", "unique", ("assessed",), ("duplicate",)),
    ("screened", "screened", ("unique",), ("rejected",)),
    ("written", "written", ("screened", "refine"), ()),
    ("scored high enough", "scored", ("written",), ()),
    ("accepted", "accepted", ("scored",), ("removed", "taken_down")),
]
DECISIONS = {"remove": 0, "refine": 1, "accept": 2}


@dataclass(frozen=True)
class Step:
    """A step of the funnel: how many texts have passed it, why others have not, and how many wait for it."""

    name: str
    passed: int
    left_out: dict[str, int]
    waiting: int


@dataclass(frozen=True)
class Rate:
    """A share, `hits` of `trials`, with its 95 % Wilson interval."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """Return the share, from 0 to 1."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Return the interval's lower and upper end, from 0 to 1."""
        return wilson_interval(self.hits, self.trials)


def make_funnel(texts: Sequence[Text], damaged: int) -> list[Step]:
    """Return the steps of the funnel, from all collected rows to the accepted triplets.

    A text has passed a step if it was ever in the step's state; only the last step counts texts that are accepted now.
    `damaged` is the number of rows that could not be read.
    """
    steps = [Step("collected", len(texts) + damaged, {"damaged": damaged} if damaged else {}, 0)]
    for name, state, waits_in, ended_in in STEPS:
        passed = [text for text in texts if text.has_reached(state)]
        if state == "accepted":
            passed = [text for text in passed if text.state == "accepted"]
        left_out = Counter(reason for text in texts if text.state in ended_in for reason in _reasons(text))
        waiting = sum(text.state in waits_in for text in texts)
        steps.append(Step(name, len(passed), dict(left_out.most_common()), waiting))
    return steps


def _reasons(text: Text) -> list[str]:
    """Return why a text went no further: the rules or dimensions that it failed, `copy`, or else its state."""
    match text.state:
        case "excluded":
            return [reason.partition(":")[0] for reason in text.of_kind("ingest")[-1].value["reasons"]]
        case "unfit":
            return list(text.of_kind("assess")[-1].value["failed"])
        case "duplicate":
            return ["copy"]
    return [text.state.replace("_", " ")]


@dataclass(frozen=True)
class GenreCount:
    """A genre's texts: collected, in progress, accepted; and how many are wanted, None without a quota."""

    genre: str
    collected: int
    in_progress: int
    accepted: int
    quota: int | None

    @property
    def missing(self) -> int | None:
        """Return how many triplets the quota still wants, at least 0; None without a quota."""
        return None if self.quota is None else max(0, self.quota - self.accepted)


def count_genres(texts: Sequence[Text], quotas: Mapping[str, int]) -> list[GenreCount]:
    """Return the counts of each genre's texts: genres with a quota in their order, then the others by name.

    A genre with a quota may have no texts. Texts without genre are under `none`.
    """
    by_genre: dict[str, list[Text]] = defaultdict(list)
    for text in texts:
        by_genre[text.genre or "none"].append(text)
    names = [*quotas, *sorted(set(by_genre) - set(quotas))]
    return [
        GenreCount(
            name,
            len(by_genre[name]),
            sum(text.state not in (*ENDED, "accepted") for text in by_genre[name]),
            sum(text.state == "accepted" for text in by_genre[name]),
            quotas.get(name),
        )
        for name in names
    ]


def estimate_minutes(texts: Iterable[Text], assumed: Work) -> dict[str, float]:
    """Return {kind of act: minutes it takes}: the median of what people took, or `assumed` with fewer than FEWEST."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for text in texts:
        for event in text.events:
            if event.by.kind == "person" and event.value.get("seconds"):
                seconds[event.kind].append(event.value["seconds"])
    return {
        kind: median(seconds[kind]) / 60 if len(seconds[kind]) >= FEWEST else minutes
        for kind, minutes in assumed.model_dump().items()
    }


def hours_left(texts: Sequence[Text], config: CurateConfig) -> float:
    """Return the hours that people need for all texts that wait for them, if nothing is sent back."""
    minutes = estimate_minutes(texts, config.minutes)
    return sum(_minutes_of(text, minutes, config.accept) for text in texts) / 60


def _minutes_of(text: Text, minutes: Mapping[str, float], rules: Accept) -> float:
    """Return the minutes of people's work that a text still needs if nothing is sent back; 0 if it waits for nobody."""
    review = minutes["review"] * rules.reviewers_of(text.genre)
    score = minutes["score"] * rules.scorers
    match text.state:
        case "screened" | "refine":
            return minutes["write"] + score + review
        case "written":
            return minutes["score"] * max(1, rules.scorers - len(scores_of(text))) + review
        case "scored":
            return minutes["review"] * wanted_reviewers(text, rules)[0]
        case "rejected":
            drawn = any(event.value.get("drawn") for event in text.of_kind("screen"))
            return minutes["recheck"] if drawn and not text.of_kind("recheck") else 0.0
    return 0.0


def first_round(texts: Iterable[Text]) -> Rate | None:
    """Return the share of reviewed triplets that were accepted in the first round; None if there is no verdict yet."""
    verdicts = [found[0] for text in texts if (found := text.of_kind("verdict"))]
    return Rate(sum(event.state == "accepted" for event in verdicts), len(verdicts)) if verdicts else None


def false_rejections(texts: Iterable[Text]) -> dict[str, Rate]:
    """Return {genre: share of the rechecked texts that people found fit}, and that of all genres under `all`.

    People recheck rejected texts drawn at random. Genres without such texts are left out; {} if there are none.
    """
    found: dict[str, list[bool]] = defaultdict(list)
    for text in texts:
        for event in text.of_kind("recheck"):
            found["all"].append(event.value["fit"])
            found[text.genre or "none"].append(event.value["fit"])
    return {genre: Rate(sum(fit), len(fit)) for genre, fit in found.items()}


def score_agreement(texts: Iterable[Text]) -> dict[str, float | None]:
    """Return {name: Krippendorff's ordinal α} of each of the six scores between scorers, and of `decision`.

    An α is None where no version of a triplet has two scorers or reviewers, or all said the same.
    """
    units: dict[str, list[tuple[str, list[float]]]] = {name: [] for name in (*SCORES, "decision")}
    for text in texts:
        for version in text.triplets:
            given = list(scores_of(text, version.number).values())
            if len(given) > 1:
                for name in SCORES:
                    units[name].append((text.key, [float(scores[name]) for scores in given]))
            decided = {e.by.name: e.value["decision"] for e in text.of_kind("review") if e.version == version.number}
            if len(decided) > 1:
                units["decision"].append((text.key, [float(DECISIONS[decision]) for decision in decided.values()]))
    return {name: _alpha(of_name) for name, of_name in units.items()}


def _alpha(units: Sequence[tuple[str, Sequence[float]]]) -> float | None:
    """Return α of (text, values by different people); None without units, or if all values are equal."""
    if not units:
        return None
    value = float(krippendorff_alpha(count_coincidences(units).sum(axis=0, keepdims=True))[0])
    return None if value != value else value  # NaN: all ratings are equal


def severities(texts: Iterable[Text]) -> dict[str, float]:
    """Return {scorer's pseudonym: points by which the scorer's mean score exceeds the others' for the same versions}.

    Scorers who never scored a version together with another are left out.
    """
    differences: dict[str, list[float]] = defaultdict(list)
    for text in texts:
        codes = {event.by.name: event.by.code for event in text.of_kind("score")}
        for version in text.triplets:
            means = {name: fmean(scores.values()) for name, scores in scores_of(text, version.number).items()}
            for name, mean in means.items():
                if others := [other for who, other in means.items() if who != name]:
                    differences[codes[name]].append(mean - fmean(others))
    return {code: fmean(found) for code, found in sorted(differences.items())}
