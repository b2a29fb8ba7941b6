"""Measure what the export costs in loss: trained weights are fp32, and most exports are rounded to bf16."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch.utilities import move_data_to_device

from coig.config import TrainConfig
from coig.data.steps import StepLoader, Stepper
from coig.data.tokens import Encoded
from coig.models.causal_lm import CausalLM
from coig.study.arm import Arm
from coig.study.manifest import ExportFacts, MemoryPlan
from coig.training.failures import is_out_of_memory
from coig.training.reload import computing_as_trained, device_of, load_base, load_exported

log = logging.getLogger(__name__)
TOLERATED = 0.01  # share of training's gain that the export may lose without a warning


def measure_export(
    config: TrainConfig,
    arm: Arm,
    dtype: torch.dtype,
    validation: Sequence[Encoded],
    plan: MemoryPlan,
    *,
    is_changed: bool,
) -> ExportFacts:
    """Return the validation losses of exported, trained and base model, in nats per weighted token.

    Warns if the export lost more than `TOLERATED` of what training gained. All losses are None without a validation
    set or a logged validation loss, those of exported and base model if memory runs out. The base model is only
    measured if the export is worse than the trained model; otherwise its loss is None.

    Args:
        dtype: the dtype of the exported weights.
        plan: says how many tokens a micro-batch has.
        is_changed: whether exported and trained weights differ, by rounding or merged adapters; if not, the exported
            loss is the trained one and nothing is computed.
    """
    facts = ExportFacts(dtype=str(dtype).removeprefix("torch."))
    trained = arm.last_metric("validation/loss") if len(validation) else None
    if trained is None:
        return facts
    exported, base = trained, None
    if is_changed:
        try:
            exported = _loss(load_exported(config, arm), config, validation, plan)
            base = _loss(load_base(config), config, validation, plan) if exported > trained else None
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            log.warning("%s: no memory to measure the exported model's loss", arm.folder)
            return facts.model_copy(update={"trained_loss": trained})
    if base is not None and exported - trained > TOLERATED * (base - trained):
        log.warning(
            "%s: training took the validation loss from %.4f to %.4f, and rounding the export to %s back to %.4f; "
            "train longer, or export all of it with model.export_dtype=float32",
            *(arm.name, base, trained, facts.dtype, exported),
        )
    return facts.model_copy(update={"validation_loss": exported, "trained_loss": trained, "base_loss": base})


def _loss(lm: Any, config: TrainConfig, validation: Sequence[Encoded], plan: MemoryPlan) -> float:
    """Return a causal LM's weighted mean loss on the validation set, computed as in training on one device."""
    model, device = CausalLM(lm).eval(), device_of(config)
    loader = StepLoader(validation, config.trainer.global_batch_size, Stepper(plan.tokens_per_micro_batch))
    loss, weight = 0.0, 0.0
    with computing_as_trained(config):
        for step in loader:
            batches = move_data_to_device(step.micro_batches, device)
            loss += sum(float(model(batch, 1.0)[0]) for batch in batches)
            weight += step.total_weight
    return loss / weight
