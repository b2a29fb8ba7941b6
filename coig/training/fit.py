"""The training run itself: encode, fit, export, and a manifest that says what was done."""

from __future__ import annotations

import logging
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from lightning import Callback, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from transformers.utils.logging import disable_progress_bar

from coig.config import TrainConfig, construct
from coig.data.datamodule import MixtureDataModule
from coig.data.encoding import Encoded, Encoder, encode_all
from coig.data.examples import DataError
from coig.data.mixture import Mixture
from coig.models.causal_lm import export, load_model, load_tokenizer
from coig.study import Arm, now, provenance
from coig.training.module import CausalLMModule
from coig.training.tracking import tracking

log = logging.getLogger(__name__)


def fit(config: TrainConfig, arm: Arm, mixture: Mixture) -> None:
    """Train from the arm's last checkpoint if there is one, and export the model."""
    _quiet_libraries()
    tokenizer = load_tokenizer(config.model)
    encoder = Encoder(tokenizer, config.model.system_prompt)
    encoded, counts = {}, Counter[str]()
    for split in ("train", "validation"):
        examples = getattr(mixture, split)
        encoded[split], settled = encode_all(
            examples, encoder, config.supervision, config.model.max_length, config.data.overlong
        )
        counts += settled if split == "train" else Counter()
    if not encoded["train"]:
        arm.discard_if_empty()
        raise DataError(f"no example is left to train on: all exceed model.max_length={config.model.max_length}")
    model = load_model(config.model, config.seed)
    data = MixtureDataModule(
        encoded["train"],
        encoded["validation"],
        pad_id=tokenizer.pad_token_id,
        seed=config.seed,
        global_batch_size=config.trainer.global_batch_size,
        tokens_per_micro_batch=config.trainer.tokens_per_micro_batch,
    )
    manifest = _manifest(config, arm, mixture, encoded, counts)
    manifest["model"] = {"name": config.model.name, "parameters": sum(p.numel() for p in model.parameters())}
    log.info("%s", _headline(arm, manifest, data.steps_per_epoch))
    arm.write_settings(config)
    with _recorded(arm, manifest), tracking(config, arm, manifest["wandb_run"]) as loggers:
        _fit(config, arm, model, data, loggers)
        export(model, tokenizer, encoder.end_id, arm.model)


def _fit(config: TrainConfig, arm: Arm, model: Any, data: MixtureDataModule, loggers: list[Any]) -> None:
    seed_everything(config.seed, workers=True, verbose=False)
    callbacks: list[Callback] = [
        ModelCheckpoint(arm.checkpoint.parent, arm.checkpoint.stem, enable_version_counter=False)
    ]
    if config.trainer.arguments().get("enable_progress_bar", True):
        callbacks.append(ProgressBar())
    trainer = construct(
        config.trainer,
        default_root_dir=str(arm.folder),
        logger=loggers,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if data.validation else 0,
    )
    module = CausalLMModule(model, partial(construct, config.optimizer), config.scheduler, config.trainer.max_grad_norm)
    checkpoint = arm.checkpoint if arm.checkpoint.exists() else None
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
    if trainer.interrupted:
        raise KeyboardInterrupt


class ProgressBar(RichProgressBar):
    """Lightning's bar without the logger's version number."""

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


@contextmanager
def _recorded(arm: Arm, manifest: dict[str, Any]) -> Iterator[None]:
    """Keep the manifest's status and times true: running, then done or failed."""
    started = time.monotonic()
    arm.write_manifest(manifest | {"status": "running"})
    status, error = "failed", None
    try:
        yield
        status = "done"
    except BaseException as problem:
        error = f"{type(problem).__name__}: {problem}"
        log.error("%s: failed, %s", arm.folder, error)
        raise
    finally:
        seconds = manifest["times"]["seconds"] + round(time.monotonic() - started, 1)
        times = {"started": manifest["times"]["started"], "ended": now(), "seconds": seconds}
        arm.write_manifest(manifest | {"status": status, "error": error, "times": times})
    log.info("%s: done in %.0f s, model in %s", arm.name, seconds, arm.model)


def _manifest(
    config: TrainConfig, arm: Arm, mixture: Mixture, encoded: dict[str, list[Encoded]], counts: Counter[str]
) -> dict[str, Any]:
    earlier = arm.manifest()
    return {
        "study": config.study,
        "arm": config.arm,
        "status": "running",
        "seed": config.seed,
        "data": {
            "name": config.data.name,
            "ratio": config.data.ratio,
            "fingerprint": mixture.fingerprint,
            "duplicates": mixture.duplicates,
            "dropped": counts["dropped"],
            "truncated": counts["truncated"],
            "train": _counts(encoded["train"]),
            "validation": _counts(encoded["validation"]),
        },
        **provenance(),
        "wandb_run": earlier.get("wandb_run") or secrets.token_hex(4),
        "times": earlier.get("times") or {"started": now(), "ended": None, "seconds": 0.0},
    }


def _counts(encoded: Iterable[Encoded]) -> list[dict[str, Any]]:
    """Examples, tokens and supervised tokens per (kind, lang, source)."""
    totals: dict[tuple[str, str, str], Counter[str]] = {}
    for one in encoded:
        group = totals.setdefault((one.example.kind, one.example.lang, one.example.source), Counter())
        group.update(examples=1, tokens=len(one.input_ids), supervised_tokens=one.supervised)
    return [{"kind": k, "lang": lang, "source": source, **c} for (k, lang, source), c in sorted(totals.items())]


def _headline(arm: Arm, manifest: dict[str, Any], steps: int) -> str:
    """The arm's size in one line, with what was left out."""
    data = manifest["data"]
    examples = {
        kind: sum(g["examples"] for g in data["train"] if g["kind"] == kind) for kind in ("creative", "general")
    }
    supervised = sum(group["supervised_tokens"] for group in data["train"])
    facts = [
        f"{examples['creative']} creative + {examples['general']} general examples",
        f"{supervised:,} supervised tokens",
        f"{steps} steps an epoch",
        f"{manifest['model']['parameters'] / 1e6:.1f} M parameters",
        *(f"{data[key]} {key}" for key in ("duplicates", "dropped", "truncated") if data[key]),
    ]
    return f"{arm.name}: " + ", ".join(facts)


def _quiet_libraries() -> None:
    """One line an arm is ours to print; hints about worker processes and devices are not news here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*LeafSpec.*is deprecated.*"):
        warnings.filterwarnings("ignore", message=message)
    disable_progress_bar()  # of writing one file
