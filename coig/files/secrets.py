"""Remove secrets from what is written: keys and passwords, wherever they came from. The home folder becomes `~`.

Secrets are the values of environment variables whose names say so, the passwords of netrc, passwords and tokens in
URLs, and texts that look like a key or are assigned to a name such as `api_key`.
"""

from __future__ import annotations

import html
import netrc
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REMOVED = "[removed]"
SHORTEST = 8  # characters; a shorter value may be part of any text by chance
# names of settings that hold a secret; `eos_token` and the like do not
SECRET_NAME = re.compile(
    r"(^|[_-])(secret|password|passwd|passphrase|credentials?|authorization|((api|access|secret|private)[_-]?key)"
    r"|((api|auth|access|bearer|refresh|hf|wandb)[_-]?token))$|^token$",
    re.IGNORECASE,
)
SECRET_VARIABLE = re.compile(
    r"(TOKEN|SECRET|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH|AUTHORIZATION|KEY)(_ID)?$", re.IGNORECASE
)
PASSWORD_IN_URL = re.compile(r"://[^/?#\s]*:[^/?#\s]+@")
# a git remote or a proxy may hold a token in place of user and password
TOKEN_IN_URL = re.compile(r"(?<=http://)[^/?#\s:@]+@|(?<=https://)[^/?#\s:@]+@", re.IGNORECASE)
KEY_LIKE = r"(?=[\w+/=-]*\d)[\w+/=-]{16,}"  # looks like a key, not like code
QUOTE = r"""(?:["']|&(?:quot|#34|#39|#x27);)?"""  # also as a page of HTML writes it
# ASCII: a Chinese letter beside a key is no part of it, and a Chinese colon assigns too
ASSIGNED = re.compile(rf"(?P<name>[\w-]+){QUOTE}\s*[:=：＝]\s*{QUOTE}(?P<value>{KEY_LIKE})", re.ASCII)
KNOWN_KEYS = re.compile(
    r"\b(?:sk-|hf_|gh[pousr]_|github_pat_|glpat-|AKIA|eyJ|xox[abprs]-)[\w.-]{16,}|(?<=Bearer )[\w.+/=~-]{16,}", re.ASCII
)


def remove_secrets(value: Any) -> Any:
    """Return a copy of a text, or of nested dicts and lists, with each secret as `[removed]` and home as `~`.

    What looks like a key is removed too where a dict's key such as `api_key` names it, also a number. Keys of dicts,
    values of other types, and secrets of the environment with fewer than SHORTEST characters stay as they are.
    """
    found = {one for one in _find_secrets() if len(one) >= SHORTEST}
    known = sorted(found | set(map(html.escape, found)), key=lambda secret: (-len(secret), secret))

    def clean(text: str) -> str:
        """Return a text without secrets."""
        for secret in known:
            text = text.replace(secret, REMOVED)
        text = KNOWN_KEYS.sub(REMOVED, ASSIGNED.sub(_hide_value, text))
        return TOKEN_IN_URL.sub(f"{REMOVED}@", PASSWORD_IN_URL.sub(f"://{REMOVED}@", text))

    return fold_home(map_texts(clean, _hide_named(value)))


def find_secrets(value: Any) -> list[str]:
    """Return the dotted key of each value in nested dicts and lists that holds a secret.

    That is what `remove_secrets` would remove, and any value but an empty one, true or false under a key that names a
    secret. A list's items have the key of the list.
    """
    return list(dict.fromkeys(_keys_of_secrets("", fold_home(value), remove_secrets(value))))


def _keys_of_secrets(key: str, value: Any, clean: Any) -> Iterator[str]:
    """Yield the dotted keys, below `key`, of values that differ from the clean ones or are named as secrets."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _keys_of_secrets(f"{key}.{name}" if key else str(name), child, clean[name])
    elif isinstance(value, list | tuple):
        for child, other in zip(value, clean, strict=True):
            yield from _keys_of_secrets(key, child, other)
    elif value != clean or (SECRET_NAME.search(key.rpartition(".")[2]) and value not in (None, "", False, True)):
        yield key


def fold_home(value: Any) -> Any:
    """Return a copy of a text, or of nested dicts and lists, in which paths in the home folder begin with `~`."""
    home = os.environ.get("HOME", "/")
    folders = {home.rstrip("/"), str(Path(home).resolve())} - {"", "/"}
    longest_first = sorted(folders, key=len, reverse=True)  # one may hold the other
    pattern = re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)")
    return map_texts(lambda text: pattern.sub("~", text), value) if folders else value


def map_texts(change: Callable[[str], str], value: Any) -> Any:
    """Return a copy of nested dicts, lists and tuples with `change` applied to every text but keys."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: map_texts(change, child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        changed = [map_texts(change, child) for child in value]
        return changed if isinstance(value, list) else tuple(changed)
    return value


def _hide_named(value: Any) -> Any:
    """Return a copy of nested dicts, lists and tuples with `[removed]` where `_is_secret` finds a secret in a dict."""
    if isinstance(value, dict):
        return {name: REMOVED if _is_secret(name, child) else _hide_named(child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        changed = [_hide_named(child) for child in value]
        return changed if isinstance(value, list) else tuple(changed)
    return value


def _is_secret(name: Any, value: Any) -> bool:
    """Tell whether a dict's key names a secret, and its value, a text or a number, looks like one."""
    named = isinstance(value, str | int) and SECRET_NAME.search(str(name))
    return bool(named) and re.fullmatch(KEY_LIKE, str(value), re.ASCII) is not None


def _hide_value(found: re.Match[str]) -> str:
    """Return an assignment that ASSIGNED matched, with its value removed if its name says that it is a secret."""
    return found[0].replace(found["value"], REMOVED) if SECRET_NAME.search(found["name"]) else found[0]


def _find_secrets() -> Iterator[str]:
    """Yield the secrets of the environment and of netrc, which may come twice or be empty.

    They are the values of variables whose names say so, unless a value is an absolute path, the passwords and tokens in
    URLs of all variables, and netrc's passwords; a netrc that is missing or damaged has none.
    """
    for name, value in os.environ.items():
        if SECRET_VARIABLE.search(name) and not Path(value).is_absolute():  # the path of a key file tells nothing
            yield value
        for found in PASSWORD_IN_URL.findall(value):
            yield found.removeprefix("://").partition(":")[2].removesuffix("@")
        for found in TOKEN_IN_URL.findall(value):
            yield found.removesuffix("@")
    try:
        file = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
        for _, _, password in netrc.netrc(str(file)).hosts.values():
            yield password or ""
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):  # no such file, or one that holds no netrc
        pass
