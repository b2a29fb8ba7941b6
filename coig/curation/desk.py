"""Perform people's acts on texts: check who may do what, and add what it changes to the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from coig.config.curation import Accept
from coig.curation.records import ACTS, CATEGORIES, Act, Recheck, Review, Scoring, State, TakeDown, Writing
from coig.curation.rules import OUTCOMES, decide_review, decisions_of, judge_scores, scores_of, wanted_reviewers
from coig.curation.store import Actor, Pen, Text
from coig.records.record import describe_error
from coig.text.edit_distance import edit_distance

SCORED_BY = "an article is scored by others than its writer"
REVIEWED_BY = "a triplet is reviewed by others than its writer"


def read_act(row: Any) -> Act:
    """Return a row as an act of its `kind`. Raises ValueError if it has no known kind, or does not fit it."""
    kind = row.get("kind") if isinstance(row, dict) else None
    if kind not in ACTS:
        raise ValueError(f"kind: {kind!r} is none of {', '.join(ACTS)}")
    try:
        return ACTS[kind].model_validate(row)
    except ValidationError as error:
        raise ValueError(describe_error(error)) from None


def perform_act(pen: Pen, act: Act, rules: Accept, actor_kind: str = "person") -> bool:
    """Add an act to the database, and the new state of the text if the act changes it; add its person if new.

    Returns True; or False, and adds nothing, if there is an event of the act's key. Raises ValueError if there is no
    such text, its state does not allow the act, the person may not do it, or a part of the act is missing or wrong.

    Args:
        rules: how many scorers and reviewers there must be, and when they accept.
        actor_kind: `person`, or `rule` for a script.
    """
    if act.key is not None and pen.has_event(act.key):
        return False
    text = pen.read_text(act.text)
    if text is None:
        raise ValueError(f"text: there is no text '{act.text}' in this curation")
    actor = pen.find_actor(act.by, actor_kind)
    if (waits := WAITING.get(act.kind)) and text.state not in waits:
        raise ValueError(f"text: {text.key} is {text.state}; {act.kind} needs one that is {' or '.join(waits)}")
    PERFORM[act.kind](pen, text, act, actor, rules)
    return True


def tasks_of(text: Text, person: str, rules: Accept) -> list[str]:
    """Return what a person may do with a text now: a list of one of write, score, review and recheck, or []."""
    state = text.state
    if state == "screened" or (state == "refine" and text.triplet.by.name == person):
        return ["write"]
    if state == "written" and person not in text.writers | set(scores_of(text)):
        return ["score"]
    if state == "scored" and person not in text.writers | set(decisions_of(text)):
        return ["review"] if person in (wanted_reviewers(text, rules)[1] or {person}) else []
    return ["recheck"] if state == "rejected" and is_drawn(text) and not text.of_kind("recheck") else []


def is_drawn(text: Text) -> bool:
    """Tell whether a text that the judge rejected was drawn for people to look at again."""
    return any(event.value.get("drawn") for event in text.of_kind("screen"))


def is_cleared(text: Text) -> bool:
    """Tell whether somebody has said that a text's personal data may be published.

    It counts only until a writer adds another version of the triplet.
    """
    kinds = [event.kind for event in text.events if event.kind in ("write", "clear")]
    return kinds[-1:] == ["clear"]


def _write(pen: Pen, text: Text, act: Writing, actor: Actor, rules: Accept) -> None:
    """Add a version of the triplet; the text's state becomes `written`, in which it waits for scores.

    With a model's draft, also store how much the writer changed it. Raises ValueError if the text was sent back to
    another writer.
    """
    if text.state == "refine" and text.triplet.by.name != actor.name:
        raise ValueError(f"by: {text.key} goes back to its writer, {text.triplet.by.code}")
    fields = act.model_dump(include={"prompt", *CATEGORIES, "article"})
    content = fields | {"article": act.article or text.article}
    value: dict[str, Any] = {"seconds": act.seconds}
    if draft := act.draft:
        content["draft"] = draft.model_dump()
        before, after = draft.prompt + draft.reasoning, act.prompt + act.reasoning
        distance = edit_distance(before, after)
        value |= {"draft": draft.model, "edits": distance, "edited": distance / max(1, len(before), len(after))}
    if act.why:
        content["why"] = act.why  # may quote the text, so it is taken down with it
    version = pen.add_version(text.id, "triplet", content, actor, "written")
    pen.add_event(text.id, "write", "written", value, actor, version=version, key=act.key)


def _score(pen: Pen, text: Text, act: Scoring, actor: Actor, rules: Accept) -> None:
    """Add six scores; once there are enough scorers, the text becomes `scored`, or `refine` if the scores are too low.

    Raises ValueError if the scorer wrote a version of the triplet.
    """
    if actor.name in text.writers:
        raise ValueError(f"by: {SCORED_BY}")
    value: dict[str, Any] = {"scores": act.scores, "seconds": act.seconds}
    given = scores_of(text) | {actor.name: act.scores}
    state: State | None = None
    if len(given) >= rules.scorers:
        result = judge_scores(list(given.values()), rules)
        state = "scored" if result.passed else "refine"
        value |= {"total": result.total, "reasons": result.reasons}
    pen.add_event(text.id, "score", state, value, actor, version=text.triplet.id, key=act.key)


def _review(pen: Pen, text: Text, act: Review, actor: Actor, rules: Accept) -> None:
    """Add a reviewer's decision and, once the reviewers have decided together, a verdict with the text's new state.

    Raises ValueError if the reviewer wrote a version or is not the one to ask, a reason is missing, or a comment is
    about no passage.
    """
    if actor.name in text.writers:
        raise ValueError(f"by: {REVIEWED_BY}")
    _, first = wanted_reviewers(text, rules)
    if first and actor.name not in first:
        raise ValueError("by: a new version returns to the reviewers of the one before, who have not all decided yet")
    if act.decision == "refine" and not act.comments and not act.why:
        raise ValueError("comments: missing; say what to refine")
    if act.decision == "remove" and not act.why:
        raise ValueError("why: missing; say why it is removed")
    lengths = {part: len(written) for part, written in parts_of(text).items()}
    for comment in act.comments:
        if not comment.start < comment.end <= lengths[comment.part]:
            raise ValueError(
                f"comments: {comment.start} to {comment.end} is no passage of a {comment.part} of "
                f"{lengths[comment.part]} characters"
            )
    value = {"decision": act.decision, "seconds": act.seconds}
    said = act.model_dump(include={"comments", "why"}, mode="json")
    pen.add_event(text.id, "review", None, value, actor, said=said, version=text.triplet.id, key=act.key)
    after = pen.read_text(text.key)
    assert after is not None
    if decision := decide_review(after, rules):
        rule = pen.find_actor("rule of reviews", "rule")
        counted = list(decisions_of(after).values())
        verdict = {"decisions": counted, "round": len({event.version for event in after.of_kind("review")})}
        pen.add_event(text.id, "verdict", OUTCOMES[decision], verdict, rule, version=text.triplet.id)


def parts_of(text: Text, number: int | None = None) -> dict[str, str]:
    """Return {"prompt", "reasoning", "article"} of the triplet's version `number`, from 1; None: of its last version.

    Raises IndexError if there is no such version.
    """
    if number is not None and number < 1:
        raise IndexError(number)
    triplet = text.triplet if number is None else text.triplets[number - 1]
    return {"prompt": triplet.content["prompt"], "reasoning": triplet.reasoning, "article": triplet.content["article"]}


def _recheck(pen: Pen, text: Text, act: Recheck, actor: Actor, rules: Accept) -> None:
    """Add a person's verdict on a rejected text; if it is fit, it becomes `screened`, else it stays `rejected`.

    Raises ValueError if the text was not drawn for this, or has such a verdict already.
    """
    if not is_drawn(text):
        raise ValueError(f"text: {text.key} was not drawn to be looked at again; a choice would bias the rate")
    if text.of_kind("recheck"):
        raise ValueError(f"text: {text.key} has been looked at again")
    value = {"fit": act.fit, "seconds": act.seconds}
    pen.add_event(text.id, "recheck", "screened" if act.fit else None, value, actor, said={"why": act.why}, key=act.key)


def _split(pen: Pen, text: Text, act: Any, actor: Actor, rules: Accept) -> None:
    """Add a person's word that a duplicate is no copy; the text becomes `unique`."""
    value = {"kept": text.of_kind("dedupe")[-1].value["kept"]}
    pen.add_event(text.id, "split", "unique", value, actor, said={"why": act.why}, key=act.key)


def _clear(pen: Pen, text: Text, act: Any, actor: Actor, rules: Accept) -> None:
    """Add a person's word that what looks like personal data in a text may be published; the text's state stays."""
    pen.add_event(text.id, "clear", None, {}, actor, said={"why": act.why}, key=act.key)


def _take_down(pen: Pen, text: Text, act: TakeDown, actor: Actor, rules: Accept) -> None:
    """Delete the contents of a text, of all its versions and of what was said about it; it becomes `taken_down`.

    Raises ValueError if it has been taken down already.
    """
    if text.state == "taken_down":
        raise ValueError(f"text: {text.key} has been taken down")
    pen.erase(text)
    pen.add_event(text.id, "take_down", "taken_down", {"why": act.why}, actor, key=act.key)


WAITING: dict[str, tuple[State, ...]] = {
    "write": ("screened", "refine"),
    "score": ("written",),
    "review": ("scored",),
    "recheck": ("rejected",),
    "split": ("duplicate",),
}
PERFORM: dict[str, Callable[[Pen, Text, Any, Actor, Accept], None]] = {
    "write": _write,
    "score": _score,
    "review": _review,
    "recheck": _recheck,
    "split": _split,
    "clear": _clear,
    "take_down": _take_down,
}
