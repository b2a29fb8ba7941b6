"""Find pairs of texts that may be copies on many processes or machines, by datatrove's MinHash pipeline.

One set of tasks signs the texts, another compares the signatures of each band. The shingles, bands and rows are those
of `minhash.py`, so both propose the same kinds of pairs. Each pair is compared exactly afterwards.
"""

from __future__ import annotations

import json
import logging
import shutil
import struct
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig
from datatrove.utils.word_tokenizers import WhitespaceTokenizer

from coig.config import Constructor
from coig.config.loading import construct
from coig.curation.minhash import BANDS, ROWS
from coig.errors import ConfigError
from coig.files.atomic import atomic_folder
from coig.text.cleaning import digest_of
from coig.text.shingles import shingles_of

log = logging.getLogger(__name__)
SETTINGS = MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS, hash_config=HashConfig(hash_fc="sha1"))
LINK = struct.Struct("<4I")  # datatrove's pair: file and line of one text, file and line of another


class Texts(PipelineStep):
    """Yields the texts of one task's file."""

    name = "texts"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yield the texts of the file of the task `rank`, in their order; a document's id is its line, from 0.

        `data` and `world_size` belong to datatrove's interface and are ignored.
        """
        with (self.folder / f"{rank:05d}.jsonl").open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                yield Document(text=json.loads(line), id=str(number))


class Signatures(MinhashDedupSignature):
    """Signs texts by our shingles instead of datatrove's, which are of words."""

    def get_shingles(self, text: str) -> Any:
        """Return a text's shingles, (shingles, 1)."""
        return shingles_of(text).reshape(-1, 1)


def find_candidates(texts: Sequence[str], folder: Path, executor: Constructor) -> list[tuple[int, int]]:
    """Return the pairs of places (lower, higher) of texts whose signatures agree in all rows of some band, sorted.

    Args:
        folder: where the pipeline's files are kept until it has finished. All its machines must reach it.
        executor: one of datatrove's executors, whose `tasks` are those that sign.

    Raises ConfigError if tasks are still to be done, as when an executor hands them to a queue and returns.
    """
    tasks = int(executor.arguments().get("tasks", 1))
    work = folder.absolute() / digest_of(str(tasks), *texts).hex()[:16]
    if not (work / "texts").exists():
        _write_texts(texts, work / "texts", tasks)
    signing = _make_executor(executor, work, "signatures", tasks, [Texts(work / "texts"), _signatures(work)])
    comparing = _make_executor(executor, work, "bands", BANDS, [_bands(work)], depends=signing)
    comparing.run()
    if waiting := len(comparing.get_incomplete_ranks(skip_completed=True)):
        raise ConfigError(
            f"dedupe.executor: {waiting} of {BANDS} tasks have not finished; run the same command again when its "
            f"jobs have ended; {work} has their logs"
        )
    found = set[tuple[int, int]]()
    for links in (work / "pairs").glob("*.dups"):
        for pair in _expand(links):
            one, other = sorted(line * tasks + file for file, line in pair)
            found.add((one, other))
    shutil.rmtree(work)
    return sorted(found)


def _write_texts(texts: Sequence[str], folder: Path, tasks: int) -> None:
    """Write one file of texts for each task: the text at place p is line p // tasks of the file p % tasks."""
    with atomic_folder(folder) as unfinished:
        for task in range(tasks):
            lines = (json.dumps(text) + "\n" for text in texts[task::tasks])
            (unfinished / f"{task:05d}.jsonl").write_text("".join(lines), encoding="utf-8")


def _signatures(work: Path) -> Signatures:
    """Return the step that signs."""
    unused = WhitespaceTokenizer()  # the default one needs more packages
    return Signatures(str(work / "signatures"), SETTINGS, unused)


def _bands(work: Path) -> MinhashDedupBuckets:
    """Return the step that compares the signatures of a band."""
    return MinhashDedupBuckets(str(work / "signatures"), str(work / "pairs"), config=SETTINGS)


def _make_executor(
    executor: Constructor, work: Path, name: str, tasks: int, steps: list[Any], depends: Any = None
) -> Any:
    """Return the configured executor with these steps and tasks; it keeps its logs, and what is done, in `work`."""
    return construct(executor, pipeline=steps, tasks=tasks, logging_dir=str(work / "logs" / name), depends=depends)


def _expand(file: Path) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield all pairs of texts, as (file, line), of a band; datatrove links texts of equal signatures in chains."""
    chain: list[tuple[int, int]] = []
    for one_file, one, other_file, other in LINK.iter_unpack(file.read_bytes()):
        if not chain or chain[-1] != (one_file, one):
            yield from combinations(chain, 2)
            chain = [(one_file, one)]
        chain.append((other_file, other))
    yield from combinations(chain, 2)
