"""Signed links."""

from __future__ import annotations

import pytest

from coig.web.links import BadLinkError, Links


def test_a_link_is_of_one_kind_and_one_study() -> None:
    links, others = Links("a" * 64, 1), Links("b" * 64, 1)
    token = links.sign("rater", "c0de")
    assert links.read("rater", token) == "c0de"
    for wrong, kind in ((links, "leader"), (links, "join"), (others, "rater")):
        with pytest.raises(BadLinkError):
            wrong.read(kind, token)


def test_a_pages_proof_is_of_one_link() -> None:
    links = Links("a" * 64, 1)
    one, other = links.sign("rater", "one"), links.sign("rater", "other")
    assert links.is_csrf(one, links.csrf(one))
    for wrong in (None, "", "ünïcode", links.csrf(other), Links("b" * 64, 1).csrf(one)):
        assert not links.is_csrf(one, wrong)
