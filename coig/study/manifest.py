"""`manifest.json`: an arm's model, data and training, and how its run went.

Code that needs to know what an arm is reads its manifest and never parses its name. Facts that earlier versions did not
record are None.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from coig.config.ratio import Ratio
from coig.errors import ConfigError
from coig.files.atomic import write_atomic
from coig.files.limits import read_whole
from coig.files.secrets import remove_secrets

Status = Literal["running", "done", "failed"]
INTERRUPTED = "interrupted"  # the error of an arm that a signal or Ctrl-C stopped, and that can be continued


class Facts(BaseModel):
    """A part of a manifest; keys that a later version added are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ModelFacts(Facts):
    """The model that was trained, and its numbers of parameters."""

    name: str
    commit: str | None = None  # of the hub's repository
    parameters: int
    trained_parameters: int | None = None


class Group(Facts):
    """The examples of one kind, language and source."""

    kind: Literal["creative", "general"]
    lang: str
    source: str
    examples: int
    tokens: int
    supervised_tokens: int
    split: int = 0  # documents, into pieces of at most model.max_length tokens
    truncated: int = 0
    dropped: int = 0


class HalfMeans(Facts):
    """The mean word count and type-token ratio of the texts in half of a pool (filter `diversity`)."""

    words: float
    ttr: float


class SourceUse(Facts):
    """The counts of one pool's rows, used and unused."""

    pool: str  # its key in the config: data.creative, data.general.zh …
    files: tuple[dict[str, Any], ...] = ()
    rows: int = 0
    quarantined: int = 0
    duplicates: int = 0
    removed: dict[str, int] = {}  # by the filter that removed them
    usable: int = 0
    split: int = 0  # answers that held a think block, now their reasoning
    without_reasoning: int = 0  # used rows that have no reasoning
    renamed: int = 0  # ids that restarted in another file of the source
    also_queries: int | None = None  # creative prompts that are test queries too
    diversity: HalfMeans | None = None


class DataFacts(Facts):
    """The data of an arm: where they came from, what was left out, and how many were used."""

    name: str
    ratio: str
    fingerprint: str  # sha256 over all examples in order: arms that share it saw the same data
    token_fingerprint: str | None = None  # sha256 over all training tokens: how the data were encoded
    sources: tuple[SourceUse, ...] = ()
    left_out: dict[str, int] = {}  # rows, by reason
    truncated: int = 0  # training examples, by length
    dropped: int = 0
    validation_truncated: int = 0
    validation_dropped: int = 0
    train: tuple[Group, ...]
    validation: tuple[Group, ...] = ()

    def examples(self, kind: Literal["creative", "general"]) -> int:
        """Return the number of training examples of a kind."""
        return sum(group.examples for group in self.train if group.kind == kind)

    @property
    def creative_sources(self) -> dict[str, int]:
        """Return the number of creative training examples of each source, by its name."""
        counts: Counter[str] = Counter()
        for group in self.train:
            if group.kind == "creative":
                counts[group.source] += group.examples
        return dict(counts)

    @property
    def supervised_tokens(self) -> int:
        """Return the number of tokens that bear loss, each training example counted once."""
        return sum(group.supervised_tokens for group in self.train)


class TrainingFacts(Facts):
    """How long an arm is trained, planned before its first step."""

    steps: int
    epochs: float
    supervised_tokens: int  # over all steps
    like: str | None = None  # fingerprint of the data of the arm whose budget this one copies


class MemoryPlan(Facts):
    """How a training step is laid out to fit into a GPU's memory, and what it was expected to take of it."""

    tokens_per_micro_batch: int
    recomputed_layers: int  # decoder layers that compute their activations twice instead of keeping them
    expected_gb: float | None = None  # 1e9 bytes; None on a CPU, whose memory is not planned
    free_gb: float | None = None  # before training


class ExportFacts(Facts):
    """The exported model and its loss on the validation set, in nats, beside those of the models that it came from."""

    dtype: str  # of its weights
    validation_loss: float | None = None
    trained_loss: float | None = None  # before its weights were rounded, or adapters merged into them
    base_loss: float | None = None  # before training; measured where the export lost something


class PointFacts(Facts):
    """An export that was kept after a share of an arm's steps."""

    share: float = Field(gt=0, lt=1)
    step: int = Field(gt=0, lt=10**8)  # number of optimizer steps before it
    supervised_tokens: int  # over these steps
    model_sha256: str | None = None  # of its weights; None until the arm is done


class Divergence(Facts):
    """How far an arm's predictions are from its base model's on general texts that it was not trained on."""

    lang: str
    nats: float  # mean KL divergence of the arm's distribution from the base's, per supervised token
    stderr: float  # over the texts
    texts: int
    tokens: int


class Git(Facts):
    """The revision of the code, and what was not committed."""

    revision: str = Field(pattern=r"^[0-9a-f]{7,64}$")  # an argument of git, which takes "--output=…" as an option
    dirty: bool
    diff: str | dict[str, Any] | None = None
    untracked: tuple[str, ...] = ()


class Times(Facts):
    """When an arm's training began and ended, and how long it took."""

    started: str | None = None  # ISO 8601, UTC
    ended: str | None = None
    seconds: float | None = None  # of all runs together


class Manifest(Facts):
    """What an arm is and how its last run went: the content of `manifest.json`."""

    study: str
    arm: str
    status: Status
    error: str | None = None
    seed: int
    model: ModelFacts
    data: DataFacts
    training: TrainingFacts | None = None
    memory: MemoryPlan | None = None
    export: ExportFacts | None = None
    divergence: tuple[Divergence, ...] = ()  # by language; empty if it was not measured
    git: Git | None = None
    versions: dict[str, str | None] = {}  # of Python and the libraries that matter most
    packages: dict[str, str] = {}  # versions of all installed packages
    command: tuple[str, ...] | None = None  # overrides of train.py that made the arm
    machine: dict[str, Any] = {}
    slurm_job: str | None = None  # id of the SLURM job that trained it last
    model_sha256: str | None = None  # of the exported weights; answers name the weights that wrote them
    points: tuple[PointFacts, ...] = ()  # the earliest first
    wandb_run: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")  # id of the run in Weights & Biases
    times: Times

    @property
    def ratio(self) -> Ratio:
        """Return the ratio of creative to general data, parsed."""
        return Ratio.parse(self.data.ratio)


def read_manifest(file: Path) -> Manifest:
    """Read and return a manifest. Raises ConfigError if it is missing or damaged."""
    try:
        return Manifest.model_validate_json(read_whole(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise ConfigError(f"{file}: damaged ({where}: {first['msg']}); overwrite=true trains this arm anew") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: missing or damaged ({error}); overwrite=true trains this arm anew") from None


def write_manifest(file: Path, manifest: Manifest) -> None:
    """Write a manifest atomically, without secrets."""
    facts = remove_secrets(manifest.model_dump(mode="json"))
    write_atomic(file, to_json(facts, indent=2) + b"\n")
