"""Defects that are planted in answers."""

from __future__ import annotations

from coig.study.defects import plant_defect

CHINESE = "天亮了。雨停了！他说：“走吧。”她没有动？风来了。门开了。他回头。路很长。"


def test_defects_in_chinese_and_english() -> None:
    english = "One. Two! Three? Four. Five. Six. Seven. Eight."
    for text in (CHINESE, english):
        shuffled = plant_defect("shuffled", text, 1)
        assert shuffled != text
        assert sorted(shuffled.replace(" ", "")) == sorted(text.replace(" ", ""))
        halved = plant_defect("halved", text, 1)
        assert text.startswith(halved)
        assert 0.3 * len(text) < len(halved) < 0.7 * len(text)
        cut = plant_defect("cut_off", text, 1)
        assert text.startswith(cut)
        assert 0.8 * len(text) < len(cut) < len(text.rstrip("。."))
        assert len(plant_defect("repeated_text", text, 1)) > 1.3 * len(text)
    assert plant_defect("repeated_text", english, 1).count("Five.") == 3
