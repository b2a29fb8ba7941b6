"""Types of single config values that check themselves: paths and names.

Whether a file exists and a package is installed is checked for a command's own config only (context `HERE`). An arm's
stored config stays readable on any machine: a missing file is reported where it is used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from coig.config.ratio import Ratio

CACHE = "~/.cache/coig"  # unless COIG_CACHE says otherwise; of converted sources
MULTIRUN = Path("multirun")  # the folder of studies, relative to the working directory
SAMPLE = Path(__file__).parents[1] / "sample"
SAMPLE_PREFIX = "sample:"
SHIPPED_QUERIES = {"sample": "sample:queries.jsonl", "domain": "sample:domain.jsonl"}  # by the value of `queries`
LONGEST_NAME = 240  # bytes; file systems allow 255, and a suffix may be added
HERE = {"here": True}  # the validation context on the machine where the config will be used
ROW_FILES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")  # what a file of queries may be
HELD_OUT = "held_out"  # value of `queries`: the prompts of the creative examples that an arm was not trained on


def local_path(text: str) -> Path:
    """Return the path that a text in a config means: `sample:NAME` is in the embedded sample, `~` the home folder.

    `~NAME` is returned as it is if there is no such user.
    """
    if text.startswith(SAMPLE_PREFIX):
        return SAMPLE / text.removeprefix(SAMPLE_PREFIX)
    try:
        return Path(text).expanduser()
    except RuntimeError:  # nobody's home: no such file will be found
        return Path(text)


def is_pattern(text: str) -> bool:
    """Tell whether a path is a glob pattern; the name of an existing file is not."""
    return any(character in text for character in "*?[") and not local_path(text).exists()


def matching_files(text: str) -> list[Path]:
    """Return the files, not folders, that match a glob pattern, as sorted absolute paths; [] if none does.

    For a path, return the path itself, even if no such file exists.
    """
    if not is_pattern(text):
        return [local_path(text)]
    path = local_path(text).absolute()
    return sorted(file for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file())


def files_of(texts: Iterable[str]) -> list[Path]:
    """Return the files of several paths and patterns, in their order; see `matching_files`."""
    return [file for text in texts for file in matching_files(text)]


def is_here(info: ValidationInfo) -> bool:
    """Tell whether the config will be used on this machine, so that its files must exist."""
    return info.context == HERE


def _check_existing(text: str, info: ValidationInfo) -> str:
    """Return a path unchanged. Raises ValueError if it must exist and does not."""
    if is_here(info) and not local_path(text).exists():
        raise ValueError(f"no such file or folder (looked in {local_path(text).absolute().parent})")
    return text


def _check_file(text: str, info: ValidationInfo) -> str:
    """Return a file's path unchanged. Raises ValueError if it must exist and is missing or a folder."""
    if local_path(_check_existing(text, info)).is_dir() and is_here(info):
        raise ValueError("is a folder; name a file in it")
    return text


def _check_folder(text: str, info: ValidationInfo) -> str:
    """Return a folder's path unchanged. Raises ValueError if it must exist and is missing or a file."""
    if not local_path(_check_existing(text, info)).is_dir() and is_here(info):
        raise ValueError("is a file; name its folder")
    return text


def _check_queries(text: str, info: ValidationInfo) -> str:
    """Return `held_out`, a name of shipped queries or a file's path unchanged. Raises ValueError as `_check_file`."""
    return text if text in (*SHIPPED_QUERIES, HELD_OUT) else _check_file(text, info)


def _check_file_pattern(text: str, info: ValidationInfo) -> str:
    """Return a file's path or a glob pattern unchanged. Raises ValueError if files must exist and none does."""
    if not is_pattern(text):
        return _check_file(text, info)
    if is_here(info) and not matching_files(text):
        raise ValueError("no file has a name of this pattern")
    return text


def _check_model_path(text: str, info: ValidationInfo) -> str:
    """Return a hub id or path unchanged. Raises ValueError if it is empty, or a path that must exist and does not.

    Only a text that begins with `/`, `./`, `../`, `~` or `sample:` counts as a path.
    """
    if not text:
        raise ValueError("is empty; give a hub id or a folder")
    looks_local = text.startswith((SAMPLE_PREFIX, "/", "./", "../", "~"))
    return _check_existing(text, info) if looks_local else text


def _standardize_ratio(text: str) -> str:
    """Return a ratio in its standard spelling. Raises ValueError if it is no ratio."""
    return Ratio.parse(text).text


def _check_name(text: str) -> str:
    """Return a name unchanged. Raises ValueError if it cannot be a folder's name or is too long for one."""
    if not text or text in {".", ".."} or "/" in text or "\\" in text or len(text) > 100:
        raise ValueError("is used as a folder's name: no slashes, not empty, at most 100 characters")
    if not text.isprintable():
        raise ValueError("is used as a folder's name: no control characters")
    if len(text.encode()) > LONGEST_NAME:
        raise ValueError(f"is used as a folder's name: at most {LONGEST_NAME} bytes in UTF-8")
    return text


def is_packed(name: str) -> bool:
    """Tell whether a study's name is the path of a packed study, that is, ends with `.zip`."""
    return name.endswith(".zip")


def _check_study(name: str) -> str:
    """Return a study's name or the path of a packed one unchanged. Raises ValueError as `_check_name` for a name."""
    return name if is_packed(name) else _check_name(name)


def _to_list(value: Any) -> Any:
    """Turn one text into a list of it; return any other value unchanged."""
    return [value] if isinstance(value, str) else value


def _none_to_list(value: Any) -> Any:
    """Turn None into an empty list, and one text into a list of it; return any other value unchanged."""
    return [] if value is None else _to_list(value)


def _drop_repetitions(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in their order, without repetitions."""
    return tuple(dict.fromkeys(names))


def _take_stem(value: Any) -> Any:
    """Turn the path of a file of rows into its stem; return any other value unchanged."""
    return Path(value).stem if isinstance(value, str) and value.endswith(ROW_FILES) else value


def _check_target(text: str, info: ValidationInfo) -> str:
    """Return a dotted path unchanged. Raises ValueError if it has no dot.

    Raises it also if the config is used on this machine and the path's package is not installed.
    """
    package = text.partition(".")[0]
    if "." not in text or (is_here(info) and importlib.util.find_spec(package) is None):
        raise ValueError(f"package '{package}' is not installed, or this is no dotted path")
    return text


ExistingFile = Annotated[str, AfterValidator(_check_file)]
ExistingFolder = Annotated[str, AfterValidator(_check_folder)]
ExistingFiles = Annotated[tuple[ExistingFile, ...], BeforeValidator(_none_to_list)]
ModelPath = Annotated[str, AfterValidator(_check_model_path)]  # hub id or folder
RatioText = Annotated[str, AfterValidator(_standardize_ratio)]
Target = Annotated[str, AfterValidator(_check_target)]
Words = Annotated[tuple[str, ...], BeforeValidator(_to_list)]
TrustedNames = Annotated[tuple[str, ...], BeforeValidator(_none_to_list)]  # `_target_`s, data sets
QueriesFile = Annotated[str, AfterValidator(_check_queries)]
FilePattern = Annotated[str, AfterValidator(_check_file_pattern)]
FilePatterns = Annotated[tuple[FilePattern, ...], BeforeValidator(_none_to_list)]
FolderName = Annotated[str, AfterValidator(_check_name)]
StudyName = Annotated[str, AfterValidator(_check_study)]  # or the path of a packed study
QueriesName = Annotated[FolderName, BeforeValidator(_take_stem)]
QueriesNames = Annotated[
    tuple[QueriesName, ...], BeforeValidator(_to_list), AfterValidator(_drop_repetitions), Field(min_length=1)
]
ArmNames = Annotated[Words, Field(min_length=1)]
Half = Literal["low", "high"]
ExampleField = Literal["id", "lang", "genre", "prompt", "reasoning", "answer", "system", "score"]
