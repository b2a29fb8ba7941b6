"""Tell drafts that the network has delivered late from those of another device."""

from __future__ import annotations

LATE = 60_000  # milliseconds: about as long as a request waits that a page sends again


def is_late(at: float, stored_at: float) -> bool:
    """Tell whether a draft of the time `at` was overtaken by the stored one; times are of pages, in ms since 1970.

    One that is older by more than LATE comes from a device whose clock is behind, and is not late.
    """
    return stored_at - LATE < at < stored_at
