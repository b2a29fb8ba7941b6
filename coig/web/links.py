"""Sign the links by which people come to a page, so that nobody can guess, change or swap one."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from coig.errors import ConfigError

DAY = 86_400  # seconds


class BadLinkError(Exception):
    """A link that is forged, expired, or of another kind."""


class Links:
    """Make and read the links of one study.

    A link of one kind is no link of another. It holds its subject and the time at which it was made; anybody can read
    both, but not change them.
    """

    def __init__(self, key: str, days: int) -> None:
        """Take the secret key that signs, and the days for which a link is valid."""
        self._key, self._days = key, days

    def sign(self, kind: str, subject: str) -> str:
        """Return the token of a link of a kind, such as `rater`, for a subject, such as a rater's code."""
        return self._serializer(kind).dumps(subject)

    def read(self, kind: str, token: str) -> str:
        """Return the subject of a token. Raises BadLinkError if it is forged, expired or of another kind."""
        try:
            subject = self._serializer(kind).loads(token, max_age=self._days * DAY)
        except BadSignature:
            raise BadLinkError from None
        return str(subject)

    def csrf(self, token: str) -> str:
        """Return 32 hex digits, put into a page, by which its requests prove that it was served for this token."""
        return hmac.new(self._key.encode(), b"csrf" + token.encode(), hashlib.sha256).hexdigest()[:32]

    def is_csrf(self, token: str, given: str | None) -> bool:
        """Tell whether `given` is what `csrf` returns for this token; None is not."""
        return given is not None and hmac.compare_digest(self.csrf(token).encode(), given.encode())

    def _serializer(self, kind: str) -> URLSafeTimedSerializer:
        """Return the object that signs and reads links of one kind."""
        return URLSafeTimedSerializer(self._key, salt=f"coig {kind}", signer_kwargs={"digest_method": hashlib.sha256})


def read_key(file: Path) -> str:
    """Return the secret key in a file; if there is no file, write one with a new key, readable by its owner only.

    Raises ConfigError if the file holds fewer than 32 characters.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = file.read_text().strip()
        if len(key) < 32:
            raise ConfigError(f"{file}: holds no key; delete it, and give people their new links") from None
        return key
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key := secrets.token_hex(32))
    return key
