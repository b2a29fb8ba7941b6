"""The config of annotate.py."""

from __future__ import annotations

import pytest

from coig.errors import ConfigError
from tests.annotation.studies import make_config


def test_raters_with_and_without_languages() -> None:
    assert make_config().raters == {}
    assert make_config("raters=ann").raters == {"ann": None}
    assert make_config("raters=[ann,bob]").raters == {"ann": None, "bob": None}
    assert make_config("raters={ann: zh, bob: [zh, en]}").raters == {"ann": ("zh",), "bob": ("zh", "en")}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("raters={ann: fr}", "raters"),
        ("raters=[{ann: zh},bob]", r"\{'ann': 'zh'\} is no name; write \[ann,bob\], or \{ann: zh, bob: \[zh,en\]\}"),
        ("raters=[ann,bob,ann]", "ann comes twice"),
        ("protocol.dimensions=[]", "dimensions"),
        ("protocol.scale=[3,0]", "scale"),
        ("completion.url='http://x.org'", "https"),
        ("texts=nowhere", "no such file or folder"),
        ("export=xml", "jsonl"),
        ("checks.kinds=[reversed]", "repeat"),
    ],
)
def test_mistakes_are_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config("protocol=rating", override)
