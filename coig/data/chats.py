"""Read one turn of a conversation: OpenAI's `messages`, ShareGPT's `conversations`, content given in parts."""

from __future__ import annotations

from typing import Any

from coig.text.cleaning import Row

ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "developer": "system"}  # other names → OpenAI's
TURN = ["user", "assistant"]
TOOLS = {"tool", "function", "function_call", "observation"}  # roles of calls and of what they return


def one_turn(messages: Any, name: str) -> Row:
    """Return a one-turn conversation as {prompt, answer}, with `reasoning` and `system` if it has them.

    Raises ValueError that starts with `name`, the column, for tool calls, and unless `messages` is a list of a user's
    and an assistant's message, with a system message before them or without.
    """
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError(f"{name}: not a list of messages")
    roles = [_role(message) for message in messages]
    if TOOLS & set(roles) or any(message.get(key) for message in messages for key in ("tool_calls", "function_call")):
        raise ValueError(f"{name}: tool calls, which are not read")
    system = messages[0] if roles[:1] == ["system"] else None
    turn = roles[1:] if system else roles
    if turn.count("user") > 1 or turn.count("assistant") > 1:
        raise ValueError(f"{name}: several turns ({', '.join(roles)}); only rows of one turn are read")
    if turn != TURN:
        raise ValueError(f"{name}: not one message of user and one of assistant ({', '.join(roles) or 'none'})")
    user, assistant = messages[-2:]
    fields = {"prompt": _content(user), "answer": _content(assistant)}
    reasoning = assistant.get("reasoning_content") or assistant.get("reasoning") or assistant.get("thinking")
    return fields | ({"reasoning": reasoning} if reasoning else {}) | ({"system": _content(system)} if system else {})


def join_parts(name: str, value: Any) -> Any:
    """Join content given in parts, `[{type: text, text: …}]`, into one text; return any other value unchanged.

    Raises ValueError that starts with `name` if a part is not of type text.
    """
    if not isinstance(value, list) or not value or not all(isinstance(part, dict) and "type" in part for part in value):
        return value
    if others := [part["type"] for part in value if part["type"] != "text" or not isinstance(part.get("text"), str)]:
        raise ValueError(f"{name}: a part of type {others[0]}; only texts are read")
    return "".join(part["text"] for part in value)


def _role(message: Row) -> str:
    """Return a message's role under OpenAI's name for it; an unknown role is returned as it is."""
    role = str(message.get("role") or message.get("from"))
    return ROLES.get(role, role)


def _content(message: Row) -> Any:
    """Return a message's `content`, or ShareGPT's `value`; None if it has neither."""
    return message["content"] if "content" in message else message.get("value")
