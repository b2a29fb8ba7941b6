"""One rank of an arm: python -m coig.training <config.json>, as `ranks.launch` starts it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from coig.cli import show_messages
from coig.config import ConfigError
from coig.schema import TrainConfig
from coig.training import ranks
from coig.training.run import train

if __name__ == "__main__":
    logging.basicConfig(format="%(message)s", stream=sys.stdout)  # as Hydra's own
    show_messages()
    try:
        train(TrainConfig.model_validate(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except ConfigError as error:
        sys.exit(str(error) if ranks.is_first() else 1)
