import pytest

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.data.tokenizer import check_length
from coig.errors import ConfigError


def test_examples_longer_than_the_model_has_positions_are_refused() -> None:
    """The tiny model has 2,048 positions."""
    check_length(config_of("train", TrainConfig, ["model.max_length=2048"]).model)
    too_long = config_of("train", TrainConfig, ["model.max_length=2049"]).model
    with pytest.raises(ConfigError, match=r"model\.max_length=2049: sample:tiny has 2048 positions; give 2048"):
        check_length(too_long)
