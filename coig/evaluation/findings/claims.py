"""Check the paper's claims (arXiv 2510.14763) and its failure signatures on an evaluation's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from coig.config.ratio import Ratio
from coig.evaluation.findings.rule import LEVEL, Finding, decide
from coig.statistics.intervals import wilson_interval
from coig.study.roster import Roster
from coig.text.language_codes import LANGUAGES

Status = Literal["supported", "not supported", "inconclusive", "not measured"]
EXCESS = 0.05  # a smaller excess of answers in the other language over the opponent does not matter; a share
CLAIMS: dict[str, Any] = {
    **dict.fromkeys(("lang", "claim", "status", "effect"), pl.String),
    **dict.fromkeys(("low", "high", "low_raters", "high_raters", "p_holm", "excluded"), pl.Float64),
    "prompts_needed": pl.Int64,
    "why": pl.String,
}
SIGNATURES = {**dict.fromkeys(("lang", "arm", "signature"), pl.String), "present": pl.Boolean, "numbers": pl.String}


@dataclass(frozen=True)
class Claim:
    """A claim about two arms: `arm` beats `opponent`, or with `beats=False`, it does not. Arms are given by ratio."""

    lang: str
    text: str
    arm: str
    opponent: str
    beats: bool = True


PREFERENCES = [
    Claim("zh", "creative data with 10k general examples beats general data alone", "10k", "general"),
    Claim("zh", "creative data alone loses to general data alone", "general", "0"),
    Claim("zh", "general data helps: CW+10k beats CW", "10k", "0"),
    Claim("zh", "general data helps: CW+10k beats CW+1k", "10k", "1k"),
    Claim("zh", "general data helps: CW+10k beats CW+5k", "10k", "5k"),
    Claim("en", "the gain does not carry over: CW+10k does not beat general data alone", "10k", "general", False),
    Claim("en", "creative data alone loses to general data alone", "general", "0"),
    Claim("en", "creative data with 1k general examples loses to general data alone", "general", "1k"),
    Claim("en", "creative data with 5k general examples loses to general data alone", "general", "5k"),
    Claim("en", "general data helps: CW+10k beats CW", "10k", "0"),
]


def claim_table(
    roster: Roster,
    win_rates: pl.DataFrame | None,
    automatic: pl.DataFrame | None,
    comparisons: pl.DataFrame | None,
    margin: float,
    of_threshold: Sequence[dict[str, Any]] = (),
) -> pl.DataFrame:
    """Check each of the paper's claims about a language that was judged or answered; columns as in CLAIMS.

    A claim that an arm wins is *supported* if its win rate is significantly above one half. It is *not supported* if
    the win rate is significantly below, or if an advantage of `margin` or more is excluded. Otherwise it is
    *inconclusive*. For a claim that an arm does not win, supported and not supported are exchanged. A claim without
    data is *not measured*. `excluded` is the smallest advantage that is excluded, as a share.

    Args:
        win_rates, automatic, comparisons: the evaluation's tables of these names; None if not measured.
        margin: the smallest advantage that matters, as a share.
        of_threshold: rows of the claim of a threshold, checked by `thresholds.threshold_claims`.
    """
    rows = [_paper_claim(claim, roster, win_rates, margin) for claim in PREFERENCES]
    rows += [_check_paradox(lang, win_rates, automatic, margin) for lang in LANGUAGES]
    rows += [_check_contamination(roster, comparisons, automatic), *of_threshold]
    seen = {lang for table in (win_rates, automatic) if table is not None for lang in table["lang"]}
    kept = [{key: row.get(key) for key in CLAIMS} for row in rows if row["lang"] in seen]
    return pl.DataFrame(sorted(kept, key=lambda row: LANGUAGES.index(row["lang"])), schema=CLAIMS)


def _find_pair(win_rates: pl.DataFrame | None, lang: str, arm: str, opponent: str) -> dict[str, Any] | None:
    """Return the row of a pair's win rate over all genres; None if the pair was not judged."""
    if win_rates is None:
        return None
    of_pair = (pl.col("lang") == lang) & (pl.col("arm") == arm) & (pl.col("opponent") == opponent)
    rows = win_rates.filter(of_pair & pl.col("genre").is_null()).to_dicts()
    return rows[0] if rows else None


def _paper_claim(claim: Claim, roster: Roster, win_rates: pl.DataFrame | None, margin: float) -> dict[str, Any]:
    """Check a claim on the plain arms that have the claim's two ratios; return a row of CLAIMS.

    If no plain arm has a ratio, the arm with the ratio's default name stands for it. The claim is *not measured* if the
    two arms were not compared.
    """
    arm, opponent = (roster.find_plain(ratio) or Ratio.parse(ratio).arm for ratio in (claim.arm, claim.opponent))
    found = _preference(_find_pair(win_rates, claim.lang, arm, opponent), arm, opponent, margin, claim.beats)
    return {"lang": claim.lang, "claim": claim.text} | found


def _preference(
    row: dict[str, Any] | None, arm: str, opponent: str, margin: float, beats: bool = True
) -> dict[str, Any]:
    """Return the columns of CLAIMS that follow from a pair's win rate; *not measured* if `row` is None."""
    if row is None:
        return {"status": "not measured", "why": f"{arm} and {opponent} were not compared"}
    decision = decide(row, margin)
    return {
        **{key: row[key] for key in ("low", "high", "low_raters", "high_raters", "p_holm")},
        "status": _status(decision.finding, beats),
        "effect": f"{100 * row['rate']:.2f} % of {row['verdicts']} verdicts for {arm}",
        "excluded": decision.excluded,
        "prompts_needed": decision.prompts_needed,
        "why": decision.why,
    }


def _status(finding: Finding, beats: bool) -> Status:
    """Return a claim's status, given what was found of its arm and whether it says that the arm `beats` the other."""
    if finding == "inconclusive":
        return "inconclusive"
    return "supported" if (finding == "better") == beats else "not supported"


def _check_paradox(
    lang: str, win_rates: pl.DataFrame | None, automatic: pl.DataFrame | None, margin: float
) -> dict[str, Any]:
    """Check the claim that the arm with the highest TTR loses to the arm that wins most; return a row of CLAIMS.

    It is not supported if no arm wins more often than the arm with the highest TTR. It is not measured without
    judgments or TTR, or if that arm was not judged.
    """
    stated = {"lang": lang, "claim": "the arm of the highest TTR is not the best"}
    if win_rates is None or automatic is None or automatic.filter(pl.col("lang") == lang)["ttr_mean"].is_null().all():
        return stated | {"status": "not measured", "why": "needs both judgments and the answers"}
    of_language = automatic.filter(pl.col("lang") == lang)
    diverse = _find_highest(of_language, "ttr_mean")
    pooled = pool_rates(win_rates, lang)
    if diverse not in pooled:
        return stated | {"status": "not measured", "why": f"{diverse} has the highest TTR and was not judged"}
    best = max(pooled, key=lambda arm: (pooled[arm], arm == diverse))
    if best == diverse:
        return stated | {"status": "not supported", "why": f"{diverse} has the highest TTR and no arm wins more often"}
    row = stated | _preference(_find_pair(win_rates, lang, best, diverse), best, diverse, margin)
    at_length = _find_highest(of_language, "mattr_mean")
    return row | {"why": f"highest TTR: {diverse}, highest MATTR: {at_length}; {best} wins most: {row['why']}"}


def _find_highest(automatic: pl.DataFrame, column: str) -> str:
    """Return the arm with the highest value in a column, the first of several; null is lowest."""
    ordered = automatic.sort(column, descending=True, nulls_last=True, maintain_order=True)
    return str(ordered["arm"][0])


def _check_contamination(
    roster: Roster, comparisons: pl.DataFrame | None, automatic: pl.DataFrame | None
) -> dict[str, Any]:
    """Check the claim that creative data alone answers English queries in Chinese; return a row of CLAIMS.

    It is supported if this happens significantly more often than with general data alone, not supported if an excess of
    EXCESS or more is excluded, not measured without answers of both arms or where most of an arm's are empty, else
    inconclusive.
    """
    stated = {"lang": "en", "claim": "creative data alone answers English queries in Chinese"}
    if comparisons is None or automatic is None:
        return stated | {"status": "not measured", "why": "needs the answers"}
    creative, general = roster.find_plain("0"), roster.find_plain("general")
    of_pair = pl.col("arm").eq_missing(creative) & pl.col("opponent").eq_missing(general) & (pl.col("lang") == "en")
    rows = comparisons.filter(of_pair & (pl.col("metric") == "contaminated")).to_dicts()
    if not rows:
        of_both = automatic.filter(pl.col("arm").is_in([name for name in (creative, general) if name]), lang="en")
        empty = _say_which_are_empty(of_both.filter(pl.col("contaminated").is_null()))
        why = empty or "needs answers of both arms, creative and general data alone"
        return stated | {"status": "not measured", "why": why}
    [row] = rows
    found = row["p_holm"] < LEVEL and row["difference"] > 0
    excluded = row["high"] is not None and row["high"] < EXCESS
    status: Status = "supported" if found else "not supported" if excluded else "inconclusive"
    why = {
        "supported": "significantly more often than general data alone does",
        "not supported": "an excess of 5 points or more over general data alone is excluded",
        "inconclusive": "the difference is within chance, but an excess of 5 points or more is not excluded",
    }[status]
    effect = f"{100 * row['difference']:+.1f} points compared with {general}"
    figures = {key: row[key] for key in ("low", "high", "p_holm")}
    return stated | figures | {"status": status, "effect": effect, "why": why}


def _say_which_are_empty(automatic: pl.DataFrame) -> str:
    """Return how many answers of each arm are empty, such as "cw: 51 of 51 answers are empty"; "" without rows."""
    return "; ".join(
        f"{arm}: {empty:,.0f} of {queries:,.0f} answers are empty"
        for arm, empty, queries in automatic.select("arm", "empty", "queries").iter_rows()
    )


def pool_rates(win_rates: pl.DataFrame, lang: str) -> dict[str, float]:
    """Compute each arm's win rate in one language over all its opponents together, 0–1; ties count one half."""
    whole = win_rates.filter((pl.col("lang") == lang) & pl.col("genre").is_null())
    scored = (pl.col("wins") + 0.5 * pl.col("ties")).sum() / pl.col("verdicts").sum()
    return dict(whole.group_by("arm", maintain_order=True).agg(rate=scored).iter_rows())


def signature_table(
    roster: Roster,
    win_rates: pl.DataFrame | None,
    automatic: pl.DataFrame | None,
    ratings: pl.DataFrame | None,
    scale: tuple[float, float] = (0, 3),
) -> pl.DataFrame:
    """Check the paper's four failure signatures for each language and arm; columns as in SIGNATURES.

    `present` is null where the data are missing; `numbers` gives the values that decide, or names what is missing.

    Args:
        win_rates, automatic: the evaluation's tables of these names; None if not measured.
        ratings: columns as in RATING; None without judgments.
        scale: the lowest and the highest rating. A gap between two dimensions counts from a sixth of the scale on,
            which is half a point on a scale of 0 to 3.
    """
    rows = []
    least_gap = (scale[1] - scale[0]) / 6
    tables = (win_rates, automatic, ratings)
    arms = {pair for table in tables if table is not None for pair in table.select("lang", "arm").iter_rows()}
    for lang, arm in sorted(arms, key=lambda pair: (LANGUAGES.index(pair[0]), roster.names.index(pair[1]))):
        automatic_rows = None if automatic is None else automatic.filter(pl.col("lang") == lang)
        arm_row = (
            None if automatic_rows is None else next(iter(automatic_rows.filter(pl.col("arm") == arm).to_dicts()), None)
        )
        found = {
            "diversity hides missing logic": _is_hidden_failure(win_rates, automatic_rows, arm_row, lang, arm),
            "well-structured but stilted": _has_gap(ratings, lang, arm, "content quality", "creative merit", least_gap),
            "fluent but incoherent": _has_gap(ratings, lang, arm, "creative merit", "content quality", least_gap),
            "reasoning of the wrong language": _is_in_wrong_language(arm_row),
        }
        for signature, (present, numbers) in found.items():
            rows.append({"lang": lang, "arm": arm, "signature": signature, "present": present, "numbers": numbers})
    return pl.DataFrame(rows, schema=SIGNATURES)


Found = tuple[bool | None, str]  # whether a signature is present (None: unknown), and the values behind it


def _is_hidden_failure(
    win_rates: pl.DataFrame | None,
    automatic_rows: pl.DataFrame | None,
    arm_row: dict[str, Any] | None,
    lang: str,
    arm: str,
) -> Found:
    """Tell whether an arm's win rate is below 40 % and its TTR above the arms' median, and return the figures as text.

    The first is None, and the text names what is missing, if either is unknown. `automatic_rows` are of one language.
    """
    rate = pool_rates(win_rates, lang).get(arm) if win_rates is not None else None
    if rate is None or automatic_rows is None or arm_row is None or arm_row["ttr_mean"] is None:
        return None, "needs both judgments and the answers"
    middle = float(automatic_rows["ttr_mean"].median())  # type: ignore[arg-type]
    numbers = f"wins {100 * rate:.1f} %, TTR {arm_row['ttr_mean']:.3f} (median of the arms {middle:.3f})"
    return rate < 0.4 and arm_row["ttr_mean"] > middle, numbers


def _has_gap(ratings: pl.DataFrame | None, lang: str, arm: str, high: str, low: str, least: float) -> Found:
    """Tell whether an arm's mean rating in dimension `high` exceeds that in `low` by at least `least`.

    Also return both means as text. The first is None, and the text names what is missing, if one of them is unknown.
    """
    if ratings is None or not {high, low} <= set(ratings["dimension"]):
        return None, f"needs ratings of {high} and {low}"
    arm_ratings = ratings.filter((pl.col("lang") == lang) & (pl.col("arm") == arm))
    means = dict(arm_ratings.group_by("dimension", maintain_order=True).agg(pl.col("value").mean()).iter_rows())
    if not {high, low} <= means.keys():
        return None, "was not rated"
    return means[high] - means[low] >= least, f"{high} {means[high]:.2f}, {low} {means[low]:.2f}"


def _is_in_wrong_language(arm_row: dict[str, Any] | None) -> Found:
    """Tell whether the lower 95 % Wilson limit of an arm's share of answers in the other language is above 5 %.

    Also return both counts as text. The first is None, and the text says why, without answers or if most are empty.
    """
    if arm_row is None:
        return None, "needs the answers"
    if arm_row["foreign"] is None:
        return None, f"{arm_row['empty']} of {arm_row['queries']} answers are empty"
    low, _ = wilson_interval(arm_row["foreign"], arm_row["queries"])
    return low > 0.05, f"{arm_row['foreign']} of {arm_row['queries']} answers in the other language"
