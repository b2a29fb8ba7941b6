"""Draw the README's pictures of the paper's win rates over general data alone, by ratio: python -m recipes.paper_ratio

Only the paper's published counts are used (Table 2), as if each arm had been judged on other prompts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from coig.display.figures import figure_style, render_png
from coig.display.numbers import LANGUAGE_NAMES
from coig.evaluation.findings.doses import make_rows, make_table
from coig.evaluation.findings.responses import PREFERENCE, Observed, preference_of
from coig.evaluation.findings.series import Series
from coig.evaluation.report.dose_figures import draw_panels
from coig.statistics.responses import responses_of_counts, shares_of_counts

DOSES = {"cw": 0.0, "cw+1k": 1.2, "cw+5k": 6.0, "cw+10k": 12.0}
WINS = {"zh": ([73, 86, 102, 128], 204), "en": ([83, 106, 149, 164], 353)}
PICTURES = Path("docs/pictures")


def main() -> None:
    """Write `ratio_zh.png` and `ratio_en.png` to `docs/pictures`."""
    measure, series = preference_of(PREFERENCE, margin=0.1), Series("", DOSES, "general", {})
    for lang, (wins, trials) in WINS.items():
        levels = responses_of_counts(np.array(list(DOSES.values())), np.array(wins), trials)
        means = shares_of_counts(levels.doses, np.array(wins), trials)
        observed = Observed(tuple(DOSES), levels, means, levels, 0.5, (trials,) * len(DOSES), raters=1)
        rows = dict(make_rows(observed, measure, series))
        about = {"lang": lang, "setting": "", "measure": PREFERENCE}
        frames = {name: make_table(name, [about | row for row in block]) for name, block in rows.items()}
        part = frames["thresholds"], frames["doses"], frames["dose_curves"]
        with figure_style():
            figure = draw_panels(f"ratio_{lang}", LANGUAGE_NAMES[lang], [part])
        (PICTURES / f"ratio_{lang}.png").write_bytes(render_png(figure))


if __name__ == "__main__":
    main()
