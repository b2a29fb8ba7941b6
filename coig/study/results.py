"""Collect all studies in one table: a row for each arm, language and measure, with what the arm is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from coig.config.differences import bears_on_results, flatten
from coig.config.fields import MULTIRUN
from coig.config.stored import dump_config
from coig.errors import ConfigError, suggestion
from coig.files.parquet import read_table
from coig.study.arm import Arm
from coig.study.find import find_arms
from coig.text.language_codes import LANGUAGES

MEASURES: dict[str, Any] = {  # what evaluate.py writes of each arm; shares are 0–1
    **dict.fromkeys(("lang", "arm", "measure"), pl.String),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),  # with its 95 % interval
    "n": pl.Int64,  # answers, verdicts or ratings
}
FILE = Path("evaluation") / "measures.parquet"
OF_POINTS = FILE.with_name("point_measures.parquet")
LOSS = "held-out loss"  # nats per token of held-out answers, after the last step
FACTS: dict[str, Any] = {
    **dict.fromkeys(("model", "status"), pl.String),
    **dict.fromkeys(("seed", "creative", "general"), pl.Int64),
    "dose": pl.Float64,  # general examples per creative one
    **dict.fromkeys(("steps", "tokens"), pl.Int64),  # tokens: those that bore loss, over all steps
    "hours": pl.Float64,
    "revision": pl.String,
}
NAMED = ("arm", "study", "format", "seed")  # keys that are columns already


def results(*studies: str | Path) -> pl.DataFrame:
    """Return what was measured of studies, a row for each arm, language and measure.

    The columns are study, those of MEASURES, those of FACTS, and each setting in which the arms differ, such as
    `data.ratio`. Arms without an evaluation have their held-out loss only.

    Args:
        studies: names in `multirun/`, or paths; both may be patterns, such as `multirun/*`. Without any: all studies.

    Raises ConfigError if one of them names no study, or if there is none at all.
    """
    folders = dict.fromkeys(folder for text in studies or ("*",) for folder in _find_folders(str(text)))
    arms = [arm for folder in folders for arm in find_arms(folder, None)]
    rows = [{"study": folder.name} | row for folder in folders for row in read_measures(folder).iter_rows(named=True)]
    rows += [{"study": arm.study} | row for arm in arms for row in _losses(arm)]
    frame = pl.DataFrame(rows, schema={"study": pl.String, **MEASURES})
    about = _describe_arms(arms)
    return frame.join(about, ["study", "arm"], "left", maintain_order="left") if arms else frame


def _find_folders(text: str) -> list[Path]:
    """Return the folders of studies that a name, path or pattern names. Raises ConfigError if there are none."""
    pattern = Path(text) if "/" in text else MULTIRUN / text
    found = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    studies = [folder for folder in found if list(folder.glob("*/manifest.json")) or (folder / FILE).exists()]
    if not studies:
        known = sorted({file.parent.parent.name for file in MULTIRUN.glob("*/*/manifest.json")})
        raise ConfigError(f"{text}: no study is there" + (suggestion(pattern.name, known) if known else ""))
    return studies


def read_measures(study: Path, name: Path = FILE) -> pl.DataFrame:
    """Return what evaluate.py last measured of a study, a row for each arm, language and measure, columns as MEASURES.

    There are no rows without an evaluation. With `name` OF_POINTS, the rows are those of points instead.

    Raises DataError if the file is damaged.
    """
    file = study / name
    if not file.exists():
        return pl.DataFrame(schema=MEASURES)
    return read_table(file, list(MEASURES))


def _losses(arm: Arm) -> Iterator[dict[str, Any]]:
    """Yield a row with an arm's held-out loss for each language that has one."""
    for lang, loss in arm.held_out_losses(LANGUAGES).items():
        yield {"lang": lang, "arm": arm.name, "measure": LOSS, "value": loss}


def _describe_arms(arms: Sequence[Arm]) -> pl.DataFrame:
    """Return a row for each arm: study, arm, the columns of FACTS, and each setting in which the arms differ."""
    settings = [flatten(dump_config(arm.config())) for arm in arms]
    keys = dict.fromkeys(key for own in settings for key in own if key not in NAMED and bears_on_results(key))
    differing = [key for key in keys if len({str(own.get(key)) for own in settings}) > 1]
    columns = {key: _make_column(key, (own.get(key) for own in settings)) for key in differing}
    facts = pl.DataFrame([_facts(arm) for arm in arms], schema={"study": pl.String, "arm": pl.String, **FACTS})
    return facts.with_columns(columns.values())


def _make_column(key: str, values: Iterable[Any]) -> pl.Series:
    """Return a setting's values as a column named `key`: of numbers if all values but None are, else of texts."""
    listed = list(values)
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in listed):
        return pl.Series(key, listed, pl.Float64 if any(isinstance(value, float) for value in listed) else pl.Int64)
    return pl.Series(key, [None if value is None else str(value) for value in listed], pl.String)


def _facts(arm: Arm) -> dict[str, Any]:
    """Return study, arm and the columns of FACTS for one arm, from its manifest; what it does not record is None."""
    manifest = arm.manifest()
    creative, general = (manifest.data.examples(kind) for kind in ("creative", "general"))
    seconds, training = manifest.times.seconds, manifest.training
    return {
        "study": arm.study,
        "arm": arm.name,
        "model": manifest.model.name,
        "status": manifest.status,
        "seed": manifest.seed,
        "creative": creative,
        "general": general,
        "dose": general / creative if creative else None,
        "steps": training and training.steps,
        "tokens": training and training.supervised_tokens,
        "hours": None if seconds is None else seconds / 3600,
        "revision": manifest.git and manifest.git.revision,
    }
