"""Tell the ratio from the number of steps: what arms were after shares of their training, their points.

Points are shown here alone. They are no further arms: no comparison, ranking or curve of the report counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from coig.evaluation.findings.by_arm import measures_by_arm
from coig.evaluation.measures.tables import AUTOMATIC
from coig.evaluation.preferences.judgments import tabulate_judgments
from coig.evaluation.preferences.win_rates import compute_win_rates
from coig.records.judgment import Judgment
from coig.study.arm import Arm
from coig.study.points import Point
from coig.study.results import MEASURES as OF_ARM
from coig.study.roster import Roster
from coig.text.language_codes import LANGUAGES

MEASURES = ("queries", "finished", "tokens", "characters", "ttr_mean", "mattr_mean")
CONTAMINATED = ("contaminated", "contaminated_low", "contaminated_high")
ABOUT = {**dict.fromkeys(("lang", "arm"), pl.String), "share": pl.Float64}  # share: of the arm's steps; 1: all of them
POINTS: dict[str, Any] = {
    **ABOUT,
    **dict.fromkeys(("steps", "learned"), pl.Int64),  # optimizer steps and supervised tokens until then
    **{name: AUTOMATIC[name] for name in (*MEASURES, *CONTAMINATED)},
}
POINT_RATES: dict[str, Any] = {
    **ABOUT,
    **dict.fromkeys(("opponent", "raters"), pl.String),  # raters: people, or a model judge's name
    **dict.fromkeys(("verdicts", "prompts"), pl.Int64),
    **dict.fromkeys(("rate", "low", "high"), pl.Float64),
}
PEOPLE = "people"


def point_table(
    arms: Sequence[Arm], points: Sequence[Point], automatic: pl.DataFrame, measured: pl.DataFrame
) -> pl.DataFrame:
    """Put what was measured of points and of all arms side by side; columns as in POINTS.

    Rows are sorted by language, Chinese first, arm and share.

    Args:
        automatic: the means of the arms' answers, columns as in AUTOMATIC.
        measured: those of the points' answers.
    """
    about = _describe(arms, points)
    rows = [row | about[row["arm"]] for row in pl.concat([automatic, measured]).iter_rows(named=True)]
    order = {arm.name: place for place, arm in enumerate(arms)}
    rows.sort(key=lambda row: (LANGUAGES.index(row["lang"]), order[row["arm"]], row["share"]))
    return pl.DataFrame([{key: row[key] for key in POINTS} for row in rows], schema=POINTS)


def _describe(arms: Sequence[Arm], points: Sequence[Point]) -> dict[str, dict[str, Any]]:
    """Return arm, share, steps and tokens learned of each arm and point, by its name; the last two may be None."""
    found = {}
    for arm in arms:
        training = arm.manifest().training
        steps, learned = (training.steps, training.supervised_tokens) if training else (None, None)
        found[arm.name] = {"arm": arm.name, "share": 1.0, "steps": steps, "learned": learned}
    for point in points:
        own = point.facts
        steps, learned = own.step, own.supervised_tokens
        found[point.name] = {"arm": point.arm.name, "share": own.share, "steps": steps, "learned": learned}
    return found


def point_rates(
    points: Sequence[Point], judged: Sequence[Judgment], roster: Roster, genres: Mapping[str, str | None]
) -> pl.DataFrame:
    """Compute the win rates of points, by people and by each judge; columns as in POINT_RATES.

    The arms' win rates over the same opponents are beside them. Intervals are for these raters and new prompts.

    Args:
        judged: all judgments that are evidence, of arms and of points.
        roster: the arms.
        genres: genre of each answered query, by id.
    """
    shares = {name: (name, 1.0) for name in roster.names}
    shares |= {point.name: (point.arm.name, point.facts.share) for point in points}
    of_points = {point.name for point in points}
    names = [*roster.names, *(point.name for point in points)]
    rows = []
    for raters, own in _by_raters(judged):
        rates = compute_win_rates(tabulate_judgments(own, names, genres).verdicts, names)
        rates = rates.filter(pl.col("genre").is_null())
        opponents = {*rates.filter(pl.col("arm").is_in(of_points))["opponent"]} - of_points
        for row in rates.iter_rows(named=True):
            if row["arm"] in of_points or row["opponent"] in opponents:
                arm, share = shares[row["arm"]]
                rows.append(row | {"arm": arm, "share": share, "raters": raters})
    order = {name: place for place, name in enumerate(names)}
    rows.sort(
        key=lambda row: (
            LANGUAGES.index(row["lang"]),
            order[row["arm"]],
            row["raters"],
            order[row["opponent"]],
            row["share"],
        )
    )
    return pl.DataFrame([{key: row[key] for key in POINT_RATES} for row in rows], schema=POINT_RATES)


def point_measures(points: Sequence[Point], measured: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each point, language and measure, with the point's name as arm; columns as in `coig.results`.

    Args:
        measured: the means of the points' answers, columns as in AUTOMATIC.
        rates: columns as in POINT_RATES, of which people's are taken.
    """
    names = {(point.arm.name, point.facts.share): point.name for point in points}
    found = [
        row | {"arm": name, "measure": f"win rate over {row['opponent']}", "value": row["rate"], "n": row["verdicts"]}
        for row in rates.filter(raters=PEOPLE).iter_rows(named=True)
        if (name := names.get((row["arm"], row["share"])))
    ]
    of_answers = measures_by_arm({"automatic": measured}, Roster(()))
    return pl.concat([of_answers, pl.DataFrame([{key: row[key] for key in OF_ARM} for row in found], schema=OF_ARM)])


def _by_raters(judged: Sequence[Judgment]) -> Iterator[tuple[str, list[Judgment]]]:
    """Yield PEOPLE or a judge's name, and its judgments; only those who judged something."""
    people = [one for one in judged if one.source == "human"]
    if people:
        yield PEOPLE, people
    for name in sorted({one.rater for one in judged if one.source == "judge"}):
        yield name, [one for one in judged if one.source == "judge" and one.rater == name]
