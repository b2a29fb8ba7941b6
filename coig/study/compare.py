"""Print in what arms differ: python -m coig.study compare STUDY [ARM …], or of two of STUDY, STUDY/ARM and `paper`.

Points, ARM@SHARE, are compared as arms are, but only if they are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from coig.display.tables import Table
from coig.display.terminal import make_console, print_table
from coig.errors import ConfigError
from coig.study.arm import Arm
from coig.study.comparison import (
    Difference,
    Facts,
    describe,
    describe_paper,
    find_differences,
    group_differences,
    summarize_code_changes,
)
from coig.study.find import find_arm_or_point, find_arms, find_named, find_study, is_arm
from coig.study.points import with_points

PAPER = "paper"
NOT_STATED = "compared are the settings and counts that the paper states; it does not state the others"


def compare(names: Sequence[str]) -> None:
    """Print the differences of a study's arms, of several arms, of two studies, or of an arm or study and the paper.

    Raises ConfigError if a name is unknown, or the two are not of the same kind.
    """
    if is_arm(names[0]) and len(names) != 2:
        arms = {name: find_arm_or_point(name) for name in names if is_arm(name)}
        if len(arms) != len(names) or len(arms) == 1:
            raise ConfigError(f"compare {' '.join(names)}: give a study and its arms, or several arms as STUDY/ARM")
        _compare_arms(arms)
        return
    if len(names) == 2 and _are_two(names):
        left, right = names
        if PAPER in names or not is_arm(left):
            _compare_studies(left, right)
        else:
            _compare_arms({name: find_arm_or_point(name) for name in names})
        return
    study = find_study(names[0])
    _compare_arms({arm.name: arm for arm in find_named(study, tuple(names[1:]) or None)})


def _are_two(names: Sequence[str]) -> bool:
    """Tell whether two names are two arms, two studies, or one of them and the paper, rather than a study and its arm.

    Raises ConfigError for an arm and a study.
    """
    first, second = names
    if second == PAPER or (is_arm(first) and is_arm(second)):
        return True
    if is_arm(first) or is_arm(second):
        raise ConfigError(f"compare {first} {second}: give two studies, or two arms as STUDY/ARM")
    return "@" not in second and second not in [arm.name for arm in with_points(find_arms(find_study(first), None))]


def _compare_arms(arms: Mapping[str, Arm]) -> None:
    """Print in what arms differ, a column for each, and what changed in the code between their two revisions.

    Says so if the arms do not differ. The mapping's keys are the columns' headings.
    """
    found = find_differences([describe(arm) for arm in arms.values()])
    if not found:
        print("these arms do not differ in anything that is recorded")
        return
    _print(found, tuple(arms))
    _print_code_changes(list(arms.values()))


def _compare_studies(left: str, right: str) -> None:
    """Print in what a study or an arm differs from another, arm by arm of the same name, or from the paper.

    Also prints which arms only one of two studies has. Raises ConfigError if no arm of the two has the same name.
    """
    own, others = _facts_by_name(left), {} if right == PAPER else _facts_by_name(right)
    if right == PAPER:
        pairs = {name: (facts, describe_paper(facts)) for name, facts in own.items()}
    else:
        pairs = {name: (facts, others[name]) for name, facts in own.items() if name in others}
    if not pairs:
        raise ConfigError(f"compare {left} {right}: have no arm of the same name; compare two arms as STUDY/ARM")
    found = group_differences(pairs, paper=right == PAPER)
    if found:
        which = ["all" if len(names) == len(pairs) else ", ".join(names) for names in found.values()]
        _print(list(found), (left, right), None if len(pairs) == 1 else which)
    else:
        print(f"{left} does not differ from {right}")
    console = make_console()
    for study, names in ((left, own.keys() - pairs), (right, others.keys() - pairs)):
        if names:
            console.print(Text(f"only in {study}: {', '.join(sorted(names))}"))
    if right == PAPER:
        console.print(Text(NOT_STATED, "dim"))
    else:
        _print_code_changes([*_arms(left), *_arms(right)])


def _arms(name: str) -> list[Arm]:
    """Return the arms of a study, or the one arm that is named as STUDY/ARM."""
    return [find_arm_or_point(name)] if is_arm(name) else find_arms(find_study(name), None)


def _facts_by_name(name: str) -> dict[str, Facts]:
    """Return {arm's name: its facts} of a study's arms, or of the one arm that is named as STUDY/ARM."""
    return {arm.name: describe(arm) for arm in _arms(name)}


def _print(found: Sequence[Difference], columns: Sequence[str], arms: Sequence[str] | None = None) -> None:
    """Print a table with a row for each difference and a column of values for each of `columns`.

    `arms` says, row by row, which arms have the difference, in a last column; None for no such column.
    """
    cells = [(one.key, one.section, *one.values, *([arms[place]] if arms else [])) for place, one in enumerate(found)]
    headings = ("what", "of", *columns, *(["arms"] if arms else []))
    print_table(make_console(), Table(headings, (True,) * len(headings), tuple(cells)))


def _print_code_changes(arms: Sequence[Arm]) -> None:
    """Print which files of the code changed between the two revisions that trained arms.

    Prints nothing if there are not exactly two revisions, or if git does not know them.
    """
    if changes := summarize_code_changes(arms):
        print(f"The code changed between their revisions:\n{changes}")
