"""A study's plan, fixed before its outcomes exist: `multirun/<study>/plan.yaml`.

The stored file is the user's own, with two lines above it: its sha256, and the time at which it was registered. The
hash covers everything below its own line, so `tail -n +2 plan.yaml | sha256sum` gives it again. Whoever publishes the
hash can later show that the plan was not changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from coig.config import Node
from coig.config.fields import QueriesNames
from coig.config.loading import describe_problem
from coig.errors import ConfigError, first_line
from coig.files.atomic import write_atomic
from coig.files.limits import load_yaml, read_whole
from coig.files.timestamps import now
from coig.records.answer import read_answers
from coig.records.judgment import read_judgments
from coig.records.judgment_database import find_database, judged_languages
from coig.text.language_codes import Language

FILE = "plan.yaml"
OF_ANSWERS = ("contaminated", "finished", "characters", "copied", "sameness")
OF_JUDGMENTS = ("preference", "preference of judges")
RATING = "rating: "  # before a rated dimension
SHAPES = ("slope", "step", "no dose effect shown")
WAYS = ("higher", "lower", "not higher")


class Hypothesis(Node):
    """A statement about one measure in one language, with the estimand that decides it and what it predicts.

    R50, R*: the ratio at which arms equal general data alone, or are within the margin of the best one; predicts a
    range. shape: predicts one of SHAPES. difference: of the first of two arms from the second; predicts one of WAYS,
    where *not higher* says that an advantage of the margin is excluded.
    """

    name: str = Field(min_length=1)
    says: str = Field(min_length=1)
    lang: Language
    measure: str
    estimand: Literal["R50", "R*", "shape", "difference"]
    predicts: str | tuple[float, float]
    arms: tuple[str, str] | None = None
    setting: str = ""  # of a study with several series, as the report writes it

    @property
    def needs_judgments(self) -> bool:
        """Tell whether its outcome is computed from judgments; else it is from the answers alone."""
        return self.measure not in OF_ANSWERS

    @model_validator(mode="after")
    def _check(self) -> Hypothesis:
        """Raise ValueError for an unknown measure, or a prediction or arms that do not fit the estimand.

        The prediction *not higher* fits preferences only.
        """
        known = (*OF_JUDGMENTS, *OF_ANSWERS)
        if self.measure not in known and not self.measure.startswith(RATING):
            raise ValueError(f"measure: '{self.measure}' is none of {', '.join(known)}, {RATING}DIMENSION")
        if (self.estimand == "difference") != (self.arms is not None):
            raise ValueError("arms: give two, the arm and its opponent, for the estimand difference and for no other")
        wanted = {"shape": SHAPES, "difference": WAYS}.get(self.estimand)
        if wanted and self.predicts not in wanted:
            raise ValueError(
                f"predicts: give {', '.join(wanted[:-1])} or {wanted[-1]} for the estimand {self.estimand}"
            )
        if self.predicts == "not higher" and self.measure not in OF_JUDGMENTS:
            raise ValueError("predicts: 'not higher' needs a margin, which only preference has; give higher or lower")
        if not wanted and (isinstance(self.predicts, str) or not 0 <= self.predicts[0] <= self.predicts[1]):
            raise ValueError(f"predicts: give a range such as [1.2, 12] for the estimand {self.estimand}")
        return self


class SampleSize(Node):
    """The sample size that a plan fixes: the number of prompts to judge by language, and the number of raters."""

    prompts: dict[Language, int]
    raters: int = Field(gt=0)


class Plan(Node):
    """A study's plan: what is fixed before its outcomes exist."""

    hypotheses: tuple[Hypothesis, ...] = Field(min_length=1)
    queries: QueriesNames
    margin: float = Field(gt=0, lt=50)  # as `claims.margin` of evaluate.py
    exclusions: tuple[str, ...]  # which answers, raters or judgments do not count, in words
    sample_size: SampleSize | None  # null: nothing is judged

    @model_validator(mode="after")
    def _check(self) -> Plan:
        """Raise ValueError for two hypotheses of one name, or judgments without a sample size."""
        names = [one.name for one in self.hypotheses]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"hypotheses: two are called '{twice[0]}'")
        if self.sample_size is None and any(one.needs_judgments for one in self.hypotheses):
            raise ValueError("sample_size: give prompts by language and raters, as a hypothesis needs judgments")
        return self


@dataclass(frozen=True)
class Registered:
    """A stored plan: when it was registered, its hash, and whether it is still as it was registered."""

    plan: Plan
    registered: datetime
    sha256: str
    is_unchanged: bool


def parse_plan(text: str, source: Path) -> Plan:
    """Return the plan that a YAML text holds.

    Raises ConfigError that names `source` if the text is no YAML, or no plan; then it names every wrong key, too.
    """
    try:
        loaded = load_yaml(text)
        return Plan.model_validate(loaded if isinstance(loaded, dict) else {})
    except ValidationError as error:
        problems = [describe_problem(problem, Plan) for problem in error.errors()]
        raise ConfigError("\n  - ".join([f"{source}: is no plan", *problems])) from None
    except ValueError as error:
        raise ConfigError(f"{source}: is no YAML ({error})") from None


def register(study: Path, file: Path) -> Registered:
    """Store the plan of a file in a study's folder, which need not exist yet, with its hash and the time; return it.

    Raises ConfigError if the file cannot be read or is no plan, if a plan was registered before, or if the outcome of
    one of the plan's hypotheses could already be computed.
    """
    try:
        text = read_whole(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read ({first_line(error)})") from None
    plan = parse_plan(text, file)
    target = study / FILE
    if target.exists():
        raise ConfigError(f"{target}: a plan was registered already, and a study has one; take another study's name")
    if reason := next(_known_outcomes(study, plan), None):
        raise ConfigError(f"{file}: cannot be registered, since {reason}")
    body = f"registered: {now()}\n{text}"
    write_atomic(target, f"sha256: {hashlib.sha256(body.encode()).hexdigest()}\n{body}")
    registered = read_registered(study)
    assert registered is not None
    return registered


def read_registered(study: Path) -> Registered | None:
    """Read and return a study's registered plan; None without one. Raises ConfigError if it cannot be read any more.

    A plan that was changed since is returned too, with `is_unchanged` False.
    """
    target = study / FILE
    if not target.exists():
        return None
    try:
        head, body = read_whole(target).split("\n", 1)
        time, text = body.split("\n", 1)
        sha256, registered = head.removeprefix("sha256: "), datetime.fromisoformat(time.removeprefix("registered: "))
    except ValueError:
        raise ConfigError(
            f"{target}: does not begin with the lines `sha256:` and `registered:`; only python -m coig.study register "
            "writes this file. Bring it back as it was"
        ) from None
    unchanged = hashlib.sha256(body.encode()).hexdigest() == sha256
    return Registered(parse_plan(text, target), registered, sha256, unchanged)


def _known_outcomes(study: Path, plan: Plan) -> Iterator[str]:
    """Yield a reason, as text, for each hypothesis whose outcome could already be computed."""
    judged, answered = _find_judged(study), _find_answered(study, plan.queries)
    for one in plan.hypotheses:
        found = (judged if one.needs_judgments else answered).get(one.lang)
        if found:
            yield f"the outcome of '{one.name}' could be computed already: {found}"


def _find_judged(study: Path) -> dict[str, str]:
    """Return {language: text that says where a study has judgments in it}; languages without any are left out.

    Looks at people's database and the files `judgments/*.jsonl`.
    """
    place = find_database(study, None)
    found = dict.fromkeys(judged_languages(place), f"{place} has judgments") if place else {}
    for file in sorted(study.glob("judgments/*.jsonl")):
        found |= {one.lang: f"{file} has judgments" for _, one in read_judgments(file, study.name)}
    return found


def _find_answered(study: Path, queries: tuple[str, ...]) -> dict[str, str]:
    """Return {language: text that names a file of answers in it}; languages without any are left out.

    Failed answers count too.

    Args:
        queries: names as in generations/<queries>.jsonl.
    """
    files = [file for name in queries for file in sorted(study.glob(f"*/generations/{name}.jsonl"))]
    return {answer.lang: f"{file} has answers" for file in files for answer in read_answers(file, file.parts[-3])}
