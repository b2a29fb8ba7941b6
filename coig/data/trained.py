"""Build again the mixture that an arm was trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from coig.config import Source, TrainConfig
from coig.config.fields import CACHE
from coig.config.ratio import Ratio
from coig.config.trust import check_trusted
from coig.data.mixture import Mixture, build_mixture
from coig.errors import DataError, first_line


def rebuild_mixture(file: Path, config: TrainConfig, fingerprint: str, trusted: Sequence[str] = ()) -> Mixture:
    """Return the mixture of an arm's stored config. Its rows are converted into this user's own cache.

    Args:
        file: the stored config's file, which messages name.
        fingerprint: of the mixture, from the arm's manifest.
        trusted: functions that the config names and that may run besides coig's own (`check_trusted`).

    Raises ConfigError for a function that is not trusted, and DataError if the files are gone or have changed.
    """
    check_trusted(file, config.data.sources, trusted)
    data = config.data.model_copy(update={"cache": os.environ.get("COIG_CACHE", CACHE)})
    mixture = build_mixture(data, config.seed, config.supervision.needs_reasoning)
    if mixture.fingerprint != fingerprint:
        raise DataError("its data have changed since it was trained (fingerprint)")
    return mixture


def check_downloaded(config: TrainConfig) -> None:
    """Raise DataError if a source that the arm used is on the hub and not in this machine's cache of it.

    A source with a path is not looked at, nor is general data that neither training nor validation used.
    """
    data = config.data
    held_out = [data.validation.source] if data.validation.source else []
    pools = data.pools.values() if Ratio.parse(data.ratio).count != 0 or data.validation.general else ()
    sources: list[Source] = [*data.creative.sources.values(), *pools, *held_out]
    for hub in (source.hub for source in sources if source.path is None and source.hub):
        for file in hub.files:
            try:
                found = try_to_load_from_cache(hub.repo, file, revision=hub.revision, repo_type="dataset")
            except HFValidationError as error:
                raise DataError(f"{hub.repo}: is no name of a data set ({first_line(error)})") from None
            if not isinstance(found, str):
                raise DataError(f"{file} of the hub's data set {hub.repo} is not on this machine")
