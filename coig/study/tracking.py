"""Start and finish runs of Weights & Biases, one for each stage of an arm; offline unless logged in."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coig.config import Constructor
from coig.config.loading import construct
from coig.config.trust import check_trusted
from coig.errors import ConfigError, first_line
from coig.study.arm import Arm

log = logging.getLogger(__name__)

REACHED_WITHIN = 10  # seconds
ONLINE = ("online", "run", "shared")  # W&B's modes that send runs to its server
# manifest keys that are not logged: W&B records a run's course by itself, and its end is not known yet
OF_ONE_MOMENT = {"status", "error", "times", "model_sha256", "export"}


def is_wandb(node: Constructor) -> bool:
    """Tell whether a config node builds the W&B logger."""
    return node.target.endswith("WandbLogger")


@contextmanager
def explain_logger_errors() -> Iterator[None]:
    """Turn an error of the block, which starts a logger, into a ConfigError with remedies.

    A ConfigError of the block and Ctrl-C stay as they are.
    """
    try:
        yield
    except (ConfigError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise ConfigError(
            f"logger: cannot be started ({type(error).__name__}: {first_line(error)}); WANDB_MODE=offline keeps a W&B "
            "run on this machine, logger=csv or none does without"
        ) from error


def wandb_options(run_id: str) -> dict[str, Any]:
    """Return the options of a W&B run: its id, with which a later process continues it, and `mode` if offline."""
    return {"id": run_id, **prepare_wandb()}


@cache  # logs and waits only once, before the first arm of a sweep
def prepare_wandb() -> dict[str, str]:
    """Set up W&B and return {"mode": "offline"} if nobody is logged in or the server is unreachable; otherwise {}.

    It is {} too if the user has chosen a mode of W&B that sends nothing. Sets variables WANDB_… of the environment that
    are not set. Raises ConfigError if those set by the user are wrong.
    """
    os.environ.setdefault("WANDB_SILENT", "true")  # its summary of each run would bury a sweep's own lines
    # it would record the repository of the folder one works in, with a token in its remote's address; the manifest has
    # coig's own revision
    os.environ.setdefault("WANDB_DISABLE_GIT", "true")
    # the manifest, which is logged too, has all packages; W&B would read them again for each arm
    os.environ.setdefault("WANDB_X_SAVE_REQUIREMENTS", "false")
    if not _has_home():  # its service would log to the terminal
        os.environ.setdefault("WANDB_CACHE_DIR", tempfile.mkdtemp(prefix="wandb-"))
    import wandb

    try:
        settings = wandb.setup().settings  # silent from here on, not only once a run has started
    except ValidationError as error:
        problem = error.errors()[0]
        name = f"WANDB_{'_'.join(map(str, problem['loc'])).upper()}"
        raise ConfigError(f"{name}={problem['input']}: {problem['msg'].lower()}") from None
    mode = settings.mode or "online"
    if "WANDB_MODE" not in os.environ and not wandb.login(prompt=False, verify=False):
        log.info("W&B: not logged in, runs stay offline (`wandb login`, then python -m coig.study upload STUDY)")
        return {"mode": "offline"}
    if mode in ONLINE and (reason := _unreachable(settings.base_url)):
        log.warning(
            "W&B: %s cannot be reached (%s), runs stay offline (later: python -m coig.study upload STUDY)",
            settings.base_url,
            reason,
        )
        return {"mode": "offline"}
    return {}


def check_online() -> None:
    """Raise ConfigError unless W&B's runs are sent to its server, because of its mode, the login or the network."""
    if prepare_wandb():
        raise ConfigError("upload: W&B is not logged in or cannot be reached; wandb login, then run again")
    import wandb

    if (mode := wandb.setup().settings.mode or "online") not in ONLINE:
        raise ConfigError(
            f"upload: W&B's mode is {mode}, in which nothing is sent (WANDB_MODE, or `wandb {mode}` in this folder); "
            "WANDB_MODE=online before the command sends it"
        )


def _unreachable(address: str) -> str | None:
    """Return why a server does not answer; None if it answers, even with an HTTP error."""
    try:
        urllib.request.urlopen(address, timeout=REACHED_WITHIN).close()
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError) as error:
        return first_line(error)
    return None


def _has_home() -> bool:
    """Tell whether the user's home folder exists and is writable; W&B's service writes its log there."""
    home = os.environ.get("HOME")
    return home is not None and os.access(home, os.W_OK)


@contextmanager
def finished_run() -> Iterator[None]:
    """Finish the W&B run that is live after the block, if any, with exit code 1 if the block fails and 0 if not."""
    failed = True
    try:
        yield
        failed = False
    finally:
        # WandbLogger would reuse a live run for the next arm of a sweep
        if (wandb := sys.modules.get("wandb")) and wandb.run:
            wandb.finish(exit_code=int(failed))


def find_tracked(arms: Iterable[Arm], trusted: Sequence[str]) -> dict[str, Constructor]:
    """Return {arm's name: W&B logger} of the arms whose stored config has one.

    Raises ConfigError for a stored logger that may not run (`check_trusted`).
    """
    found: dict[str, Constructor] = {}
    for arm in arms:
        if (logger := arm.config().logger) and is_wandb(logger):
            check_trusted(arm.config_file, {"logger": logger}, trusted)
            found[arm.name] = logger
    return found


@contextmanager
def logged_run(logger: Constructor, run_id: str, folder: Path, **about: Any) -> Iterator[Any]:
    """Start a W&B run with this id, the arguments of `logger` and those in `about`; yield it, and finish it at last.

    A run with the same id is continued. Its files are written to `folder`, whatever `logger` says.
    """
    with finished_run():
        yield construct(logger, **wandb_options(run_id), save_dir=str(folder), **about).experiment


@contextmanager
def best_effort(what: Path) -> Iterator[None]:
    """Log a warning that names `what` instead of raising if the block, which logs it to W&B, fails."""
    try:
        yield
    except Exception as error:
        log.warning("%s: not logged to W&B (%s)", what, first_line(error))
