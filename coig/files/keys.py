"""Keep secret keys in files that only their owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from coig.errors import ConfigError

SHORTEST = 32  # characters


def read_key(file: Path) -> str:
    """Return the secret key in a file; if there is no file, write one with a new key, readable by its owner only.

    Raises ConfigError if the file holds fewer than SHORTEST characters.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = file.read_text().strip()
        if len(key) < SHORTEST:
            raise ConfigError(
                f"{file}: holds no key; delete it, which changes the links and pseudonyms that were made with it"
            ) from None
        return key
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key := secrets.token_hex(32))
    return key
