"""Plant defects that any careful reader sees in answers, to check whether raters, people or models, notice them."""

from __future__ import annotations

import re
from typing import Literal

from coig.statistics.orders import shuffle

SENTENCE = re.compile(r"[^。！？!?.\n]*[。！？!?.\n]+[”’」』\"')]*\s*|[^。！？!?.\n]+$")
FEWEST = 6  # sentences of an answer whose defects any reader sees
Defect = Literal["shuffled", "halved", "repeated_text", "cut_off"]


def can_be_damaged(text: str) -> bool:
    """Tell whether an answer is long enough for a planted defect: at least FEWEST sentences."""
    return len(SENTENCE.findall(text)) >= FEWEST


def plant_defect(defect: Defect, text: str, *seed: object) -> str:
    """Return a copy of a text with a defect.

    shuffled: its sentences are in another order, which `seed` decides. halved: the second half of its sentences and the
    end of the first half's last sentence are cut off. repeated_text: a passage from its middle stands there three
    times. cut_off: it ends in the middle of its last sentence.
    """
    sentences = SENTENCE.findall(text)
    half = len(sentences) // 2
    match defect:
        case "shuffled":
            mixed = shuffle(sentences, *seed)
            return "".join(mixed if mixed != sentences else reversed(sentences))
        case "halved":
            return "".join(sentences[: max(1, half)])[:-1].rstrip()
        case "cut_off":
            last = sentences[-1].rstrip()
            return "".join([*sentences[:-1], last[: len(last) // 2]]).rstrip()
    passage = sentences[half : half + max(1, half // 2)]
    return "".join([*sentences[:half], *passage * 3, *sentences[half + len(passage) :]])
