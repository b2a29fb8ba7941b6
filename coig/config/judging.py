"""The config schema of `judge.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from coig.config.fields import ArmNames, FilePatterns, FolderName, QueriesNames
from coig.config.nodes import Constructor, Node

Asked = Literal["pairs", "ranking", "rating", "steps"]


class JudgeConfig(Node):
    """The config of `judge.py`: which model judges which answers, and how."""

    study: FolderName | None
    arms: ArmNames | None
    # names as in generations/<queries>.jsonl: sample, held_out, or the stem of a file of queries
    queries: QueriesNames
    answers: FilePatterns  # files of answers in the paper authors' format, instead of our generations
    yardstick: FilePatterns  # files of pairs of which people prefer one, to be judged instead of the answers
    judge: Constructor  # what judges
    name: FolderName | None  # of the judge among the raters; null: made of its model and what it is asked
    # every pair in both orders, all answers at once, each on five dimensions, or labels of reasoning steps
    ask: Asked
    # pairs: how many of a query's pairs are judged, each equally often over all queries; null: all
    pairs_per_query: Annotated[int, Field(gt=0)] | None
    probes: int = Field(ge=0)  # prompts on which each probe of the judge is asked
    seed: int = Field(ge=0, lt=2**32)
    dry_run: bool

    @property
    def gpus(self) -> int:
        """Return how many of this machine's GPUs the judge needs if there are any: 0 if it has a `base_url`, else 1."""
        return 0 if "base_url" in self.judge.arguments() else 1
