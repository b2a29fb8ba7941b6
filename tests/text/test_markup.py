"""HTML goes, the text stays."""

from __future__ import annotations

import pytest

from coig.text.markup import strip_html


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("<p>第一段</p><p>第二段</p>", "第一段\n\n第二段"),
        ("第一行<br>第二行<br/>第三行", "第一行\n第二行\n第三行"),
        ("<div><script>track(1)</script><style>p{}</style>正文<b>粗</b>体</div>", "正文粗体"),
        ("甲&nbsp;乙 &amp; 丙&hellip;", "甲 乙 & 丙…"),
        ("<p>春天\n来了</p>", "春天来了"),
        ("<p>spring\ncame</p>", "spring came"),
        ("第一段\n第二段，<b>重</b>", "第一段\n第二段，重"),
        ("<ul><li>一<li>二</ul>", "一\n\n二"),
        ("<p>没有关", "没有关"),
    ],
)
def test_html_becomes_plain_text(text: str, stripped: str) -> None:
    assert strip_html(text) == stripped


@pytest.mark.parametrize("text", ["a < b > c", "我<3你", "<作者>说", "  缩进\n\n\n三行空", "AT&T", "<think>想</think>"])
def test_a_text_without_html_is_unchanged(text: str) -> None:
    assert strip_html(text) == text
