"""Say what a person can work on now: what the rules allow, less what others have opened already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coig.config.curation import Accept
from coig.curation.desk import tasks_of
from coig.curation.drafts import Draft, version_of
from coig.curation.records import State
from coig.curation.rules import scores_of, wanted_reviewers
from coig.curation.store import Actor, Text

OPEN: tuple[State, ...] = ("screened", "refine", "written", "scored", "rejected")  # in which a text can wait for people


@dataclass(frozen=True)
class Task:
    """Something that a person can do with a text now: write, score, review or recheck it."""

    text: Text
    kind: str
    draft: Draft | None  # the person's own, if it was begun


def find_tasks(
    texts: Iterable[Text], drafts: Sequence[Draft], person: Actor, rules: Accept, since: float
) -> list[Task]:
    """Return a person's tasks: begun ones first, then what came back to its writer, then the others as the texts came.

    A text that the person has not begun is left out if as many others as it needs have opened it.

    Args:
        drafts: those of everybody, on these texts or others.
        since: seconds since 1970; others' drafts that were saved before it keep no text.
    """
    of_text: dict[tuple[int, str, int], list[Draft]] = {}
    for draft in drafts:
        of_text.setdefault((draft.text, draft.task, draft.version), []).append(draft)
    found = []
    for text in texts:
        for kind in tasks_of(text, person.name, rules):
            there = of_text.get((text.id, kind, version_of(text)), [])
            own = next((draft for draft in there if draft.by == person.id), None)
            others = sum(draft.by != person.id and draft.saved_at >= since for draft in there)
            if own or others < count_wanted(text, kind, rules):
                found.append(Task(text, kind, own))
    return sorted(found, key=lambda task: (task.draft is None, task.text.state != "refine"))


def count_wanted(text: Text, kind: str, rules: Accept) -> int:
    """Return how many people a text needs now for a task that it waits for."""
    match kind:
        case "score":
            return rules.scorers - len(scores_of(text))
        case "review":
            return wanted_reviewers(text, rules)[0]
    return 1
