"""The figures of ppi-python 0.2.3 for made-up data, and the script that made them.

Run where ppi-python is installed, from the repository's root:

    python -m tests.statistics.ppi_python
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LABELLED, FURTHER = 1_000, 4_000
# correlation of predictions and verdicts: the estimate, and the ends of its 95 % interval
FIGURES: dict[float, tuple[float, float, float]] = {
    0.05: (0.5444851099593502, 0.5290448774013379, 0.5599253425173625),
    0.3: (0.5475946579981283, 0.5326386697480935, 0.5625506462481632),
    0.6: (0.550131772141086, 0.5372338629632947, 0.5630296813188773),
    0.8: (0.5519653059885701, 0.5410498353641748, 0.5628807766129653),
}


def make_data(correlation: float) -> tuple[Floats, Floats, Floats]:
    """Return verdicts, (1000,), and predictions where they are known, (1000,), and where not, (4000,)."""
    rng = np.random.default_rng(round(100 * correlation))
    latent = rng.normal(size=LABELLED + FURTHER)
    predicted = 0.5 + 0.2 * latent
    noise = rng.normal(size=LABELLED + FURTHER)
    verdicts = 0.55 + 0.25 * (correlation * latent + np.sqrt(1 - correlation**2) * noise)
    return verdicts[:LABELLED], predicted[:LABELLED], predicted[LABELLED:]


if __name__ == "__main__":
    from ppi_py import ppi_mean_ci, ppi_mean_pointestimate  # type: ignore[import-not-found]

    for given in FIGURES:
        data = make_data(given)
        low, high = ppi_mean_ci(*data, alpha=0.05)
        print(given, float(ppi_mean_pointestimate(*data)[0]), float(low[0]), float(high[0]))
