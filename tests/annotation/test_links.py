"""What annotate.py prints before it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from coig.annotation.run import print_links
from coig.web.links import Links
from tests.annotation.studies import make_questions, make_store

NOBODY = "no rater yet: add them on the leader's page, or give 'raters=[ann,bob]'"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [((), True), (("raters=ann",), False), (("recruits=5",), False)],
    ids=["nobody", "ann", "recruits"],
)
def test_a_page_without_raters_says_how_they_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], overrides: tuple[str, ...], told: bool
) -> None:
    store = make_store(tmp_path / "judgments.sqlite", make_questions(2), *overrides)
    print_links(store, Links("a" * 64, 1), "http://x")
    assert (NOBODY in capsys.readouterr().out.splitlines()) is told
    store.add_rater("bob")  # as on the leader's page
    print_links(store, Links("a" * 64, 1), "http://x")
    assert NOBODY not in capsys.readouterr().out
