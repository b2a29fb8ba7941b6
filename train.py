"""Train one arm, or with -m every arm of a study: python train.py -m data.ratio=0,1k,5k,10k,general"""

import hydra
from omegaconf import DictConfig

from coig.cli import check_command_line
from coig.config import load_config
from coig.schema import TrainConfig
from coig.training import check, train  # torch is imported once there is something to train


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    return train(load_config(cfg, TrainConfig))


if __name__ == "__main__":
    check_command_line("train", TrainConfig, check)
    main()
