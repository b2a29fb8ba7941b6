"""Say what the page shows of a task.

Nobody sees who wrote, scored or reviewed a triplet, nor what others have just said of it: scorers and reviewers judge
on their own. What was said of earlier versions is shown to the writer, who answers it,
and to the reviewers, who look whether it was answered.
"""

from __future__ import annotations

from typing import Any

from coig.config.curation import Accept
from coig.curation.desk import parts_of
from coig.curation.drafts import version_of
from coig.curation.records import CATEGORIES
from coig.curation.rules import decisions_of, judge_scores, scores_of
from coig.curation.store import Actor, Text, Version
from coig.curation.tasks import Task
from coig.text.changes import find_changes
from coig.text.personal_data import find_personal_data
from coig.web.languages import TAGS

Shown = dict[str, Any]
PIECES = ("prompt", *CATEGORIES, "article")  # of a version of a triplet
FIRST = 40  # characters of an article without a title that name it in a list


def list_task(task: Task) -> Shown:
    """Return a task as a line of the list: which text it is, and how far it is."""
    text = task.text
    return {
        "text": text.key,
        "kind": task.kind,
        "title": text.about.get("title") or " ".join(text.article.split())[:FIRST],
        "lang": TAGS[text.lang],
        "genre": text.genre,
        "characters": len(text.article),
        "begun": task.draft is not None,
        "returned": text.state == "refine",
    }


def show_task(task: Task, person: Actor, rules: Accept) -> Shown:
    """Return all that the page shows of an opened task.

    Beside what `list_task` returns it has: the number of the triplet's version (0: none), the person's draft, the
    article as it was collected, and except for a recheck the last version's pieces. Writers also get the model's draft,
    their versions, what was said of them, and what may be personal data in the article. Reviewers get what was said of
    earlier versions, and what has changed since the one that they reviewed last.
    """
    text, draft, latest = task.text, task.draft, version_of(task.text)
    shown = list_task(task) | {"version": latest, "draft": draft.value if draft else {}, "collected": text.article}
    if task.kind == "recheck":
        return shown
    shown["pieces"] = _pieces(text.triplet) if text.triplets else {}
    if task.kind == "write":
        earlier = [{"number": one.number, "why": one.why, "pieces": _pieces(one)} for one in reversed(text.triplets)]
        article = shown["pieces"].get("article", text.article)
        personal = [article[found.start : found.end] for found in find_personal_data(article)]
        model = draft.model if draft else None
        rounds = _rounds(text, latest, rules)
        return shown | {"model": model, "rounds": rounds, "versions": earlier, "personal": personal}
    if task.kind == "review":
        return shown | {"rounds": _rounds(text, latest - 1, rules), "changes": _changes(text, person)}
    return shown


def _pieces(version: Version) -> Shown:
    """Return {name: text} of a version's prompt, five kinds of decisions, and article."""
    return {name: version.content[name] for name in PIECES}


def _rounds(text: Text, last: int, rules: Accept) -> list[Shown]:
    """Return what was said of each version up to the number `last`, newest first, without names.

    Versions of which nothing was said are left out.
    """
    return [found for number in range(last, 0, -1) if (found := _round(text, number, rules))]


def _round(text: Text, number: int, rules: Accept) -> Shown | None:
    """Return the scores' means, the decisions and the comments on one version; None if nothing was said of it."""
    scores = scores_of(text, number)
    result = judge_scores(list(scores.values()), rules) if scores else None
    parts = parts_of(text, number)
    reviews = [
        {
            "decision": event.value["decision"],
            "why": event.value.get("why"),
            "comments": [
                {
                    "part": one["part"],
                    "passage": parts[one["part"]][one["start"] : one["end"]],
                    "comment": one["comment"],
                }
                for one in event.value.get("comments", ())
            ],
        }
        for event in text.of_kind("review")
        if event.version == number
    ]
    if result is None and not reviews:
        return None
    means = {"means": result.means, "total": result.total} if result else {}
    return {"version": number, **means, "least": rules.least, "least_sum": rules.least_sum, "reviews": reviews}


def _changes(text: Text, person: Actor) -> Shown:
    """Return {piece: changes as (kind, text)} for the pieces that are not as the reviewer saw them last.

    In the reviewer's first round, that is the article if the writer changed what was collected.
    """
    seen = [version for version in text.triplets[:-1] if person.name in decisions_of(text, version.number)]
    before = _pieces(seen[-1]) if seen else {"article": text.article}
    now = _pieces(text.triplet)
    return {name: find_changes(old, now[name]) for name, old in before.items() if old != now[name]}
