"""Read a judge's file and add to it: judgments of answers, or labels of reasoning steps. Lines are only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from coig.config.differences import list_differences
from coig.config.judging import Asked
from coig.errors import ConfigError, DataError
from coig.files.atomic import read_jsonl
from coig.files.limits import parse_json
from coig.files.secrets import remove_secrets
from coig.files.timestamps import now
from coig.judging.calls import Call
from coig.judging.cases import Opinion
from coig.records.judgment import JudgeFacts, Judgment, Kind
from coig.records.label import Label
from coig.records.record import Record, append_records, describe_error

KINDS: dict[Asked, Kind] = {"pairs": "pairwise", "ranking": "ranking", "rating": "rating"}
One = TypeVar("One", bound=Record)


@dataclass(frozen=True)
class JudgeFile:
    """What a judge's file holds.

    Attributes:
        file: its path.
        judge: who the judge is; None if nothing was said yet.
        shown: key → digest of what was shown, for each verdict or label, as in `Call.digests`.
    """

    file: Path
    judge: JudgeFacts | None
    shown: dict[str, str | None] = field(default_factory=dict)

    def check_judge(self, judge: JudgeFacts) -> None:
        """Raise ConfigError, with the differences, if another judge has written the file; do nothing if it is empty.

        Sampling settings that `judge` lacks, because they are known only once it was asked, are not compared.
        """
        if self.judge is None:
            return
        new, old = judge.model_dump(), self.judge.model_dump()
        new["sampling"], old["sampling"] = new["sampling"] or {}, old["sampling"] or {}
        old["sampling"] = {key: value for key, value in old["sampling"].items() if key in new["sampling"]}
        if changed := list_differences(old, new):
            raise ConfigError(
                f"{self.file}: is by another judge:\n  - " + "\n  - ".join(changed) + "\n"
                "a changed judge is another judge: give it another name=…, or move the file away"
            )

    def find_left(self, calls: Iterable[Call]) -> list[Call]:
        """Return the calls that the judge has not answered yet, or of whose labels some are missing.

        Raises ConfigError if a call was answered about texts that are others now.
        """
        left = []
        for call in calls:
            digests = call.digests()
            for key, digest in digests.items():
                if self.shown.get(key, digest) != digest:
                    raise ConfigError(
                        f"{self.file}: {key}: was judged with other texts, so the answers have changed since; move the "
                        "file away, or give name=…, and all is judged anew"
                    )
            if not digests.keys() <= self.shown.keys():
                left.append(call)
        return left


def find_judge_file(study: Path, asked: Asked, name: str, *, yardstick: bool) -> Path:
    """Return the path of the file of the judge `name` in a study's folder.

    Labels of steps, judgments of a yardstick and other judgments are in different folders.
    """
    folder = "labels" if asked == "steps" else "judgments/yardstick" if yardstick else "judgments"
    return study / folder / f"{name}.jsonl"


def read_judge_file(file: Path, asked: Asked) -> JudgeFile:
    """Read a judge's file; without a file nothing was said. Failures are left out, so that they are asked again.

    Raises DataError that names the first line that is damaged, was not written by a judge, or by another judge than the
    lines before.
    """
    shown: dict[str, str | None] = {}
    judge = None
    for place, line in read_jsonl(file) if file.exists() else ():
        where = f"{file}:{place}"
        one = _parse(where, line, Label) if asked == "steps" else _parse(where, line, Judgment)
        if one.judge is None:
            raise DataError(f"{where}: was not written by judge.py; give name=… for a file of its own")
        judge = judge or one.judge
        if one.judge != judge:
            raise DataError(f"{where}: is by another judge than the lines before; give each judge a file of its own")
        if isinstance(one, Label):
            shown[f"{one.query_id}/{one.arm}/{one.step}"] = one.shown
        elif one.failure is None:
            shown[str(one.id).removeprefix(f"{one.rater}/")] = one.shown
    return JudgeFile(file, judge, shown)


def _parse(place: str, line: str, record: type[One]) -> One:
    """Return a line of JSON as a record. Raises DataError that begins with `place`."""
    try:
        return record.model_validate(parse_json(line))
    except ValidationError as error:
        problem = describe_error(error)
    except ValueError as error:
        problem = str(error)
    raise DataError(f"{place}: damaged ({problem}); remove the line and run judge.py again")


def append_opinions(said: JudgeFile, judge: JudgeFacts, study: str, opinions: Sequence[tuple[Call, Opinion]]) -> None:
    """Append opinions to the judge's file, whose name is the judge's name as a rater.

    A failure is appended too, except one about steps, for which there is no label to append.
    """
    name = said.file.stem
    records: list[Record] = []
    for call, opinion in opinions:
        if call.case.asked != "steps":
            records.append(_to_judgment(call, opinion, name, judge, study))
        elif opinion.failure is None:
            records += _to_labels(call, opinion.value, name, judge, said.shown)
    append_records(said.file, records)


def _to_judgment(call: Call, opinion: Opinion, name: str, judge: JudgeFacts, study: str) -> Judgment:
    """Return an opinion as a judgment; a failure has the value "".

    In a probe, `arms` is the arm, then the probe's name; value and probability are turned round if it was shown first.
    """
    [(key, shown)] = call.digests().items()
    value, soft, arms = opinion.value, opinion.soft, call.order
    if call.check and arms[0] == call.check:  # the arm stands second
        arms = (*call.arms, call.check)
        value = {"a": "b", "b": "a"}.get(value, value)
        soft = None if soft is None else 1 - soft
    return Judgment(
        id=f"{name}/{key}",
        study=study,
        query_id=call.query_id,
        lang=call.case.lang,
        genre=call.genre,
        kind=KINDS[call.case.asked],
        arms=arms,
        value="" if opinion.failure else value,
        rater=name,
        source="judge",
        order=call.order,
        created_at=now(),
        check=call.check,
        characters=len(call.case.task) + sum(map(len, call.case.texts)),
        judge=judge,
        soft=soft,
        failure=remove_secrets(opinion.failure),
        attempts=opinion.attempts,
        prompt_tokens=opinion.usage.prompt,
        reply_tokens=opinion.usage.reply,
        shown=shown,
    )


def _to_labels(
    call: Call, labels: Sequence[Any], name: str, judge: JudgeFacts, known: Mapping[str, Any]
) -> Iterator[Label]:
    """Yield a record for each label of a call's steps, except for steps whose keys are in `known`.

    Those were written before a process was killed.
    """
    for step, (label, (key, shown)) in enumerate(zip(labels, call.digests().items(), strict=True), call.first):
        if key not in known:
            yield Label(
                arm=call.arms[0],
                query_id=call.query_id,
                step=step,
                label=label,
                labeller=name,
                judge=judge,
                shown=shown,
            )
