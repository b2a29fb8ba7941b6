"""Measure and compare the answers of a study: python evaluate.py study=ablation"""

import hydra
from omegaconf import DictConfig

from coig.cli import check_command_line
from coig.config import load_config
from coig.schema import EvaluateConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    config = load_config(cfg, EvaluateConfig)
    from coig.evaluation import evaluate  # heavy imports only once the config is sound

    evaluate(config)


if __name__ == "__main__":
    check_command_line("evaluate", EvaluateConfig)
    main()
