"""The report's sections: which figures and tables each shows, and what it says about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from coig.evaluation.columns import (
    AGREEMENT,
    ARMS,
    AUTOMATIC,
    BEHAVIOUR,
    COMPARISONS,
    CONTAMINATION,
    CONTRASTS,
    DIVERSITY,
    GENRE_WIN_RATES,
    GENRES,
    LABEL_AGREEMENT,
    LENGTH_CONTROL,
    NEW_RATERS,
    RATERS,
    RATINGS,
    SIGNATURES,
    STRENGTHS,
    THESE_RATERS,
    TRANSITIONS,
    WIN_RATES,
)
from coig.evaluation.formatting import LANGUAGE_NAMES, NONE, Column, Table, percent, table
from coig.evaluation.results import Evaluation, all_genres, by_language, each_pair_once, strongest_by_genre

Rows = Callable[[pl.DataFrame, Sequence[str]], pl.DataFrame]


@dataclass(frozen=True)
class Source:
    """A table's frame, its columns and which of a language's rows it shows."""

    frame: str
    columns: Sequence[Column]
    rows: Rows = lambda part, arms: part
    title: str = ""  # follows the language's name


@dataclass(frozen=True)
class Section:
    """A part of the page: an opening sentence, figures by name, tables under their headings, and a key to these."""

    name: str
    title: str
    opening: str
    figures: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    key: str = ""

    def tables(self, evaluation: Evaluation) -> list[tuple[str, Table]]:
        """(heading, table) by language, of what was measured."""
        filled = [
            (lang, source.title, table(rows.iter_rows(named=True), source.columns))
            for source in self.sources
            if (frame := evaluation.measured(source.frame)) is not None
            for lang, part in by_language(frame)
            if len(rows := source.rows(part, evaluation.arms))
        ]
        filled.sort(key=lambda entry: list(LANGUAGE_NAMES).index(entry[0]))
        return [(f"{LANGUAGE_NAMES[lang]}{title}", filled_table) for lang, title, filled_table in filled]


def win_rate_matrix(win_rates: pl.DataFrame, arms: Sequence[str]) -> Table:
    """One language's win rates of the row's arm over the column's, in per cent."""
    rates = {(row["arm"], row["opponent"]): row["rate"] for row in all_genres(win_rates).iter_rows(named=True)}
    names = [arm for arm in arms if any(arm in pair for pair in rates)]
    rows = tuple((arm, *(percent(rates.get((arm, other))) for other in names)) for arm in names)
    return Table(("win % of row over column", *names), (True, *[False] * len(names)), rows)


def arm_table(manifests: Sequence[Mapping[str, Any]]) -> Table:
    """What each arm was trained on, from its manifest."""
    return table([_arm_facts(manifest) for manifest in manifests], ARMS)


def _arm_facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    groups, training = manifest["data"]["train"], manifest.get("training", {})
    creative, general = (
        sum(group["examples"] for group in groups if group["kind"] == kind) for kind in ("creative", "general")
    )
    return {
        **{"arm": manifest["arm"], "creative": creative, "general": general, "seed": manifest["seed"]},
        "share": f"1:{general / creative:.1f}" if creative and general else NONE,
        "supervised": sum(group["supervised_tokens"] for group in groups),
        "steps": training.get("steps"),
        "learned": training.get("supervised_tokens"),
        "minutes": manifest["times"]["seconds"] / 60,
    }


QUESTION = Section(
    "question",
    "The question",
    "",
    sources=(Source("contrasts", CONTRASTS, title=": what the answer rests on"),),
    key="Answers to one query under several seeds are averaged. Holm: corrected within a language and file of "
    "queries, win rates among themselves. held-out loss: mean −log p of a token of the held-out triplets' answers, "
    "after the last step; it is one figure an arm, so nothing is tested, and it tells who predicts such texts, not "
    "who writes better ones.",
)
SECTIONS = (
    Section(
        "win_rates",
        "Win rates",
        "How often raters preferred one arm's answer over another's: (wins + ½ ties) / verdicts, where a ranking "
        "counts as all its pairs.",
        figures=("win_rates", "ratio"),
        sources=(Source("win_rates", WIN_RATES, lambda part, arms: each_pair_once(all_genres(part), arms)),),
        key=f"Each pair once, the winner first. {THESE_RATERS}: 95 % bootstrap interval over prompts. {NEW_RATERS}: "
        "95 % two-way cluster-robust interval over prompts and raters (Cameron, Gelbach & Miller 2011). Holm: "
        "corrected within a language. MDE: the difference from 50 % that this many prompts find with 80 % "
        "power. without one rater: range of the win rate as each rater in turn is left out. clean: without answers in "
        "the other language.",
    ),
    Section(
        "strengths",
        "Strengths",
        "One scale for all arms, fitted to all pairs at once by a Bradley–Terry model with ties (Davidson 1970); "
        "intervals are bootstrapped over prompts.",
        figures=("strengths",),
        sources=(Source("strengths", STRENGTHS, lambda part, arms: part.sort("rank", maintain_order=True)),),
        key="strength: log odds around a mean of 0. not separable from: arms whose difference is within chance.",
    ),
    Section(
        "length_control",
        "Length control",
        "What the win rates would be between answers of one length; both stand side by side, since better answers may "
        "be longer for good reasons.",
        figures=("length_control",),
        sources=(Source("length_control", LENGTH_CONTROL, each_pair_once),),
        key="N: verdicts between two answers that are not empty. logit P = θᵢ − θⱼ + γ·ln(Lᵢ/Lⱼ), per language: γ > 0 "
        "means that the longer answer is preferred.",
    ),
    Section(
        "ratings",
        "Ratings",
        "Means of the ratings from 0 to 3, with 95 % bootstrap intervals over prompts.",
        sources=(Source("ratings", RATINGS),),
    ),
    Section(
        "agreement",
        "Agreement and raters",
        "How far the raters agree beyond chance, and how each of them judged.",
        sources=(Source("agreement", AGREEMENT), Source("raters", RATERS, title=": raters")),
        key="α: Krippendorff's, ordinal; 1 is full agreement, 0 is chance. Kendall's W is not 0 for random rankings "
        "(0.25 for four raters); the mean Spearman correlation is. severity: how much lower a rater rates the same "
        "answers than the others do, which rankings do not show.",
    ),
    Section(
        "automatic",
        "Automatic measures",
        "What the answers are like, counted without anyone's judgment and with the reasoning left out.",
        figures=("length", "ttr", "mattr"),
        sources=(Source("automatic", AUTOMATIC), Source("automatic", DIVERSITY, title=": lexical diversity")),
        key="n: answers. ended: the model ended a non-empty answer by itself. tokens, chars: mean length. TTR: mean "
        "type-token ratio, then its median. MATTR: that of windows of 50 words, whatever the length. MTLD "
        "(McCarthy & Jarvis 2010) of answers from 200 words on; HD-D: of 42 words drawn from an answer; distinct-n: "
        "distinct n-grams / n-grams; self-repetition: share of an answer's 4-grams that stood in it before. foreign: "
        "at least 80 % of the script is the other language's. empty: nothing was written after the reasoning.",
    ),
    Section(
        "comparisons",
        "Paired comparisons",
        "Differences between two arms' answers to the same queries, with 95 % intervals over queries.",
        sources=(Source("comparisons", COMPARISONS),),
        key="Holm: corrected within a language.",
    ),
    Section(
        "contamination",
        "Contamination",
        "Share of answers written in the other language, told by their script, with 95 % Wilson intervals.",
        figures=("contamination",),
        sources=(Source("automatic", CONTAMINATION),),
        key="foreign: at least 80 % of the script is the other language's; with mixed: those that mix both count too. "
        "zh, en, mixed, und(etermined): answers by language. other script: mean share of its letters; begins at: where "
        "in a contaminated answer it begins, on the mean.",
    ),
    Section(
        "behaviour",
        "Reasoning behaviour",
        "What each step of the reasoning does, by its position in the chain; bands are 95 % intervals over prompts.",
        figures=("behaviour",),
        sources=(
            Source("behaviour_shares", BEHAVIOUR, title=": whole chains"),
            Source("transitions", TRANSITIONS, title=": what follows what"),
            Source("label_agreement", LABEL_AGREEMENT, title=": labels beside the rule"),
        ),
    ),
    Section(
        "genres",
        "Genres",
        "The same measures by genre, where few prompts make wide intervals: read them as hints.",
        figures=("genres",),
        sources=(
            Source("win_rates", GENRE_WIN_RATES, strongest_by_genre, ": win rates"),
            Source("genres", GENRES, title=": answers"),
        ),
    ),
    Section(
        "signatures",
        "Failure signatures",
        "Patterns that the paper names as signs of what went wrong in training, looked for in each arm.",
        sources=(Source("signatures", SIGNATURES),),
    ),
)
