"""Measure what the arms' answers copy from the texts that the arms were trained on; docs/measures.md explains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unicodedata import normalize

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coig.evaluation.learned import Learned
from coig.evaluation.measures.answers import is_mostly_empty
from coig.statistics.intervals import FEWEST, bootstrap_weights, share_interval
from coig.text.copied_spans import CopiedSpans, Match
from coig.text.overlap import count_shared, jaccard
from coig.text.shingles import Shingles, shingles_of

NEAR = 0.5  # share of an answer's shingles in one text from which on it is a near copy; Jaccard similarity of prompts
Rows = NDArray[np.int64]
MEMORISATION: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm"), pl.String),
    "answers": pl.Int64,
    **dict.fromkeys(("copied", "copied_low", "copied_high"), pl.Float64),  # mean share of an answer, 0–1
    "with_span": pl.Float64,  # share of the answers
    "longest": pl.Int64,  # characters
    "near_copies": pl.Int64,
    **dict.fromkeys(("creative", "creative_low", "creative_high"), pl.Float64),  # from creative texts alone
    **dict.fromkeys(("floor", "floor_low", "floor_high"), pl.Float64),  # answers that cannot be copies of these texts
}
NEAR_COPIES: dict[str, Any] = {
    **dict.fromkeys(("lang", "arm", "query_id", "genre", "query", "training_id", "source", "kind"), pl.String),
    "shared": pl.Float64,  # of the answer's shingles
    **dict.fromkeys(("span", "answer", "text"), pl.String),  # the longest copied span; the answer; the training text
}
NEAR_PROMPTS: dict[str, Any] = {
    **dict.fromkeys(("lang", "query_id", "query", "training_id", "source", "kind", "prompt", "arms"), pl.String),
    "similarity": pl.Float64,  # Jaccard's, of shingles
}


def measure_copying(answers: pl.DataFrame, learned: Learned, reference: str | None) -> dict[str, pl.DataFrame]:
    """Compare each arm's answers with the texts that it was trained on.

    Args:
        answers: the frame of `measure_answers`.
        reference: the arm with general data alone, whose answers are the floor; None without one.

    Returns `answers` with the columns copied, longest_copied and near_copy filled in for the arms whose texts are
    known (`copied` stays null where most of an arm's answers are empty), and the tables `memorisation`, `near_copies`
    and `near_prompts`, with the columns of MEMORISATION and so on.
    """
    spans = CopiedSpans(answers["answer"].to_list(), learned.targets)
    copies = {arm: _copies_of(answers, spans, learned, arm) for arm in answers["arm"].unique(maintain_order=True)}
    known = [frame for frame in copies.values() if frame is not None]
    found = pl.concat(known) if known else pl.DataFrame(schema=COPIES)
    added = found.select("row", copied="share", longest_copied="longest", near_copy=pl.col("shared") >= NEAR)
    kept = answers.drop(added.columns[1:]).with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
    joined = kept.join(added, on="row", how="left", maintain_order="left")
    filled = joined.with_columns(copied=pl.when(~is_mostly_empty()).then("copied")).select(answers.columns)
    return {
        "answers": filled,
        "memorisation": _summarize(filled, spans, learned, reference),
        "near_copies": _near_copies(answers, found, learned),
        "near_prompts": _near_prompts(answers, learned),
    }


COPIES = {
    "row": pl.Int64,  # of the answer
    "share": pl.Float64,
    **dict.fromkeys(("longest", "nearest"), pl.Int64),
    "shared": pl.Float64,
    "span": pl.String,
}


def _copies_of(answers: pl.DataFrame, spans: CopiedSpans, learned: Learned, arm: str) -> pl.DataFrame | None:
    """Return what each answer of an arm copied from the arm's training texts; None if these are unknown.

    Columns are as in COPIES. `share` and `longest` are of the copied spans; `nearest` is the row of the text with most
    in common, −1 without one, and `shared` the share of the answer's shingles that this text has too.
    """
    if arm not in learned.of:
        return None
    rows = _rows_of(answers, arm)
    texts = [normalize("NFC", text) for text in answers["answer"].gather(rows)]  # in which places are counted
    matches = spans.match(rows, learned.of[arm])
    return pl.DataFrame(
        [
            (row, one.share, one.longest, one.nearest, _share_within(text, one, learned), text[one.place : one.end])
            for row, text, one in zip(rows, texts, matches, strict=True)
        ],
        schema=COPIES,
        orient="row",
    )


def _rows_of(answers: pl.DataFrame, arm: str) -> list[int]:
    """Return the row numbers of an arm's answers."""
    return np.flatnonzero((answers["arm"] == arm).to_numpy()).tolist()


def _share_within(answer: str, match: Match, learned: Learned) -> float:
    """Return the share (0–1) of an answer's shingles that its nearest text has too; 0 without a nearest text."""
    if match.nearest < 0:
        return 0.0
    own, there = shingles_of(answer), shingles_of(learned.targets[match.nearest])
    return len(np.intersect1d(own, there, assume_unique=True)) / len(own)


def _summarize(answers: pl.DataFrame, spans: CopiedSpans, learned: Learned, reference: str | None) -> pl.DataFrame:
    """Return the table MEMORISATION: a row for each arm whose texts are known and each language of its answers.

    `creative` is null for an arm without creative texts. `floor`: what the reference's answers share with those of the
    arm's creative texts that the reference did not learn; null if there are none, or no reference.
    """
    by_creative = {arm: _shares(answers, spans, arm, learned.creative_of(arm)) for arm in learned.of}
    floors = {}
    if reference is not None and reference in learned.of:
        seen = learned.of[reference]
        unseen = {arm: np.setdiff1d(learned.creative_of(arm), seen) for arm in learned.of if arm != reference}
        floors = {arm: _shares(answers, spans, reference, texts) for arm, texts in unseen.items() if len(texts)}
    rows = []
    for (lang, arm), part in answers.drop_nulls("copied").group_by("lang", "arm", maintain_order=True):
        has_creative = len(learned.creative_of(str(arm))) > 0
        rows.append(
            {
                "lang": lang,
                "arm": arm,
                "answers": len(part),
                **_mean("copied", part["copied"].to_numpy()),
                "with_span": (part["longest_copied"] > 0).mean(),
                "longest": part["longest_copied"].max(),
                "near_copies": part["near_copy"].sum(),
                **(_mean("creative", by_creative[str(arm)][lang]) if has_creative else {}),
                **(_mean("floor", floors[str(arm)][lang]) if has_creative and lang in floors.get(str(arm), {}) else {}),
            }
        )
    return pl.DataFrame([{key: row.get(key) for key in MEMORISATION} for row in rows], schema=MEMORISATION)


def _shares(answers: pl.DataFrame, spans: CopiedSpans, arm: str, texts: Rows) -> dict[Any, NDArray[np.float64]]:
    """Return by language, for each of an arm's answers, the share (0–1) in spans copied from these rows of texts."""
    rows = _rows_of(answers, arm)
    shares = pl.Series([one.share for one in spans.match(rows, texts)], dtype=pl.Float64)
    langs = answers["lang"].gather(rows)
    return {lang: shares.filter(langs == lang).to_numpy() for lang in langs.unique(maintain_order=True)}


def _mean(name: str, values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return the mean of shares, one of each prompt, as the column `name`, and its 95 % limits (`share_interval`).

    Limits are the columns `…_low` and `…_high`, None for fewer than FEWEST values; the mean is None without values.
    """
    ends: tuple[float | None, float | None] = (None, None)
    mean, count = float(values.mean()) if len(values) else None, len(values)
    if count >= FEWEST:
        resampled = (bootstrap_weights(count) @ values / count)[:, None]
        [low], [high] = share_interval(resampled, np.array([mean]), np.array([float(count)]))
        ends = float(low), float(high)
    return {name: mean, f"{name}_low": ends[0], f"{name}_high": ends[1]}


def _near_copies(answers: pl.DataFrame, found: pl.DataFrame, learned: Learned) -> pl.DataFrame:
    """Return the table NEAR_COPIES: a row for each answer that shares NEAR or more of its shingles with `nearest`.

    `found` has the columns of COPIES, such as `nearest`, the text; rows are in the order of the answers.
    """
    rows = []
    for one in found.filter(pl.col("shared") >= NEAR).sort("row").iter_rows(named=True):
        answer, text = answers.row(one["row"], named=True), learned.texts.row(one["nearest"], named=True)
        rows.append(
            {
                **{name: answer[name] for name in ("lang", "arm", "query_id", "genre", "query", "answer")},
                "training_id": text["id"],
                "source": text["source"],
                "kind": text["kind"],
                "shared": one["shared"],
                "span": one["span"],
                "text": learned.targets[one["nearest"]].strip(),
            }
        )
    return pl.DataFrame([{key: row[key] for key in NEAR_COPIES} for row in rows], schema=NEAR_COPIES)


def _near_prompts(answers: pl.DataFrame, learned: Learned) -> pl.DataFrame:
    """Return the table NEAR_PROMPTS: a row for each query with a training prompt of at least NEAR similarity.

    The row has the most similar prompt, the first of equal ones, and the names of the arms that were trained on it.
    """
    queries = answers.unique(["lang", "query_id"], maintain_order=True).select("lang", "query_id", "query")
    prompts = learned.texts["prompt"].to_list()
    asked, trained = _shingles(queries["query"].to_list()), _shingles(prompts)
    shared = count_shared(asked, trained).tocoo()
    sizes = np.array([len(one) for one in asked]), np.array([len(one) for one in trained])
    similarity = jaccard(shared.data, sizes[0][shared.row], sizes[1][shared.col])
    near = np.flatnonzero(similarity >= NEAR)
    best: dict[int, tuple[float, int]] = {}
    for query, prompt, value in zip(
        shared.row[near].tolist(), shared.col[near].tolist(), similarity[near], strict=True
    ):
        best[query] = max(best.get(query, (0.0, 0)), (float(value), -prompt))
    rows = []
    for query, (value, prompt) in sorted(best.items()):
        text = learned.texts.row(-prompt, named=True)
        arms = ", ".join(arm for arm, own in learned.of.items() if -prompt in own)
        about = {"training_id": text["id"], "source": text["source"], "kind": text["kind"], "prompt": text["prompt"]}
        rows.append(queries.row(query, named=True) | about | {"arms": arms, "similarity": value})
    return pl.DataFrame([{key: row[key] for key in NEAR_PROMPTS} for row in rows], schema=NEAR_PROMPTS)


def _shingles(texts: Sequence[str]) -> list[Shingles]:
    """Return the shingles of each text; an empty array for a text without letters, such as a document's prompt."""
    return [shingles_of(text) for text in texts]
