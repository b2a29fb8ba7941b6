"""Signed links, and the key that signs them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from coig.errors import ConfigError
from coig.web.links import BadLinkError, Links, read_key


def test_a_key_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "study" / ".links"
    key = read_key(file)
    assert len(key) == 64
    assert read_key(file) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_key(tmp_path / ".links") != key
    file.write_text("short")
    with pytest.raises(ConfigError, match="holds no key"):
        read_key(file)


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
