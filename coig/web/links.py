"""Sign the links by which people come to a page, so that nobody can guess, change or swap one."""

from __future__ import annotations

import hashlib
import hmac

from itsdangerous import BadSignature, URLSafeTimedSerializer

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
