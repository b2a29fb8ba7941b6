"""Measure how far training moved a model's predictions on general texts that it was not trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

from coig.config import TrainConfig
from coig.data.steps import MicroBatch, Stepper
from coig.data.tokens import Encoded
from coig.models.causal_lm import compute_hidden_states
from coig.models.loss import CHUNK_ROWS
from coig.study.arm import Arm
from coig.study.manifest import Divergence, MemoryPlan
from coig.text.language_codes import LANGUAGES
from coig.training.failures import is_out_of_memory
from coig.training.reload import computing_as_trained, device_of, load_base, load_exported

log = logging.getLogger(__name__)


def measure_divergence(
    config: TrainConfig, arm: Arm, validation: Sequence[Encoded], plan: MemoryPlan
) -> tuple[Divergence, ...]:
    """Return the mean KL divergence, Σ p · log(p / q), of the exported arm p from its base q, for each language.

    Both predict the supervised tokens of the general validation texts after the texts' own tokens. A language with
    fewer than two such texts is left out. Both models are in memory together; if there is too little, log a warning and
    return ().
    """
    device, stepper = device_of(config), Stepper(plan.tokens_per_micro_batch)
    sums: dict[str, list[tuple[float, int]]] = {lang: [] for lang in LANGUAGES}
    try:
        exported, base = load_exported(config, arm), load_base(config)
        with computing_as_trained(config):
            for example in (one for one in validation if one.kind == "general"):
                [batch] = stepper.step([example]).micro_batches
                nats = _divergences(exported, base, move_data_to_device(batch, device))
                sums[example.lang].append((float(nats.sum()), len(nats)))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        log.warning("%s: no memory for the divergence from the base model, which needs both models at once", arm.folder)
        return ()
    return tuple(_summarize(lang, found) for lang, found in sums.items() if len(found) > 1)


def _divergences(arm: Any, base: Any, batch: MicroBatch) -> Tensor:
    """Return the divergence of the arm's next-token distribution from the base's at each supervised token, (S,)."""
    hidden = [compute_hidden_states(lm, batch)[batch.rows] for lm in (arm, base)]
    heads = [lm.get_output_embeddings().weight for lm in (arm, base)]
    size = CHUNK_ROWS.get(batch.input_ids.device.type, CHUNK_ROWS["cuda"])
    found = [torch.zeros(0, device=batch.input_ids.device)]
    for first in range(0, len(batch.rows), size):
        rows = slice(first, first + size)
        p, q = (
            torch.log_softmax((one[rows] @ head.to(one.dtype).T).float(), dim=-1)
            for one, head in zip(hidden, heads, strict=True)
        )
        found.append((p.exp() * (p - q)).sum(dim=-1))
    return torch.cat(found)


def _summarize(lang: str, texts: Sequence[tuple[float, int]]) -> Divergence:
    """Return a language's mean divergence per token, with its standard error over texts.

    `texts` are (sum of the divergences at the text's tokens, number of these tokens) of at least two texts.
    """
    sums, counts = np.array(texts).T
    mean = sums.sum() / counts.sum()
    spread = ((sums - mean * counts) ** 2).sum() * len(texts) / (len(texts) - 1)
    error = float(np.sqrt(spread) / counts.sum())
    return Divergence(lang=lang, nats=float(mean), stderr=error, texts=len(texts), tokens=int(counts.sum()))
