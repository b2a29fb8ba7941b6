"""The schemas of all configurations, as frozen pydantic models.

A node with a `_target_` constructs something, such as an optimizer; it is checked here and instantiated by its user.
"""

from coig.config.annotation import AnnotateConfig, Checks, Protocol
from coig.config.curation import CurateConfig
from coig.config.data import LOCAL, Creative, Data, Filters, Hub, Source, Validation
from coig.config.judging import JudgeConfig
from coig.config.nodes import Constructor, Logger, Node
from coig.config.stages import EvaluateConfig, GenerateConfig, Limits, Rating, Sampling, SamplingChoice
from coig.config.training import (
    SPLIT,
    Budget,
    Lora,
    Model,
    Question,
    Scheduler,
    Supervision,
    TrainConfig,
    Trainer,
    Weights,
)

__all__ = [
    "LOCAL",
    "SPLIT",
    "AnnotateConfig",
    "Budget",
    "Checks",
    "Constructor",
    "Creative",
    "CurateConfig",
    "Data",
    "EvaluateConfig",
    "Filters",
    "GenerateConfig",
    "Hub",
    "JudgeConfig",
    "Limits",
    "Logger",
    "Lora",
    "Model",
    "Node",
    "Protocol",
    "Question",
    "Rating",
    "Sampling",
    "SamplingChoice",
    "Scheduler",
    "Source",
    "Supervision",
    "TrainConfig",
    "Trainer",
    "Validation",
    "Weights",
]
