"""The languages of data and answers, by the codes that records have."""

from __future__ import annotations

import re
from typing import Literal, get_args

Language = Literal["zh", "en"]
LANGUAGES: tuple[str, ...] = get_args(Language)
NAMES = {  # of a language, as data sets write it; codes of regions and scripts behind it are left out
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "cn", "chinese", "mandarin", "中文", "汉语", "漢語"), "zh"),
    **dict.fromkeys(("en", "eng", "english", "英文", "英语", "英語"), "en"),
}


def language_code(name: object) -> str:
    """Return `zh` for zh-CN, zh_Hans, Chinese …, `en` for EN, en-US, English …; any other name unchanged, as a text."""
    first = re.split(r"[-_ (]", str(name).strip().casefold())[0]
    return NAMES.get(first, str(name))
