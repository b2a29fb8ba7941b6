"""Made-up judges with one dial each, beside made-up people, as the frames that the judge card is computed from."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from coig.evaluation.findings.judges.bias import NAMES, Traits
from coig.evaluation.findings.judges.card import People
from coig.evaluation.preferences.judges import ASKED, CALL, FAILED, JUDGES, PROBE, JudgeVerdicts
from coig.evaluation.preferences.judgments import VERDICT

PROMPTS, RATERS = 80, 4
CLEAR = 0.35  # people prefer the better answer in 85 % of verdicts
FOLLOWS = 0.6  # how strongly a judge's verdict follows people's preference
PLANTED = ("shuffled", "halved", "repeated_text", "empty", "cut_off", "wrong_language")


def simulate(seed: int, **dials: float) -> tuple[JudgeVerdicts, People, Traits]:
    """Return a judge of one pair of arms, `a` of its own model family and `b` of another, people, and answers.

    Dials, 0 in a clean judge: `first`, the preference for the first answer; `flips`, how often the order changes the
    verdict (without it, both orders are drawn apart); `repeat`, `identical` and the names of PLANTED, shares of errors;
    the names of traits, by how much the judge prefers them beyond people; `wording`, how often another prompt of the
    model says something else.
    """
    rng = np.random.default_rng(seed)
    better = rng.random(PROMPTS) < 0.55
    preference = np.where(better, CLEAR, -CLEAR)
    people = rng.random((PROMPTS, RATERS)) < 0.5 + preference[:, None]
    traits = draw_traits(rng, preference)
    lead = FOLLOWS * preference + sum(dials.get(name, 0.0) * traits[name] for name in NAMES) + dials.get("family", 0.0)
    calls = draw_calls(rng, lead, dials)
    judges = pl.DataFrame(
        [("zh", name, "Qwen/Qwen3-8B", prompt, None, "pairwise", 2 * PROMPTS, 0, 0) for name, prompt in PROMPTED],
        schema=JUDGES,
        orient="row",
    )
    found = JudgeVerdicts(
        calls, pl.DataFrame(schema=FAILED), draw_probes(rng, dials), pl.DataFrame(schema=ASKED), judges
    )
    names = [f"q{number}" for number in range(PROMPTS)]
    rows = [
        (names[query], "zh", "poetry", "a", "b", f"r{rater}", float(people[query, rater]))
        for query in range(PROMPTS)
        for rater in range(RATERS)
    ]
    answers = pl.concat(
        [
            pl.DataFrame({"arm": "a", "query_id": names, **traits}),
            pl.DataFrame({"arm": "b", "query_id": names, **{name: np.zeros(PROMPTS) for name in traits}}),
        ]
    )
    verdicts = pl.DataFrame(rows, schema=VERDICT, orient="row")
    return found, People(verdicts, (), ()), Traits(answers, {"a": "qwen", "b": "llama"})


PROMPTED = (("judge", "p1"), ("other wording", "p2"))


def draw_traits(rng: np.random.Generator, preference: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Draw the traits of a's answers; people prefer longer ones, and mind the flaws."""
    flaws = {
        name: (rng.random(PROMPTS) < 0.3 - 0.4 * preference).astype(float) for name in NAMES if name != "doublings"
    }
    return {"doublings": (preference + 0.7 * rng.normal(size=PROMPTS)).clip(-2, 2), **flaws}


def draw_calls(rng: np.random.Generator, lead: np.ndarray[Any, Any], dials: dict[str, float]) -> pl.DataFrame:
    """Draw the verdicts on both orders of each pair, by the judge and by another wording of its prompt."""
    first = dials.get("first", 0.0)
    drawn = rng.random((2, PROMPTS)) < np.stack([0.5 + lead + first, 0.5 + lead - first])
    if "flips" in dials or "wording" in dials:
        drawn[1] = drawn[0] ^ (rng.random(PROMPTS) < dials.get("flips", 0.0))
    rows = []
    for judge, _ in PROMPTED:
        said = drawn if judge == "judge" else drawn ^ (rng.random(PROMPTS) < dials.get("wording", 0.0))
        for number, a_first in enumerate((True, False)):
            for query in range(PROMPTS):
                score = float(said[number, query])
                rows.append(
                    (judge, f"q{query}", "zh", "poetry", "a", "b", score, score, a_first, "a b" if a_first else "b a")
                )
    return pl.DataFrame(rows, schema=CALL, orient="row")


def draw_probes(rng: np.random.Generator, dials: dict[str, float]) -> pl.DataFrame:
    """Draw a repeat and an identical pair, and both orders of each planted defect, for every prompt."""
    rows = []
    for check in ("repeat", "identical", *PLANTED):
        for query in range(PROMPTS):
            for _ in range(2 if check in PLANTED else 1):
                rows.append(("judge", f"q{query}", "zh", check, float(rng.random() >= dials.get(check, 0.0))))
    return pl.DataFrame(rows, schema=PROBE, orient="row")
