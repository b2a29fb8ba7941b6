"""Compute how many prompts, raters and seeds a study needs.

python -m coig.evaluation.power effect=0.6 raters=4
python -m coig.evaluation.power effect=0.6 judge=multirun/demo/evaluation/judges/NAME.json

effect     the win rate to detect, between 0.5 and 1
raters     number of people who judge every prompt; with a judge's card, by default that of the card
agreement  correlation of two raters' verdicts on one prompt (0.2)
taste      standard deviation of raters' own win rates: how much their tastes differ (0.05)
power      the probability of detecting it (0.8)
spread     standard deviation of an arm's win rate between seeds: how much training runs differ (0.03)
judge      the card of a model judge: how many prompts it saves people, how many calls that takes, and what they cost
pairs      with judge: pairs of arms that are compared (1)
prompt_price, reply_price   with judge: price of a million tokens, in any currency
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from rich.table import Table

from coig.config.process import run_tool
from coig.display.numbers import LANGUAGE_NAMES
from coig.display.terminal import make_console, make_table, print_table
from coig.errors import ConfigError, suggestion
from coig.evaluation.power_with_judge import ASSUMED, MOST_RATERS, WITH_JUDGE, WRITTEN, design_table, parse_judge
from coig.statistics.power import Design

SEEDS = (1, 2, 3, 4, 5, 8, 12)


def parse_design(arguments: Sequence[str]) -> Design:
    """Parse `key=value` arguments into a design; effect and raters must be given, other keys have defaults.

    Raises ConfigError for a missing or unknown key, or a value that is no number or out of range.
    """
    known = {field.name: int if field.name == "raters" else float for field in fields(Design)}
    given: dict[str, float] = {}
    typed = {}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key in WITH_JUDGE:
            raise ConfigError(f"{key}: only beside judge=FILE, a judge's card; {WRITTEN}")
        if key not in known:
            raise ConfigError(f"{key or argument}: unknown" + suggestion(key, [*known, *WITH_JUDGE]))
        try:
            given[key], typed[key] = known[key](value), value
        except ValueError:
            raise ConfigError(f"{argument}: not a number; give for example effect=0.6 raters=4") from None
    if missing := [key for key in ("effect", "raters") if key not in given]:
        raise ConfigError(f"{missing[0]}: not set; give for example effect=0.6 raters=4")
    design = Design(**given)  # type: ignore[arg-type]
    ranges = {
        "effect": 0.5 < design.effect < 1,
        "raters": 1 <= design.raters <= MOST_RATERS,
        "agreement": 0 <= design.agreement <= 1,
        "taste": 0 <= design.taste <= 0.5,  # no rates of 0 to 1 spread more
        "power": 0 < design.power < 1,
        "spread": 0 <= design.spread <= 0.5,
    }
    if wrong := [key for key, is_sound in ranges.items() if not is_sound]:
        bounds = {"effect": "between 0.5 and 1", "raters": f"1 to {MOST_RATERS:,}", "agreement": "0 to 1"}
        bounds |= dict.fromkeys(("taste", "spread"), "0 to 0.5")
        raise ConfigError(f"{wrong[0]}={typed[wrong[0]]}: must be {bounds.get(wrong[0], 'between 0 and 1')}")
    return design


def main(arguments: Sequence[str]) -> None:
    """Print how many prompts are needed with 1, 2, the given and twice the given number of raters, and by seeds.

    Print also which difference 204 and 353 prompts, the paper's numbers, can detect. With a judge's card, print instead
    how many prompts people need beside the judge. Raise ConfigError for a wrong argument.
    """
    if any(argument.startswith("judge=") for argument in arguments):
        _print_with_judge(arguments)
        return
    design = parse_design(arguments)
    console = make_console()
    title = f"Prompts needed to detect a win rate of {100 * design.effect:g} % with {100 * design.power:g} % power"
    table = make_table(title)
    for heading in ("raters", "these raters, new prompts", "new raters too"):
        table.add_column(heading, justify="right")
    for raters in sorted({1, 2, design.raters, 2 * design.raters}):
        other = design.prompts_for_new_raters(raters)
        cells = str(raters), f"{design.prompts(raters):,}", f"{other:,}" if other else "more raters are needed"
        table.add_row(*cells, style="bold" if raters == design.raters else "")
    console.print(table)
    console.print(_table_of_seeds(design))
    console.print(
        f"Assumed: correlation of two raters' verdicts {design.agreement:g}, "
        f"standard deviation of tastes {design.taste:g}."
    )
    console.print(
        f"Standard deviation between seeds {design.spread:g}; a study's own is in its report, under Noise floor."
    )
    for prompts in (204, 353):
        points = 100 * design.detectable(prompts, design.raters)
        console.print(
            f"{prompts} prompts and {design.raters} raters can detect a difference of {points:.1f} points from 50 %."
        )


def _table_of_seeds(design: Design) -> Table:
    """Return the table of the prompts needed so that the win rate holds for newly trained arms, for each of SEEDS.

    Where no number of prompts is enough, the row says that more seeds are needed.
    """
    table = make_table(f"Prompts needed with {design.raters} raters, so that it holds for new seeds of both arms")
    for heading in ("seeds an arm", "new prompts, new seeds"):
        table.add_column(heading, justify="right")
    for seeds in SEEDS:
        needed = design.prompts_for_new_seeds(seeds, design.raters)
        table.add_row(str(seeds), f"{needed:,}" if needed else "more seeds are needed")
    return table


def _print_with_judge(arguments: Sequence[str]) -> None:
    """Print for each language of a judge's card how many prompts people need, and what the judge's calls cost.

    Languages in which people judged none of the judge's pairs are left out. Without `raters=`, the card's number is
    used. Raise ConfigError for a wrong argument or card.
    """
    own = [argument for argument in arguments if argument.partition("=")[0] in WITH_JUDGE]
    rest = [argument for argument in arguments if argument not in own]
    card, prices = parse_judge(own)
    console = make_console()
    for lang, worth in card.worths().items():
        named = any(argument.startswith("raters=") for argument in rest)
        design = parse_design(rest if named else [*rest, f"raters={max(1, round(worth.raters))}"])
        aim = f"to detect {100 * design.effect:g} %, {design.raters} raters"
        title = f"{LANGUAGE_NAMES[lang]}: people and {card.judge}, {aim}"
        print_table(console, design_table(design, card, lang, prices), title)
    console.print(ASSUMED)


if __name__ == "__main__":
    run_tool(main)
