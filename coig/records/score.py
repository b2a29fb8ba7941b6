"""Read the scores of arms on other tasks from the result files of lm-evaluation-harness and lighteval."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from coig.errors import DataError, suggestion
from coig.files.limits import parse_json, read_whole
from coig.records.record import Record, is_number

log = logging.getLogger(__name__)
STDERR = "_stderr"
ASK_AGAIN = "run the task again without bootstrap_iters=0"


class Score(Record):
    """An arm's value of a metric of a task, with its standard error over the task's n items."""

    arm: str
    task: str
    metric: str
    value: float
    stderr: float
    n: int | None = None  # lighteval does not always say it
    rises: bool = True  # whether more is better


def read_scores(files: Iterable[Path], study: str, arms: Collection[str]) -> list[Score]:
    """Return the scores in result files of lm-evaluation-harness (0.4 and later) and lighteval.

    A metric without a standard error is left out and logged if its task has others, such as IFEval's share of
    instructions. A group of tasks that has a value of its own stands for its tasks. The arm is the folder above
    `model/` or `adapter/` in the path that the harness was given.

    Args:
        study, arms: names of the study and its arms.

    Raises DataError for a file that is damaged or of another version, a task without any standard error, an arm that is
    unknown or of another study, or two different values of the same arm, task and metric.
    """
    scores: dict[tuple[str, str, str], tuple[Score, Path]] = {}
    for file in files:
        for score in _read_file(file, study, arms):
            key = score.arm, score.task, score.metric
            if key in scores and scores[key][0] != score:
                raise DataError(f"{file}: {score.task} of {score.arm} is in {scores[key][1]} too, with another value")
            scores[key] = score, file
    return [score for score, _ in scores.values()]


def _read_file(file: Path, study: str, arms: Collection[str]) -> list[Score]:
    """Return the scores of one file, under `read_scores`' rules. Raises DataError if it is no file that can be used."""
    try:
        content = parse_json(read_whole(file))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as JSON ({error})") from None
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict) or not all(isinstance(one, dict) for one in results.values()):
        raise DataError(
            f"{file}: is no result file of lm-evaluation-harness or lighteval; give the results_….json that they write"
        )
    try:
        if isinstance(content.get("n-samples"), dict) and isinstance(content.get("config"), dict):
            arm = _arm_of(file, _path_of_harness(content), study, arms)
            return list(_of_harness(file, content, arm))
        if isinstance(content.get("config_general"), dict):
            arm = _arm_of(file, _path_of_lighteval(content), study, arms)
            return list(_of_lighteval(file, content, arm))
    except (AttributeError, TypeError) as error:  # a value of another type than either program writes
        raise DataError(f"{file}: is damaged ({error}); run the task again") from None
    raise DataError(
        f"{file}: is of a version of lm-evaluation-harness or lighteval that coig does not know (it has "
        f"{', '.join(sorted(content))}); give files of lm-eval 0.4.3 or later, or of lighteval 0.6 or later"
    )


def _path_of_harness(content: dict[str, Any]) -> str:
    """Return the path of the model that lm-evaluation-harness was given, of the adapter if there is one; "" without."""
    arguments = content["config"].get("model_args") or {}
    if isinstance(arguments, str):
        arguments = dict(part.partition("=")[::2] for part in arguments.split(","))
    names = arguments.get("peft"), arguments.get("pretrained"), arguments.get("model"), content.get("model_name")
    return str(next((name for name in names if name), ""))


def _of_harness(file: Path, content: dict[str, Any], arm: str) -> Iterator[Score]:
    """Yield the scores of a file of lm-evaluation-harness.

    A group with a mean of its own, such as `mmlu`, stands for its members; one without is left out.
    """
    results: dict[str, dict[str, Any]] = content["results"]
    groups: dict[str, list[str]] = content.get("group_subtasks") or {}
    without_mean = {name for name in groups if not any(map(is_number, results.get(name, {}).values()))}
    members = {name for group, inside in groups.items() if group not in without_mean for name in inside}
    for task, metrics in results.items():
        if task not in members | without_mean:
            counts = content["n-samples"].get(task) or {}
            rises = (content.get("higher_is_better") or {}).get(task) or {}
            n = counts.get("effective") or _count_members(content, task)
            values = {name.partition(",")[::2]: value for name, value in metrics.items() if "," in name}
            yield from _scores(file, arm, task, values, n, rises)


def _count_members(content: dict[str, Any], group: str) -> int | None:
    """Return the number of items of all tasks in a group and in its groups; None if no task's number is known."""
    inside, total = [group], 0
    for name in inside:
        inside += [one for one in (content.get("group_subtasks") or {}).get(name, ()) if one not in inside]
        total += (content["n-samples"].get(name) or {}).get("effective", 0)
    return total or None


def _path_of_lighteval(content: dict[str, Any]) -> str:
    """Return the path of the model that lighteval was given; "" if it is not recorded."""
    general = content["config_general"]
    return str(general.get("model_name") or (general.get("model_config") or {}).get("model_name") or "")


def _of_lighteval(file: Path, content: dict[str, Any], arm: str) -> Iterator[Score]:
    """Yield the scores of a file of lighteval, without the mean over all tasks."""
    for task, metrics in content["results"].items():
        if task != "all":
            about = (content.get("config_tasks") or {}).get(task) or {}
            about = about or (content.get("config_tasks") or {}).get(task.rpartition("|")[0]) or {}
            n = about.get("effective_num_docs", 0) if isinstance(about, dict) else 0
            yield from _scores(file, arm, task, {(name, ""): value for name, value in metrics.items()}, n or None, {})


def _scores(
    file: Path,
    arm: str,
    task: str,
    values: Mapping[tuple[str, str], Any],
    n: int | None,
    rises: Mapping[str, Any],
) -> Iterator[Score]:
    """Yield the scores of one task's metrics that have a standard error; log the others.

    Raises DataError if no metric has one.

    Args:
        values: by metric and filter, standard errors among them under the metric's name and STDERR.
        rises: whether more is better, by metric.
    """
    metrics = [(name, of) for (name, of), value in values.items() if not name.endswith(STDERR) and is_number(value)]
    known = [(name, of) for name, of in metrics if is_number(values.get((name + STDERR, of)))]
    if not known:
        raise DataError(f"{file}: task {task} has no standard error, so no interval can be given; {ASK_AGAIN}")
    if left_out := [name for name, of in metrics if (name, of) not in known]:
        log.info("%s: %s: left out, as they have no standard error: %s", file, task, ", ".join(left_out))
    for name, of in known:
        metric = f"{name},{of}" if of and of != "none" else name
        error = float(values[name + STDERR, of])
        of_items = n if n is not None and n > 0 else None
        yield Score(
            **{"arm": arm, "task": task, "metric": metric, "value": float(values[name, of]), "stderr": error},
            **{"n": of_items, "rises": rises.get(name) is not False},
        )


def _arm_of(file: Path, path: str, study: str, arms: Collection[str]) -> str:
    """Return the arm that a model's path names.

    Raises DataError if it is no arm, is a point of one, or the path is in another study.
    """
    parts = [part for part in PurePath(re.sub(r"[\"']", "", path)).parts if part not in ("model", "adapter")]
    name = parts[-1] if parts else ""
    if parts[-3:-2] == ["multirun"] and parts[-2] != study:
        raise DataError(f"{file}: is of {path}, an arm of the study {parts[-2]}, not {study}; leave it out")
    if name not in arms and parts[-2:-1] == ["points"]:
        raise DataError(f"{file}: is of {path}, a point of an arm, and scores are shown of arms alone; leave it out")
    if name not in arms:
        raise DataError(
            f"{file}: is of the model {path}, which is no arm of this study" + suggestion(name, sorted(arms))
        )
    return name
