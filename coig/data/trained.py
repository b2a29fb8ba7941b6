"""Build again the mixture that an arm was trained on."""

from __future__ import annotations

from huggingface_hub import try_to_load_from_cache

from coig.config import Source, TrainConfig
from coig.data.mixture import Mixture, build_mixture
from coig.errors import DataError


def trained_mixture(config: TrainConfig, fingerprint: str) -> Mixture:
    """Return the mixture of an arm's stored config.

    Raises DataError if its files are gone, or their content is no longer that of `fingerprint` in the arm's manifest.
    """
    mixture = build_mixture(config.data, config.seed, config.supervision.needs_reasoning)
    if mixture.fingerprint != fingerprint:
        raise DataError("its data have changed since it was trained (fingerprint)")
    return mixture


def check_downloaded(config: TrainConfig) -> None:
    """Raise DataError if a source of the config is on the hub and was not downloaded to this machine."""
    data = config.data
    held_out = [data.validation.source] if data.validation.source else []
    sources: list[Source] = [*data.creative.sources.values(), *data.pools.values(), *held_out]
    for hub in (source.hub for source in sources if source.path is None and source.hub):
        for file in hub.files:
            if not isinstance(try_to_load_from_cache(hub.repo, file, revision=hub.revision, repo_type="dataset"), str):
                raise DataError(f"{file} of the hub's data set {hub.repo} is not on this machine")
