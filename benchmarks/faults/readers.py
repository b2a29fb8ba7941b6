"""Damaged files through the readers, in this process: one file of every kind that the project reads."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import torch

from benchmarks.faults.damage import damage
from benchmarks.faults.outcomes import LONGEST_MESSAGE, Trial
from coig.config.stored import read_config
from coig.curation.run import curate
from coig.data.tokenizer import load_exported
from coig.errors import ConfigError, system_problem
from coig.files.rows import read_rows
from coig.judging.prompt_files import read_prompts
from coig.records.answer import read_answers
from coig.records.authors import read_authors_answers
from coig.records.judgment import read_judgments
from coig.records.judgment_database import collect_from
from coig.records.label import read_labels
from coig.records.query import read_queries
from coig.study.arm import Arm
from coig.study.manifest import read_manifest
from coig.study.packed import MARK, unpack
from coig.study.registration import read_registered
from coig.training.checkpoints import check_checkpoint
from coig.training.sharded_files import read_metadata
from tests.curation.curations import configure

LONGEST = 120  # seconds of a reader, on a busy machine too; then it hangs


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, an undamaged content, and the reader.

    by_lines: every whole line is a record. is_checked: the format has checksums, so that no damage may go unnoticed.
    """

    name: str
    content: bytes
    read: Callable[[Path], Any]
    by_lines: bool = False
    is_checked: bool = False


def try_reader(seed: int) -> Trial:
    """Damage a file of a random kind, read it, and compare with what the undamaged file gave."""
    random = Random(seed)
    kinds = make_kinds()
    kind = random.choice(list(kinds))
    name, damaged = damage(kind.content, random, Path(kind.name).suffix)
    outcome, detail = read_damaged(kind, damaged)
    return Trial("readers", seed, f"{kind.name}: {name}", outcome, detail)


def read_damaged(kind: Kind, damaged: bytes) -> tuple[str, str]:
    """Return the outcome of reading a file of a kind with this content, and what was said."""
    try:
        with _alarm(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _read(kind, damaged)
    except ConfigError as error:
        message = str(error)
        return ("refused" if len(message) < LONGEST_MESSAGE else "traceback"), message[:300]
    except _TooLongError:
        return "hang", ""
    except Exception as error:
        if problem := system_problem(error):
            return "refused", problem
        return "traceback", f"{type(error).__name__}: {str(error)[:300]}"
    if found == make_kinds()[kind]:
        return "equal", ""
    if kind.is_checked:
        return "wrong number", ""
    whole = sum(bool(line.strip()) for line in damaged.split(b"\n")[:-1])
    if kind.by_lines and len(found) < whole:
        return "lost line", f"{len(found)} of {whole}"
    return "changed", ""


def _read(kind: Kind, content: bytes) -> Any:
    """Return what a kind's reader makes of a content, from a new path: some readers remember what they have read."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / kind.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return kind.read(file)


class _TooLongError(Exception):
    """A reader that did not end."""


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise _TooLongError in the block after LONGEST seconds."""

    def stop(*_: object) -> None:
        raise _TooLongError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)


@cache
def make_kinds() -> dict[Kind, Any]:
    """Return every kind of file with what its reader gives for the undamaged file."""
    return {kind: _read(kind, kind.content) for kind in [*_records(), *_of_a_study(), *_of_torch()]}


def _lines(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _write_frame(frame: pl.DataFrame, way: str) -> bytes:
    """Return a frame as the bytes of a file that polars writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        if way == "parquet":
            frame.write_parquet(file)
        else:
            frame.write_csv(file, compression="zstd" if way == "zst" else "uncompressed", check_extension=False)
        return file.read_bytes()


def _rows_of(file: Path) -> list[Any]:
    """Return the rows of a source, damaged ones included."""
    return [row for _, row in read_rows(file)]


def _records() -> Iterator[Kind]:
    """Yield the kinds of files that users give: queries in all formats, answers, judgments, labels, sources."""
    queries = [
        {"id": f"q{number}", "lang": lang, "genre": "poetry", "query": f"{text} {number}"}
        for number, (lang, text) in enumerate([("zh", "写一首诗"), ("en", "Write a poem")] * 6)
    ]
    lines, frame = _lines(queries), pl.DataFrame(queries)
    yield Kind("queries.jsonl", lines, read_queries, by_lines=True)
    yield Kind("queries.json", json.dumps(queries).encode(), read_queries)
    yield Kind("queries.csv", _write_frame(frame, "csv"), read_queries)
    yield Kind("queries.parquet", _write_frame(frame, "parquet"), read_queries)
    packers: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    for suffix, pack in packers.items():
        yield Kind(f"queries.jsonl.{suffix}", pack(lines), read_queries)
        yield Kind(f"rows.json.{suffix}", pack(json.dumps({"data": queries}).encode()), _rows_of)
    rows = pl.DataFrame({'{"n":0}': [f'{{"n":{number}}}' for number in range(1, 200)]})  # a header is a line as well
    yield Kind("rows.jsonl.zst", _write_frame(rows, "zst"), _rows_of)
    answers = [
        {
            **{"query_id": one["id"], "lang": one["lang"], "genre": "poetry", "query": one["query"], "arm": "cw"},
            **{"sample": 0, "reasoning": "Plan.", "answer": "Text.", "raw": "", "answer_tokens": 2, "seed": 0},
            **{"finish_reason": "stop", "sampling": {"temperature": 0.0}, "engine": {"name": "hf"}},
        }
        for one in queries
    ]
    yield Kind("answers.jsonl", _lines(answers), lambda file: read_answers(file, "cw"), by_lines=True)
    judgments = [
        {"query_id": one["id"], "lang": one["lang"], "kind": "ranking", "arms": ["cw", "general"], "value": [1, 2]}
        | {"rater": "ann", "good": True, "read": {"cw": 1.0}}
        for one in queries
    ]
    yield Kind("judgments.jsonl", _lines(judgments), lambda file: list(read_judgments(file, None)), by_lines=True)
    verdicts = [
        {"query_id": one["id"], "lang": one["lang"], "arm_a": "cw", "arm_b": "general", "winner": "a", "rater": "ann"}
        for one in queries
    ]
    yield Kind(
        "verdicts.csv", _write_frame(pl.DataFrame(verdicts), "csv"), lambda file: list(read_judgments(file, None))
    )
    labels = [
        {"arm": "cw", "query_id": one["id"], "step": 0, "label": "deep reasoning", "labeller": "ann"} for one in queries
    ]
    yield Kind("labels.jsonl", _lines(labels), lambda file: read_labels(file), by_lines=True)
    authors = {str(number): {"prompt": "Write.", "my_response": "Text."} for number in range(9)}
    yield Kind("writing_en_10k.json", json.dumps(authors).encode(), lambda file: read_authors_answers([file]))
    yield Kind("source.jsonl", _lines([{"query": "q", "thought": "t", "answer": "a"}] * 9), _rows_of, by_lines=True)


def _of_a_study() -> Iterator[Kind]:
    """Yield the kinds of files in a study's folder."""
    from benchmarks.faults.study import make_archive, make_curation, make_database, write_small_study

    with tempfile.TemporaryDirectory() as folder:
        arm = write_small_study(Path(folder))
        config, manifest = arm.config_file.read_bytes(), (arm.folder / "manifest.json").read_bytes()
        plan, database = (arm.folder.parent / "plan.yaml").read_bytes(), make_database(Path(folder))
        archive, curation = make_archive(Path(folder)), make_curation(Path(folder))
    yield Kind("cw/config.yaml", config, read_config)
    yield Kind("cw/manifest.json", manifest, read_manifest)
    metrics = _lines([{"step": step, "train/loss": 2.5, "epoch": 0} for step in range(9)])
    yield Kind("cw/metrics.jsonl", metrics, lambda file: Arm(file.parent).last_metric("train/loss"))
    yield Kind("plan.yaml", plan, lambda file: read_registered(file.parent))
    yield Kind("judgments.sqlite", database, lambda file: collect_from(file, "s"))
    yield Kind("curations/mine/curation.sqlite", curation, _status_of_curation)
    prompts = Path(read_prompts.__code__.co_filename).with_name("prompts")
    yield Kind("zh.yaml", (prompts / "zh.yaml").read_bytes(), _read_prompts)
    yield Kind("s.zip", archive, _unpack)


def _read_prompts(file: Path) -> Any:
    """Read a judge's prompts, of which only one language is damaged."""
    prompts = Path(read_prompts.__code__.co_filename).with_name("prompts")
    (file.parent / "en.yaml").write_bytes((prompts / "en.yaml").read_bytes())
    return read_prompts(file.parent)


def _status_of_curation(file: Path) -> str:
    """Return what curate.py prints of a curation."""
    with chdir(file.parents[2]), redirect_stdout(StringIO()) as printed:
        curate(configure("stage=status", "input=sample:articles.jsonl"))
        return printed.getvalue()


def _unpack(file: Path) -> dict[str, bytes]:
    """Unpack a packed study and return what its files hold, by their paths."""
    with chdir(file.parent):
        files = [one for one in unpack(Path(file.name)).rglob("*") if one.is_file() and one.name != MARK]
        return {str(one): one.read_bytes() for one in files}


def _of_torch() -> Iterator[Kind]:
    """Yield the kinds of files that torch and transformers read."""
    from benchmarks.faults.study import make_checkpoint, make_sharded_checkpoint
    from tests.small_model import TINY

    yield Kind("step-1.ckpt", make_checkpoint(), _load_checkpoint, is_checked=True)
    metadata, rest = make_sharded_checkpoint()
    yield Kind("step-1/.metadata", metadata, lambda file: repr(read_metadata(file.parent)))
    yield Kind("step-1/meta.pt", rest, _load_checkpoint, is_checked=True)
    yield Kind("model/tokenizer_config.json", (TINY / "tokenizer_config.json").read_bytes(), _load_tokenizer)
    yield Kind("model/generation_config.json", b'{"do_sample": true, "top_k": 50}', _generation_config)


def _load_checkpoint(file: Path) -> str:
    """Check a checkpoint as training does before it resumes; return all that it holds, as text."""
    from coig.training.state import is_sound

    if not is_sound(file):
        raise ConfigError(f"{file}: damaged")
    check_checkpoint(file)
    return repr(torch.load(file, weights_only=True))


def _load_tokenizer(file: Path) -> Any:
    """Load a tokenizer of which one file is damaged, and let it encode a text."""
    from tests.small_model import TINY

    (file.parent / "tokenizer.json").symlink_to(TINY / "tokenizer.json")
    return load_exported(file.parent)("写一首诗")["input_ids"]


def _generation_config(file: Path) -> Any:
    """Read an exported model's generation config."""
    return Arm(file.parent.parent).generation_config()
