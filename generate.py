"""Every trained arm of a study answers the test queries: python generate.py study=ablation"""

import hydra
from omegaconf import DictConfig

from coig.cli import check_command_line
from coig.config import load_config
from coig.schema import GenerateConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="generate")
def main(cfg: DictConfig) -> None:
    config = load_config(cfg, GenerateConfig)
    from coig.generation import generate  # heavy imports only once the config is sound

    generate(config)


if __name__ == "__main__":
    check_command_line("generate", GenerateConfig)
    main()
