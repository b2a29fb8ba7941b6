"""Say what to train or judge next to learn where the arms equal general data alone.

python -m coig.evaluation.plan study=ablation                        # of contamination
python -m coig.evaluation.plan study=ablation judgments=ann.jsonl    # of preference

It takes the arguments of evaluate.py. For each further arm, seed or 50 prompts it simulates studies and prints the
interval of R₅₀ to expect, how much narrower that is, and what it costs; then the commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import polars as pl

from coig.config import EvaluateConfig, TrainConfig
from coig.config.command_line import config_of, show_messages
from coig.config.differences import bears_on_results, flatten
from coig.config.overrides import write_override
from coig.config.process import run_tool
from coig.config.stored import dump_config
from coig.display.numbers import LANGUAGE_NAMES, NONE, number
from coig.display.tables import Table
from coig.display.terminal import make_console, print_table
from coig.errors import ConfigError
from coig.evaluation.findings.cells import group_by_seed, group_strangers_by_seed
from coig.evaluation.findings.doses import fit_with_weights
from coig.evaluation.findings.responses import BY_JUDGES, PREFERENCE, Measure, Observed, estimate, observations
from coig.evaluation.findings.series import FEWEST_DOSES, Series, find_series
from coig.evaluation.findings.thresholds import dose_text, range_text
from coig.evaluation.material import Material, gather_material
from coig.statistics.next_arm import Expected, add_arm, expect_interval, scale_error
from coig.statistics.responses import Responses
from coig.study.arm import Arm
from coig.text.language_codes import LANGUAGES

MORE_PROMPTS = 50
SHOWN = ("next", "R₅₀, 95 %", "narrower %", "training hours", "rater hours")
NOTE = (
    "Expected in simulated studies whose true curve is the average of the fitted ones. R: general examples per "
    "creative one. A seed is worth this at best: how much seeds differ is known once there are several."
)


@dataclass(frozen=True)
class Option:
    """Something to do next: its name, the study's design after it, its costs in hours, and its command.

    Costs are None if the study does not record what they follow from.
    """

    name: str
    design: Responses
    training_hours: float | None
    rater_hours: float | None
    command: str


@dataclass(frozen=True)
class Costs:
    """Hours of work; None if not known.

    per_example: of training. per_answer: of comparing one arm's answer with another one, by all raters of these two.
    per_prompt: of judging the answers of the series' arms to a prompt, as many of them as raters have compared.
    """

    per_example: float | None
    per_answer: float | None
    per_prompt: float | None


def main(arguments: Sequence[str]) -> None:
    """Print a table of options for each language and series, then each option's command on a line of its own.

    Raises ConfigError if the study has no curve to narrow.
    """
    show_messages()
    material = gather_material(config_of("evaluate", EvaluateConfig, list(arguments)))
    arms, console = material.arms, make_console()
    commands: dict[str, str] = {}
    for series in find_series(group_by_seed(arms) if arms else group_strangers_by_seed(material.roster), arms):
        for lang, measure, observed in _main_measures(material, series):
            rising = _make_rising(observed, measure)
            if rising is None:
                continue
            options = list(list_options(rising, observed, measure, series, material, lang))
            setting = f", {series.setting}" if series.setting else ""
            print_table(console, _table(options), f"{LANGUAGE_NAMES[lang]}: {measure.name}{setting}")
            commands |= {f"{option.name}{setting}": option.command for option in options if option.command}
    if not commands:
        raise ConfigError(
            "plan: no curve to narrow; it needs at least three arms that differ in data.ratio only, the arm "
            "data.ratio=general, and answers or judgments of six prompts or more in which no two arms are exactly alike"
        )
    console.print(NOTE)
    for name, command in commands.items():
        console.print(f"\n{name}\n  {command}", soft_wrap=True)  # unbroken, so that it can be copied


def _main_measures(material: Material, series: Series) -> Iterator[tuple[str, Measure, Observed]]:
    """Yield (language, measure, its responses) for each language, with the first measure that gives a curve.

    The measure must have a margin, FEWEST_DOSES doses or more, and differences from general data alone; preference is
    tried first. A language without such a measure is left out.
    """
    inputs = series.cells, series.reference, material.answers, material.compared, 0.1
    measured = [(measure, part) for measure, part in observations(*inputs) if measure.margin is not None]
    for lang in LANGUAGES:
        for measure, part in measured:
            observed = estimate(part.filter(lang=lang), measure, series.doses, series.reference)
            if (
                observed is not None
                and observed.differences is not None
                and len(set(observed.levels.doses)) >= FEWEST_DOSES
            ):
                yield lang, measure, observed
                break


def _make_rising(observed: Observed, measure: Measure) -> Responses | None:
    """Return the differences from general data alone, signed so that more is better, smoothed by the fitted curves.

    At each dose the measured difference is replaced by the curves' average; errors stay. Return None if no curve can be
    fitted. `observed` must have differences.
    """
    rising = observed.make_rising(measure)
    fitted = fit_with_weights(rising)
    return None if fitted is None else replace(rising, values=fitted.average(rising.doses, rising.doses))


def list_options(
    rising: Responses, observed: Observed, measure: Measure, series: Series, material: Material, lang: str
) -> Iterator[Option]:
    """Yield the present design, an arm at each of `candidate_doses`, one more seed of each arm, and more prompts.

    Args:
        rising: what `_make_rising` returns for `observed`.
    """
    judged = measure.name in (PREFERENCE, BY_JUDGES)
    costs = _costs(material, series, lang, judged)
    arms = [arm for arm in material.arms if arm.name in series.cells]
    of_pair = max(observed.prompts)  # of one arm and general data alone, if judged
    prompts = _count_judged(material, lang, by_judges=measure.name == BY_JUDGES) if judged else of_pair
    study, settings = material.study.name, _overrides(arms)
    creative = [arm.manifest().data.examples("creative") for arm in arms]
    yield Option("as it is", rising, 0.0, 0.0, "")
    fitted = fit_with_weights(rising)
    assert fitted is not None
    for dose in candidate_doses(rising.doses):
        level = float(fitted.average(np.array([dose]), rising.doses)[0])
        training = _product(costs.per_example, (1 + dose) * max(creative, default=0)) if arms else None
        rater = _product(costs.per_answer, 2 * of_pair) if judged else 0.0
        command = f"python train.py study={study} data.ratio=1:{dose:g}{settings}"
        yield Option(f"arm at R = {dose_text(dose, dose)}", add_arm(rising, dose, level), training, rater, command)
    seeds = max(1, round(len(series.cells) / max(1, len(series.names))))
    ratios = ",".join(dict.fromkeys(arm.manifest().data.ratio for arm in arms))
    yield Option(
        "one more seed (at best)",
        scale_error(rising, seeds / (seeds + 1), seeds / (seeds + 1)),
        sum(arm.manifest().times.seconds or 0 for arm in arms) / 3600 / seeds if arms else None,
        _product(costs.per_prompt, prompts / seeds) if judged else 0.0,
        f"python train.py -m study={study} seed={unused_seed(arms, seeds)} data.ratio={ratios or '…'}{settings}",
    )
    yield Option(
        f"{MORE_PROMPTS} more prompts",
        scale_error(rising, prompts / (prompts + MORE_PROMPTS)),
        0.0,
        _product(costs.per_prompt, MORE_PROMPTS) if judged else 0.0,
        f"python generate.py study={study} queries=FILE",
    )


def unused_seed(arms: Sequence[Arm], seeds: int) -> int:
    """Return the smallest seed of which no arm was trained; without arms, `seeds`, the number of their seeds."""
    trained = {arm.manifest().seed for arm in arms} or set(range(seeds))
    return next(seed for seed in count() if seed not in trained)


def candidate_doses(doses: Sequence[float] | np.ndarray) -> list[float]:
    """Return the dose in the middle of each gap on log₂(1 + dose), and the one where 1 + dose is twice the last.

    Doses have two significant digits; a dose of 0 is left out.
    """
    places = np.log2(1 + np.unique(doses))
    middle = [*(places[1:] + places[:-1]) / 2, places[-1] + 1]
    found = [float(f"{2**place - 1:.2g}") for place in middle]
    return [dose for dose in found if dose > 0]


def _product(rate: float | None, count: float) -> float | None:
    """Return rate × count; None if the rate is not known."""
    return None if rate is None else rate * count


def _count_judged(material: Material, lang: str, *, by_judges: bool) -> int:
    """Return the number of prompts with verdicts of people, or of model judges, on any pair of arms."""
    assert material.compared is not None
    verdicts = material.compared.verdicts.filter(lang=lang)
    of_them = pl.col("rater").is_in(list(material.compared.judges)) == by_judges
    return verdicts.filter(of_them)["query_id"].n_unique()


def _costs(material: Material, series: Series, lang: str, judged: bool) -> Costs:
    """Return what training cost by the manifests, and what people's rankings and verdicts on pairs cost.

    The first is None if no manifest records its time, the others unless `judged` and some judgment in `lang` does.
    """
    manifests = [arm.manifest() for arm in material.arms]
    seconds = sum(manifest.times.seconds or 0 for manifest in manifests)
    examples = sum(group.examples for manifest in manifests for group in manifest.data.train)
    per_example = seconds / 3600 / examples if seconds and examples else None
    comparing = [one for one in material.judged or () if one.lang == lang and one.kind in ("ranking", "pairwise")]
    timed = [one for one in comparing if one.seconds is not None] if judged else []
    if not timed:
        return Costs(per_example, None, None)
    hours = sum(one.seconds or 0 for one in timed) / 3600
    compared = {(one.query_id, frozenset(one.arms)) for one in timed}
    per_answer = hours / sum(len(arms) for _, arms in compared)
    names = {name for one in timed for name in one.arms}
    share = len(names & series.cells.keys()) / len(names)
    return Costs(per_example, per_answer, share * hours / len({query for query, _ in compared}))


def _overrides(arms: Sequence[Arm]) -> str:
    """Return train.py's overrides, a space before each, for the first arm's settings that differ from the defaults.

    Ratio, seed, study, arm and what bears on no result are left out. If a setting cannot be given as an override, such
    as that of another optimizer, the text ends in " …". Without arms it is "".
    """
    if not arms:
        return ""
    wanted, usual = (flatten(dump_config(config)) for config in (arms[0].config(), config_of("train", TrainConfig, [])))
    named = ("arm", "study", "seed", "data.ratio", "format")
    keys = [key for key in wanted if bears_on_results(key) and key not in named and wanted[key] != usual.get(key)]
    plain = [key for key in keys if key in usual and isinstance(wanted[key], str | int | float | bool)]
    listed = "".join(f" {write_override(key, wanted[key])}" for key in plain)
    return listed + (" …" if len(plain) < len(keys) else "")


def _table(options: Sequence[Option]) -> Table:
    """Simulate each option and return the table: the present design first, then by the width of the interval."""
    largest = max(float(option.design.doses[-1]) for option in options)
    expected = [expect_interval(option.design, largest) for option in options]
    now = expected[0].width
    order = [0, *sorted(range(1, len(options)), key=lambda index: expected[index].width)]
    rows = [_row(options[index], expected[index], now) for index in order]
    return Table(SHOWN, tuple(heading == SHOWN[0] for heading in SHOWN), tuple(rows))


def _row(option: Option, expected: Expected, now: float) -> tuple[str, ...]:
    """Return the table's cells for one option; `now` is the expected width of the present design's interval."""
    limits = range_text(expected.low, expected.high, float(option.design.doses[-1]))
    narrower = number(100 * (1 - expected.width / now), 0) if option.command and now else NONE
    return option.name, limits, narrower, number(option.training_hours, 2), number(option.rater_hours, 1)


if __name__ == "__main__":
    run_tool(main)
