"""Draw a rater's next task: its item, the order of its answers, and now and then a check of the rater's care."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select

from coig.annotation.assignment import choose_item
from coig.annotation.checks import choose_kind, plant
from coig.config import AnnotateConfig
from coig.records.judgment_database import EVENTS, TASKS
from coig.statistics.orders import draw_order, draw_pair_order
from coig.study.defects import can_be_damaged
from coig.study.items import Item

KINDS = {"ranking": "ranking", "pairs": "pairwise", "rating": "rating"}  # of judgments, by protocol


class Drawing:
    """The items of a study, and the settings by which raters' tasks are drawn from them."""

    def __init__(self, items: Sequence[Item], config: AnnotateConfig) -> None:
        self.items, self.config = items, config
        self._by_key = {item.key: item for item in items}

    @property
    def kind(self) -> str:
        """Return the kind of judgment that the study's protocol asks for: ranking, pairwise or rating."""
        return KINDS[self.config.protocol.kind]

    def draw(self, connection: Connection, rater: Row[Any], lease: float) -> Row[Any] | None:
        """Draw a rater's next task, store it as open, and return its row.

        It is a check if one is due, even when no item is left, else a new item. Returns None, and stores nothing, if
        there is neither, or the rater has had `queries_per_rater` items. `lease` says until when the task is the
        rater's, in seconds since 1970.
        """
        mine = select(TASKS).where(TASKS.c.rater == rater.id).order_by(TASKS.c.number)
        rows = connection.execute(mine).all()
        values = self._draw_check(connection, rater, rows) or self._draw_item(connection, rater, rows)
        if values is None:
            return None
        number = rows[-1].number + 1 if rows else 1
        values |= {"rater": rater.id, "number": number, "state": "open", "lease": lease}
        connection.execute(insert(TASKS).values(values))
        return connection.execute(mine.where(TASKS.c.number == number)).one()

    def _draw_item(self, connection: Connection, rater: Row[Any], rows: Sequence[Row[Any]]) -> dict[str, Any] | None:
        """Choose a rater's next item, and return the columns of a task that shows it, without storing them.

        Returns None if no item is left, or the rater has had `queries_per_rater` items. `rows` are the rater's tasks so
        far, checks included.
        """
        own = [row for row in rows if row.check is None]
        if self.config.queries_per_rater is not None and len(own) >= self.config.queries_per_rater:
            return None
        taken = or_(TASKS.c.state == "judged", (TASKS.c.state == "open") & (TASKS.c.lease > time.time()))
        counted = select(TASKS.c.item, func.count()).where(TASKS.c.check.is_(None), taken).group_by(TASKS.c.item)
        counts = {str(key): int(number) for key, number in connection.execute(counted)}
        langs, most = rater.langs or (), self.config.raters_per_query
        item = choose_item(self.items, counts, {row.item for row in own}, langs, most, self.config.seed, rater.code)
        return None if item is None else self.values_of(item) | {"shown": self._order(item, own, rater)}

    def values_of(self, item: Item) -> dict[str, Any]:
        """Return the columns of a task that are the same for every rater of the item."""
        question = item.question
        return {
            "item": item.key,
            "query_id": question.query_id,
            "lang": question.lang,
            "genre": question.genre,
            "kind": self.kind,
            "arms": list(item.arms),
            "probability": item.probability,
            "texts": question.hashes(item.arms),
            "characters": question.characters(item.arms),
        }

    def _order(self, item: Item, own: Sequence[Row[Any]], rater: Row[Any]) -> list[str]:
        """Return an item's arms in the order in which the page shows their answers.

        The order is random, balanced with those of `own`, the rater's tasks so far without checks.
        """
        seen = [row for row in own if row.shown is not None]
        if len(item.arms) == 2:
            pairs = (row.shown for row in seen if len(row.arms) == 2)
            return draw_pair_order(item.arms, pairs, self.config.seed, rater.code, item.key)
        earlier = sum(tuple(row.arms) == item.arms for row in seen)
        return draw_order(item.arms, earlier, self.config.seed, rater.code)

    def _draw_check(self, connection: Connection, rater: Row[Any], rows: Sequence[Row[Any]]) -> dict[str, Any] | None:
        """Return the columns of a check's task, without storing them; None if none is due, or no query fits.

        A check is due if the last `checks.every` of `rows`, the rater's tasks so far, are no checks. It shows the first
        item that the rater has judged and no check has shown, with its answers in another order. What the rater said
        before stands in `planted`, under `earlier`.
        """
        checks = self.config.checks
        since = next((age for age, row in enumerate(reversed(rows)) if row.check), len(rows))
        if not checks.every or since < checks.every:
            return None
        done = [row for row in rows if row.check]
        kind = choose_kind(checks.kinds, len(done), self.config.seed, rater.code)
        used = {row.item for row in done}
        for row in rows:
            item = self._by_key.get(row.item)
            if row.state != "judged" or row.item in used or item is None:
                continue
            answers = {arm: item.question.answers[arm] for arm in item.arms}
            if kind not in ("repeat", "identical") and not any(map(can_be_damaged, answers.values())):
                continue
            events = select(EVENTS.c.value).where(EVENTS.c.task == row.id).order_by(EVENTS.c.id.desc()).limit(1)
            _, planted = plant(kind, answers, rater.id, rows[-1].number + 1)
            earlier = {"earlier": connection.execute(events).scalar_one()}
            shown = draw_order(item.arms, len(done), self.config.seed, rater.code, "checks")
            if shown == row.shown:
                shown.reverse()
            return self.values_of(item) | {"check": kind, "planted": planted | earlier, "shown": shown}
        return None
