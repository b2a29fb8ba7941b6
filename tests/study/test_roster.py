"""What an arm is stands in its manifest, not in its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from coig.study.find import find_arms, make_roster
from coig.study.roster import contestant_of_stranger
from tests.studies import make_arm, roster_of


def test_names_say_nothing_about_arms_that_were_trained(tmp_path: Path) -> None:
    make_arm(tmp_path / "generalist", ratio="1k")
    make_arm(tmp_path / "alone", ratio="general")
    make_arm(tmp_path / "cw+10k", "supervision=outcome", ratio="10k")
    roster = make_roster(find_arms(tmp_path, None))
    assert roster.names == ("generalist", "cw+10k", "alone")
    assert roster.reference == "alone"
    found = [roster.find_plain(ratio) for ratio in ("1k", "10k", "general", "5k")]
    assert found == ["generalist", None, "alone", None]


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("cw", "0"),
        ("cw+10k", "10k"),
        ("cw+1to12", None),
        ("general", "general"),
        ("generalist", None),
        ("cw-x", None),
        ("cw-s1", "0"),
        ("cw+1k-s12", "1k"),
        ("general-s2", "general"),
        ("gpt-s1", None),
    ],
)
def test_a_stranger_is_known_by_the_papers_name_of_any_seed(name: str, ratio: str | None) -> None:
    found = contestant_of_stranger(name).ratio
    assert (found.text if found else None) == ratio


def test_strangers_of_other_names_are_no_reference() -> None:
    assert roster_of(["generalist", "gpt-5"]).reference is None
