"""One rank of an arm: python -m coig.training <config.json>, as `ranks.launch` starts it."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

from coig.config import TrainConfig
from coig.config.command_line import show_messages
from coig.errors import ConfigError
from coig.training import ranks
from coig.training.run import train

GRACE = 5  # seconds in which torchrun stops the other ranks of one that failed


def end_with_the_launcher() -> None:
    """A launcher that is killed cannot stop its ranks; they would train on and keep the arm from everybody else."""
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_the_launcher()
    logging.basicConfig(format="%(message)s", stream=sys.stdout)  # as Hydra's own
    show_messages()
    try:
        train(TrainConfig.model_validate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except ConfigError as error:
        if not ranks.is_first():
            time.sleep(GRACE)  # the first rank speaks for all: whoever outlives it has something of its own to say
        sys.exit(str(error))
