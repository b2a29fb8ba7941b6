"""Secret keys are in files of their owner, and give the same pseudonyms for good."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from coig.errors import ConfigError
from coig.files.keys import read_key
from coig.study.raters import KEY, make_pseudonym


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


def test_the_key_of_pseudonyms_is_its_owners_and_an_older_one_is_kept(tmp_path: Path) -> None:
    make_pseudonym("Li", tmp_path)
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    (tmp_path / KEY).write_text("0123456789abcdef" * 2)
    assert make_pseudonym("Li", tmp_path) == "rater 5f3c49"
    assert make_pseudonym(" Li ", tmp_path) == make_pseudonym("Li", tmp_path)
