"""Start the processes (ranks) that train one arm on the devices of this node."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path

from coig.config import TrainConfig
from coig.config.stored import dump_config
from coig.errors import ConfigError


def launch(config: TrainConfig) -> None:
    """Train an arm in `trainer.devices` new processes of this node, and wait for them.

    Raises ConfigError if one of them fails, so that a sweep continues with its next arm. Raises SystemExit if a signal
    stopped them, so that the sweep stops too.
    """
    if config.trainer.num_nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={config.trainer.num_nodes}: start the command on each node with torchrun --nnodes="
            f"{config.trainer.num_nodes} --nproc-per-node={config.trainer.devices} … train.py …, one arm a command"
        )
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the rank has said what is wrong
    agent = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=config.trainer.devices,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        run_id=config.arm,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(dump_config(config)), encoding="utf-8")
        try:
            elastic_launch(agent, sys.executable)("-m", "coig.training", str(file))
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            raise ConfigError(
                f"{config.arm}: process {rank} of {config.trainer.devices} ended with exit code {failure.exitcode}; "
                "its message is above"
            ) from None
        except SignalException as error:  # elastic_launch has stopped the processes
            raise SystemExit(128 + error.sigval) from None
