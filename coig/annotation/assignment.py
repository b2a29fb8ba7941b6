"""Draw a random sample of the queries to judge, and choose each rater's next item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from coig.statistics.orders import draw_share, shuffle
from coig.study.items import AnsweredQuery, Item


def draw_sample(questions: Sequence[AnsweredQuery], size: int, seed: int, earlier: Collection[str] = ()) -> list[str]:
    """Draw queries at random, spread over languages and genres; return the ids of `earlier`, then the new ones.

    Ids of an `earlier` draw are kept if the query is still among the questions, even if they are more than `size`. The
    new ones are a systematic sample of the rest, sorted by language and genre: every query is drawn with the same
    probability, size / len(questions), also if the sample grows in several draws.
    """
    known = {question.query_id for question in questions}
    kept = [query_id for query_id in earlier if query_id in known]
    rest = [one for one in shuffle(questions, seed, "sample", len(kept)) if one.query_id not in kept]
    rest.sort(key=lambda one: (one.lang, one.genre or ""))
    wanted = min(size - len(kept), len(rest))
    if wanted <= 0:
        return kept
    step = len(rest) / wanted
    start = step * draw_share(seed, "start", len(kept))
    return kept + [rest[min(int(start + step * place), len(rest) - 1)].query_id for place in range(wanted)]


def choose_item(
    items: Sequence[Item],
    counts: Mapping[str, int],
    seen: Collection[str],
    langs: Collection[str],
    most: int | None,
    *seed: object,
) -> Item | None:
    """Return the next item of a rater; None if there is none left.

    Only items in `langs`, not in `seen` and with fewer raters than `most` can be chosen. The item is one of those with
    the fewest raters. Among these, it is of the language and genre with the fewest raters per item. Among equals it is
    a random one, which `seed` decides.

    Args:
        counts: key of an item → raters who judged it or are at it.
        seen: keys of the items that the rater has had.
        langs: languages that the rater reads.
        most: raters per item; None if there is no limit.
        seed: the study's seed and the rater.
    """
    judged: Counter[tuple[str, str | None]] = Counter()
    sizes: Counter[tuple[str, str | None]] = Counter()
    free = []
    for item in items:
        count = counts.get(item.key, 0)
        sizes[item.question.stratum] += 1
        judged[item.question.stratum] += count
        if item.key not in seen and item.question.lang in langs and (most is None or count < most):
            free.append((count, item))

    def urgency(entry: tuple[int, Item]) -> tuple[int, float]:
        """Return what is lowest for the next item: its raters, and the raters per item of its language and genre."""
        count, item = entry
        return count, judged[item.question.stratum] / sizes[item.question.stratum]

    if not free:
        return None
    first = min(map(urgency, free))
    return min(
        (item for count, item in free if urgency((count, item)) == first), key=lambda one: draw_share(*seed, one.key)
    )
