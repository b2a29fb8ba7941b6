"""Describe what is wrong with a sweep as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig

from coig.config import GenerateConfig, Node, TrainConfig


def is_search() -> bool:
    """Tell whether the last composed job is of a search, whose arms are not known beforehand."""
    return HydraConfig.get().sweeper.get("n_trials") is not None


def find_search_problems(config: Node) -> list[str]:
    """Return the problems of a search by train.py: no objective, or fewer than one trial; [] if it is no search."""
    if not (is_search() and isinstance(config, TrainConfig)):
        return []
    problems = []
    if config.objective is None:
        problems.append("objective: null, so a search does not know what to lower; name a loss as validation/loss")
    if (trials := HydraConfig.get().sweeper.n_trials) < 1:
        problems.append(f"hydra.sweeper.n_trials={trials}: must be at least 1")
    return problems


def find_one_model_problems(config: Node, swept: Sequence[str]) -> list[str]:
    """Return the problem that in a sweep over arms one model of a server would answer for every arm; else nothing.

    `swept` holds the keys that the sweep varies.
    """
    if not isinstance(config, GenerateConfig) or not config.one_model or "arms" not in swept:
        return []
    return [
        f"engine.model={config.one_model}: would answer for every arm of the sweep; run the command once for each arm, "
        "or write {arm} where the server's names have the arm's: \"engine.model='{arm}'\""
    ]
