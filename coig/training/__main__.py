"""Run one rank of an arm: python -m coig.training <config.json>; `launch.py` starts it."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path

from coig.config import TrainConfig
from coig.config.command_line import show_messages
from coig.config.process import end_with, shield_output
from coig.errors import ConfigError
from coig.training.run import train

if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("coig.training: train.py starts this module itself; train an arm with `python train.py` (--help)")
    end_with(os.getppid())
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # of SLURM, which sends it to all: it counts from the first step
    shield_output()
    logging.basicConfig(format="%(message)s", stream=sys.stdout)  # like Hydra's log
    show_messages()
    try:
        train(TrainConfig.model_validate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
