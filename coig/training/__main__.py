"""Run one rank of an arm: python -m coig.training <config.json>; `launch.py` starts it."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

from coig.config import TrainConfig
from coig.config.command_line import show_messages
from coig.config.process import end_with, shield_output
from coig.errors import ConfigError
from coig.training import ranks
from coig.training.run import train

GRACE = 5  # seconds; torchrun stops the other ranks of a failed one sooner


if __name__ == "__main__":
    end_with(os.getppid())
    shield_output()
    logging.basicConfig(format="%(message)s", stream=sys.stdout)  # like Hydra's log
    show_messages()
    try:
        train(TrainConfig.model_validate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except ConfigError as error:
        if not ranks.is_first():
            time.sleep(
                GRACE
            )  # the first rank prints an error that all share; a rank that still runs afterwards prints its own
        sys.exit(str(error))
