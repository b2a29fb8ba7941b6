"""A made-up evaluation of five arms: every frame that the presentation shows, the same on every call."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import polars as pl

from coig.evaluation.report.results import COLUMNS, Evaluation
from coig.study.manifest import Manifest
from tests.studies import make_group, make_manifest, roster_of

ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")
ROSTER = roster_of(ARMS)
GENRES = {"zh": ["poetry", "武侠小说", "everyday story", "广告文案"], "en": ["poetry", "wuxia", "fiction", "slogan"]}
# the paper's win rates over `general`, whose odds order all pairs here
OVER_GENERAL = {
    "zh": dict(zip(ARMS, (0.358, 0.422, 0.5, 0.6275, 0.5), strict=True)),
    "en": dict(zip(ARMS, (0.235, 0.3, 0.422, 0.465, 0.5), strict=True)),
}
PROMPTS = {"zh": 204, "en": 353}
SENTENCE = {"zh": "他推开门，雪还在下。", "en": "He opened the door and the snow was still falling. "}
BEHAVIOURS = {"normal writing": 0.55, "deep reasoning": 0.2, "self-exploration": 0.15, "self-reflection": 0.1}


def evaluation(answers_per_arm: int = 6, length: int = 60, **changes: Any) -> Evaluation:
    """Everything measured; `changes` replaces or, with None, leaves out."""
    tables: dict[str, pl.DataFrame | None] = {
        "automatic": automatic(),
        "answers": answers(answers_per_arm, length),
        "comparisons": comparisons(),
        "genres": genres(),
        "win_rates": win_rates(),
        "strengths": strengths(),
        "length_control": length_control(),
        "agreement": agreement(),
        "raters": raters(),
        "claims": claims(),
        "signatures": signatures(),
        "behaviour": behaviour(),
        "behaviour_shares": behaviour().filter(decile=4).drop("decile"),
        "transitions": transitions(),
    }
    tables |= {name: changes.pop(name) for name in list(changes) if name in COLUMNS}
    fields: dict[str, Any] = {
        "study": "synthetic",
        "roster": ROSTER,
        "tables": {name: frame for name, frame in tables.items() if frame is not None},
        "notes": ("general has answered 350 of 353 queries.",),
        "manifests": manifests(),
    }
    return Evaluation(**fields | changes)


def automatic() -> pl.DataFrame:
    rows = []
    for lang in ("zh", "en"):
        for place, arm in enumerate(ARMS):
            rate = 0.12 if (lang, arm) == ("en", "cw") else 0.014
            rows.append(
                {
                    **{"lang": lang, "arm": arm, "queries": PROMPTS[lang], "empty": 0, "finished": 0.97},
                    **{"tokens": 600.0 + 30 * place, "characters": 1234.5, "ttr_mean": 0.52, "ttr_median": 0.51},
                    **{"contaminated": rate, "contaminated_any": rate + 0.01, "mattr_mean": 0.7, "mtld_mean": None},
                    **{"contaminated_low": rate / 2, "contaminated_high": rate * 1.5},
                    **{"contaminated_any_low": rate / 2, "contaminated_any_high": rate * 1.6},
                    **dict.fromkeys(("zh", "en", "mixed", "und", "mattr_answers", "mtld_answers"), 3),
                    **dict.fromkeys(("ttr_100_mean", "hdd_mean", "distinct_2_mean", "distinct_3_mean"), 0.8),
                    **{"self_repetition_mean": 0.05, "foreign_characters": rate, "foreign_position": None},
                }
            )
    return pl.DataFrame(rows)


def answers(per_arm: int, length: int) -> pl.DataFrame:
    dice = random.Random(0)
    rows = []
    for lang in ("zh", "en"):
        for arm in ARMS:
            for place in range(per_arm):
                text = (SENTENCE[lang] * (1 + length // len(SENTENCE[lang])))[: length + 1]
                rows.append(
                    {
                        **{"lang": lang, "arm": arm, "genre": GENRES[lang][place % 4], "query_id": f"{lang}-{place}"},
                        **{"query": f"Write no. {place}: {SENTENCE[lang]}", "reasoning": "Plan first.", "answer": text},
                        **{"tokens": dice.randint(300, 900), "characters": len(text), "ttr": dice.uniform(0.4, 0.8)},
                        **{"mattr": dice.uniform(0.6, 0.9), "mtld": None, "language": lang, "zh_share": 1.0},
                        **{"finished": place != 1, "contaminated": place == 2 and arm == "cw"},
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None)


def comparisons() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                **{"lang": lang, "metric": metric, "arm": arm, "opponent": "general", "queries": PROMPTS[lang]},
                **{"difference": size, "low": size - abs(size), "high": size + abs(size), "p": 0.0004, "p_holm": 0.016},
            }
            for lang in ("zh", "en")
            for metric, size in (("tokens", -123.4), ("ttr", -0.156))
            for arm in ARMS[:-1]
        ]
    )


def genres() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                **{"lang": lang, "genre": genre, "arm": arm, "queries": 51, "tokens": 700.0, "characters": 1100.0},
                **{"ttr": 0.55, "contaminated": 0.02, "finished": 1.0},
            }
            for lang in ("zh", "en")
            for genre in GENRES[lang]
            for arm in ARMS
        ]
    )


def expected_rate(lang: str, arm: str, opponent: str) -> float:
    odds = {name: rate / (1 - rate) for name, rate in OVER_GENERAL[lang].items()}
    return odds[arm] / (odds[arm] + odds[opponent])


def win_rates() -> pl.DataFrame:
    rows = []
    for lang in ("zh", "en"):
        for place, genre in enumerate([None, *GENRES[lang]]):
            prompts = PROMPTS[lang] if genre is None else 4 + place
            for arm, opponent in permutations(ARMS, 2):
                nearer = 0.02 * place * (1 if ARMS.index(arm) < ARMS.index(opponent) else -1)
                rate = min(1.0, max(0.0, expected_rate(lang, arm, opponent) - nearer))
                wins = round(rate * prompts)
                half, wide = (0.98 / prompts**0.5, 1.3 / prompts**0.5)
                rows.append(
                    {
                        **{"lang": lang, "genre": genre, "arm": arm, "opponent": opponent},
                        **{"wins": wins, "ties": 0, "losses": prompts - wins, "verdicts": prompts, "prompts": prompts},
                        **{"rate": rate, "low": max(0.0, rate - half), "high": min(1.0, rate + half)},
                        **{"low_raters": max(0.0, rate - wide), "high_raters": min(1.0, rate + wide)},
                        **{"p": 0.0002, "p_holm": 0.002, "p_raters": 0.034, "mde": 0.098},
                        **{"without_rater_low": rate - 0.02, "without_rater_high": rate + 0.02},
                        **{"clean_rate": rate, "clean_verdicts": prompts - 1},
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None)


def strengths() -> pl.DataFrame:
    rows = []
    for lang in ("zh", "en"):
        ranked = sorted(ARMS, key=lambda arm: -OVER_GENERAL[lang][arm])
        for arm in ARMS:
            rank, strength = ranked.index(arm) + 1, 4 * (OVER_GENERAL[lang][arm] - 0.5)
            rows.append(
                {
                    **{"lang": lang, "arm": arm, "strength": strength, "low": strength - 0.3, "high": strength + 0.3},
                    **{"rank": rank, "rank_low": max(1, rank - 1), "rank_high": min(5, rank + 1)},
                    "not_separable_from": "cw+5k" if arm == "general" else "",
                }
            )
    return pl.DataFrame(rows)


def length_control() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                **{"lang": lang, "arm": arm, "opponent": opponent, "rate": expected_rate(lang, arm, opponent)},
                "verdicts": 200,
                "equal_length_rate": 0.9 * expected_rate(lang, arm, opponent) + 0.05,
                **{"gamma": 0.8, "gamma_low": 0.3, "gamma_high": 1.3},
            }
            for lang in ("zh", "en")
            for arm, opponent in permutations(ARMS, 2)
        ]
    )


def agreement() -> pl.DataFrame:
    rows = [
        {
            **{"lang": lang, "kind": kind, "raters": 4, "items": PROMPTS[lang]},
            **{"alpha": alpha, "alpha_low": low, "alpha_high": high, "kendall_w": w, "mean_spearman": spearman},
            "note": "" if alpha else "every rating is the same: alpha does not exist",
        }
        for lang in ("zh", "en")
        for kind, alpha, low, high, w, spearman in (
            ("ranking", 0.312, 0.251, 0.377, 0.484, 0.312),
            ("rating: overall preference", None, None, None, None, None),
        )
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def raters() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "lang": lang,
                "rater": f"rater {n}",
                "judgments": 51,
                "severity": None if n else 0.25,
                "tie_share": 0.1 * n,
            }
            for lang in ("zh", "en")
            for n in range(4)
        ],
        infer_schema_length=None,
    )


def claims() -> pl.DataFrame:
    statuses = ("supported", "not supported", "inconclusive", "not measured")
    return pl.DataFrame(
        [
            {
                **{
                    "lang": lang,
                    "claim": f"The paper's claim no. {n}.",
                    "status": status,
                    "effect": f"{60 + n}.0 % of 204",
                },
                **dict(zip(("low", "high", "low_raters", "high_raters"), (0.56, 0.69, 0.53, 0.72), strict=True)),
                **{
                    "p_holm": 0.0001,
                    "excluded": 0.22,
                    "prompts_needed": 400 if n == 2 else None,
                    "why": "Both intervals lie above 50 %.",
                },
            }
            if status != "not measured"
            else {"lang": lang, "claim": "A claim without judgments", "status": status, "why": "Nobody judged it."}
            for lang in ("zh", "en")
            for n, status in enumerate(statuses)
        ]
    )


def signatures() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "lang": lang,
                "arm": arm,
                "signature": "diversity hides missing logic",
                "present": present,
                "numbers": text,
            }
            for lang in ("zh", "en")
            for arm, present, text in (("cw", True, "win rate 35.8 %, TTR 0.522"), ("cw+1k", False, "42.2 %"))
        ]
    )


def behaviour() -> pl.DataFrame:
    rows = []
    for lang in ("zh", "en"):
        for place, arm in enumerate(ARMS):
            for decile in range(10):
                moved = 0.01 * place * (decile - 5)
                for behaviour_name, share in BEHAVIOURS.items():
                    sign = {"normal writing": -1, "self-reflection": 1}.get(behaviour_name, 0)
                    now = share + sign * moved
                    rows.append(
                        {
                            **{"lang": lang, "arm": arm, "decile": decile, "behaviour": behaviour_name, "share": now},
                            **{"low": now - 0.03, "high": now + 0.03, "steps": 900, "prompts": PROMPTS[lang]},
                        }
                    )
    return pl.DataFrame(rows)


def transitions() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                **{"lang": lang, "arm": arm, "from": first, "to": second, "share": share},
                **{"low": share - 0.02, "high": share + 0.02, "transitions": 400, "prompts": PROMPTS[lang]},
            }
            for lang in ("zh", "en")
            for arm in ARMS
            for first in BEHAVIOURS
            for second, share in BEHAVIOURS.items()
        ]
    )


def manifests() -> list[Manifest]:
    return [
        make_manifest(
            arm,
            times={"seconds": 90.0},
            data={
                "train": [
                    make_group(examples=0 if arm == "general" else 1665, supervised_tokens=100_000),
                    make_group("general", examples=general, supervised_tokens=200_000),
                ]
            },
        )
        for arm, general in zip(ARMS, (0, 2000, 10_000, 20_000, 20_000), strict=True)
    ]
