"""Compose what --help prints of conf/hydra/help/coig.yaml: the command as it was typed, and its groups."""

from __future__ import annotations

import shutil
import sys
import textwrap

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

WIDEST = 120  # characters; longer lines are hard to read


def typed_command() -> str:
    """Return how this process was started, without its arguments: `python train.py`, or `coig train`."""
    return sys.argv[0] if sys.argv[0].startswith("coig ") else f"python {sys.argv[0]}"


def list_groups(*, _root_: DictConfig) -> str:
    """Return a command's config groups with their choices, wrapped to the terminal; "" if it has none.

    The choices in force are marked with `*`. A group that is used at several places, such as `source`, comes once.

    Args:
        _root_: the composed config, with Hydra's node.
    """
    chosen: dict[str, dict[str, str]] = {}  # by group, the choice for each key that sets it
    for key, choice in reversed(_root_.hydra.runtime.choices.items()):
        group, _, package = str(key).partition("@")
        if not group.startswith("hydra/"):
            chosen.setdefault(group, {})[f"@{package}" if package else ""] = choice
    if not chosen:
        return ""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    loader = GlobalHydra.instance().config_loader()
    lines = ["Groups, as GROUP=CHOICE; * is chosen:"]
    for group, places in sorted(chosen.items()):
        marked = [f"*{name}" if name in places.values() else name for name in sorted(loader.get_group_options(group))]
        text = f"{group}{', '.join(places)}: {', '.join(marked)}"
        lines += textwrap.wrap(
            text, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
    return "\n".join([*lines, "", ""])
