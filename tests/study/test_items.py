"""The items that raters and judges are asked about."""

from __future__ import annotations

import random

from coig.config import Protocol
from coig.study.items import collect_answered_queries, make_items
from tests.studies import make_answer

ARMS = ("cw", "cw+1k", "general")


def test_the_pairs_that_a_seed_draws_do_not_depend_on_the_order_of_answers() -> None:
    answers = [make_answer(arm, f"zh-{query:02}") for arm in ARMS for query in range(12)]
    shuffled = random.Random(0).sample(answers, len(answers))
    protocol = Protocol(kind="pairs", good=False, pairs_per_query=1)
    first, second = (make_items(collect_answered_queries(some, ARMS)[0], protocol, 0) for some in (answers, shuffled))
    assert [item.key for item in first] == [item.key for item in second]
