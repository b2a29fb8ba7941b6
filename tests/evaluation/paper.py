"""The paper's preferences (arXiv 2510.14763) as verdicts: synthetic ones with exactly its counts."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")
QUERIES = {"zh": 204, "en": 353}
# per cent of row over column, the upper triangle of its tables
RATES = {
    "zh": [39.22, 32.35, 25.98, 35.78, 39.71, 32.35, 42.16, 41.67, 50.00, 62.75],
    "en": [38.53, 27.20, 24.08, 23.51, 35.41, 32.29, 30.03, 49.29, 42.21, 46.46],
}
PAIRS = list(combinations(ARMS, 2))
WINS = {
    lang: {pair: round(rate * QUERIES[lang] / 100) for pair, rate in zip(PAIRS, rates, strict=True)}
    for lang, rates in RATES.items()
}


def verdicts(lang: str, rater: str = "r1") -> list[dict[str, Any]]:
    """Pairwise ones, a query after the other won by the first arm until it has its wins."""
    return [
        {
            "query_id": f"{lang}-{query}",
            "lang": lang,
            "arm_a": arm,
            "arm_b": opponent,
            "winner": "a" if query < wins else "b",
            "rater": rater,
        }
        for (arm, opponent), wins in WINS[lang].items()
        for query in range(QUERIES[lang])
    ]


def rankings(lang: str) -> list[tuple[str, ...]]:
    """One ranking a query, the best arm first, that give these wins: found by integer programming."""
    orders = list(permutations(ARMS))
    before = [[order.index(arm) < order.index(opponent) for order in orders] for arm, opponent in PAIRS]
    matrix = np.array([*before, [True] * len(orders)], dtype=float)
    totals = [*(WINS[lang][pair] for pair in PAIRS), QUERIES[lang]]
    found = milp(
        np.zeros(len(orders)),
        constraints=LinearConstraint(matrix, totals, totals),
        integrality=np.ones(len(orders)),
        bounds=Bounds(0, np.inf),
    )
    assert found.success
    return [order for order, count in zip(orders, np.rint(found.x).astype(int), strict=True) for _ in range(count)]


def authors_export(lang: str) -> list[dict[str, Any]]:
    """The rankings as the authors' page exports them."""
    names = {"cw": "origin", "general": "baseline"} | {arm: arm.removeprefix("cw+") for arm in ARMS[1:4]}
    return [
        {
            "sequence_number": number + 1,
            "question_id": number,
            "prompt": "写。",
            "ranked_responses": [
                {
                    "rank": rank,
                    "source_file": f"wirting_{lang}_pair_merge_{names[arm]}_3epoch_副本.json",
                    "my_response": "",
                }
                for rank, arm in enumerate(order, 1)
            ],
        }
        for number, order in enumerate(rankings(lang))
    ]
