"""Long names of arms are shown short, the same way everywhere, and told in full once."""

from __future__ import annotations

import io
import json
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from rich.cells import cell_len
from rich.console import Console

from coig.config import TrainConfig
from coig.config.command_line import config_of
from coig.config.names import shorten_name, shorten_setting
from coig.config.stages import EvaluateConfig
from coig.display.figures import figure_style
from coig.display.terminal import print_table
from coig.evaluation import evaluate
from coig.evaluation.findings.summary import Summary
from coig.evaluation.preferences.win_rates import SCHEMA as WIN_RATES
from coig.evaluation.report.figures import draw_figures
from coig.evaluation.report.latex import render_latex_tables
from coig.evaluation.report.page import render_page, render_summary
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.short_names import make_short_names, shorten_names
from coig.evaluation.report.tables import AUTOMATIC, name_table, win_rate_matrix
from tests.evaluation.synthetic_frames import automatic, behaviour, evaluation
from tests.studies import make_answer, make_arm, make_manifest, roster_of

VARY = ("model.learning_rate", "trainer.global_batch_size")
ENDINGS = [f"-learning_rate_{rate}-global_batch_size_{batch}" for rate, batch in product(("0.001", "0.002"), (1, 16))]
SWEEP = [arm + ending for arm in ("cw", "cw+10k", "general") for ending in ENDINGS]
SHORT = {
    "cw-learning_rate_0.001-global_batch_size_1": "cw lr=0.001 batch=1",
    "cw-learning_rate_0.001-global_batch_size_16": "cw lr=0.001 batch=16",
    "cw-learning_rate_0.002-global_batch_size_1": "cw lr=0.002 batch=1",
    "cw-learning_rate_0.002-global_batch_size_16": "cw lr=0.002 batch=16",
    "cw+10k-learning_rate_0.001-global_batch_size_1": "cw+10k lr=0.001 batch=1",
    "cw+10k-learning_rate_0.001-global_batch_size_16": "cw+10k lr=0.001 batch=16",
    "cw+10k-learning_rate_0.002-global_batch_size_1": "cw+10k lr=0.002 batch=1",
    "cw+10k-learning_rate_0.002-global_batch_size_16": "cw+10k lr=0.002 batch=16",
    "general-learning_rate_0.001-global_batch_size_1": "general lr=0.001 batch=1",
    "general-learning_rate_0.001-global_batch_size_16": "general lr=0.001 batch=16",
    "general-learning_rate_0.002-global_batch_size_1": "general lr=0.002 batch=1",
    "general-learning_rate_0.002-global_batch_size_16": "general lr=0.002 batch=16",
}


def rates(names: list[str]) -> pl.DataFrame:
    """Win rates of all pairs of the named arms, in Chinese, without intervals."""
    pairs = [(a, b) for a in names for b in names if a != b]
    rows = [{"lang": "zh", "arm": a, "opponent": b, "rate": 0.5, "prompts": 9} for a, b in pairs]
    return pl.DataFrame(rows, schema=WIN_RATES)


def renamed(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The first arm's Chinese rows of a frame, for each of the names."""
    first = frame.filter(arm=frame["arm"][0], lang="zh")
    return pl.concat([first.with_columns(arm=pl.lit(name)) for name in names])


@pytest.mark.parametrize(
    ("name", "vary", "short"),
    [
        ("cw+1k-learning_rate_0.001-global_batch_size_2", VARY, "cw+1k lr=0.001 batch=2"),
        ("cw+10k-outcome-s1-learning_rate_1e-05", VARY, "cw+10k-outcome-s1 lr=1e-05"),
        ("cw-path_my-data_v2-rank_8", ("data.creative.path", "model.lora.rank"), "cw path=my-data_v2 rank=8"),
        ("cw-model_lora_rank16-max_epochs_3", ("model/lora", "trainer.max_epochs"), "cw model_lora=rank16 epochs=3"),
        ("cw+1k-en_gsm8k", ("source@data.general.en",), "cw+1k en=gsm8k"),
        ("cw-rank_8-rank_of_9", ("a.rank", "b.rank_of"), "cw rank=8 rank_of=9"),
        ("cw+10k-learning_rate_0.001@0.5", VARY, "cw+10k lr=0.001@0.5"),
        ("my_learning_rate_study", VARY, "my_learning_rate_study"),
        ("cw-learning_rate_0.001", (), "cw-learning_rate_0.001"),
    ],
)
def test_settings_in_a_name_are_written_as_people_write_them(name: str, vary: tuple[str, ...], short: str) -> None:
    assert shorten_name(name, vary) == short


def test_settings_are_written_as_in_names() -> None:
    setting = "supervision outcome, model.learning_rate 0.001, trainer.global_batch_size 2, queries held_out"
    assert shorten_setting(setting, VARY) == "supervision outcome, lr=0.001, batch=2, queries held_out"
    assert shorten_setting("", VARY) == ""


@given(
    st.lists(
        st.tuples(st.sampled_from(["cw", "cw+1k", "x" * 70]), st.text("ab-_.=1", max_size=70)).map("-lr_".join),
        unique=True,
    )
)
def test_no_two_arms_have_one_short_name(names: list[str]) -> None:
    short = make_short_names(names, ("optimizer.lr", "model.a", "model.a-b"))
    assert len(set(short.values())) == len(names)


def test_a_name_that_is_still_too_wide_loses_its_middle_unless_another_would_be_called_so() -> None:
    different, alike = "a" * 90 + "b" * 30, ["x" * 60 + middle + "y" * 60 for middle in "12"]
    assert make_short_names([different, *alike, "cw", "武" * 40], ()) == {
        different: "aaaaaaaaaaaaaaa…bbbbbbbbbbbbbbb",
        **{name: name for name in alike},
        "cw": "cw",
        "武" * 40: "武" * 15 + "…" + "武" * 15,
    }


def test_short_names_stand_everywhere_and_full_ones_once() -> None:
    first, other = SWEEP[0], SWEEP[-1]
    settings = pl.DataFrame({"setting": ["model.learning_rate 0.001, queries q"]})
    shown = shorten_names(
        Evaluation(
            "s",
            roster_of(SWEEP),
            {"win_rates": rates(SWEEP), "dose_curves": settings},
            notes=(f"{first} and {other} were compared on 3 of 9 prompts.",),
            manifests=[make_manifest(first)],
            judges=(Summary("zh", f"{first} wins.", (f"So does {other}.",)),),
            varied=VARY,
        )
    )
    assert set(shown.arms) == set(shown.tables["win_rates"]["arm"]) == set(SHORT.values())
    assert shown.tables["dose_curves"]["setting"].to_list() == ["lr=0.001, queries q"]
    assert shown.notes == ("cw lr=0.001 batch=1 and general lr=0.002 batch=16 were compared on 3 of 9 prompts.",)
    assert shown.manifests[0].arm == "cw lr=0.001 batch=1"
    assert shown.judges == (Summary("zh", "cw lr=0.001 batch=1 wins.", ("So does general lr=0.002 batch=16.",)),)
    assert shown.full_names == {short: full for full, short in SHORT.items()}
    page, summary = render_page(shown, {}), render_summary(shown)
    assert [page.count(name + "<") for name in SWEEP] == [summary.count(name + " |") for name in SWEEP] == [1] * 12
    assert render_latex_tables(shown)["names"].count("learning\\_rate") == 12


def test_names_that_are_short_enough_stay_as_commands_take_them() -> None:
    names = ["cw-learning_rate_0.001", "general-learning_rate_0.001"]
    shown = shorten_names(Evaluation("s", roster_of(names), {"win_rates": rates(names)}, varied=VARY))
    assert shown.arms == tuple(names)
    assert shown.full_names == {}
    assert "Names in full" not in render_page(shown, {}) + render_summary(shown)
    assert shorten_names(evaluation()).arms == evaluation().arms


def test_an_arm_without_its_seed_and_a_point_are_shortened_too() -> None:
    arms = [f"cw-s{seed}{ENDINGS[0]}" for seed in (1, 2)]
    cell, point = f"cw{ENDINGS[0]}", f"{arms[0]}@0.5"
    frame = pl.DataFrame({"arm": [*arms, cell, point], "note": [f"{cell} beats {arms[1]}", "", "", ""]})
    shown = shorten_names(Evaluation("s", roster_of(arms), {"t": frame}, varied=VARY)).tables["t"]
    assert shown["arm"].to_list() == [
        *("cw-s1 lr=0.001 batch=1", "cw-s2 lr=0.001 batch=1", "cw lr=0.001 batch=1", "cw-s1 lr=0.001 batch=1@0.5")
    ]
    assert shown["note"][0] == "cw lr=0.001 batch=1 beats cw-s2 lr=0.001 batch=1"


def test_a_long_name_that_another_begins_with_is_not_taken_for_it() -> None:
    first, second = (f"cw+10k-outcome-learning_rate_0.001{end}" for end in ("", "5"))
    frame = pl.DataFrame({"arm": [first, second], "note": [f"{second} beats {first}", ""]})
    notes = (f"{first}, {second}",)
    shown = shorten_names(Evaluation("s", roster_of((first, second)), {"t": frame}, notes=notes, varied=VARY))
    assert shown.tables["t"]["arm"].to_list() == ["cw+10k-outcome lr=0.001", "cw+10k-outcome lr=0.0015"]
    assert shown.tables["t"]["note"][0] == "cw+10k-outcome lr=0.0015 beats cw+10k-outcome lr=0.001"
    assert shown.notes == ("cw+10k-outcome lr=0.001, cw+10k-outcome lr=0.0015",)


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_each_short_name_on_one_line(width: int) -> None:
    chinese = [f"cw-path_武侠小说{n}-learning_rate_0.001" for n in range(3)]
    short = {**SHORT, **{name: f"cw path=武侠小说{n} lr=0.001" for n, name in enumerate(chinese)}}
    names = [*SWEEP, *chinese]
    tables = {"win_rates": rates(names), "automatic": renamed(automatic(), names)}
    shown = shorten_names(Evaluation("s", roster_of(names), tables, varied=(*VARY, "data.creative.path")))
    console = Console(width=width, file=io.StringIO(), markup=False)
    for table in (win_rate_matrix(shown.tables["win_rates"], shown.roster), AUTOMATIC.fill(shown)[0][1]):
        console.file = io.StringIO()
        print_table(console, table)
        lines = console.file.getvalue().splitlines()
        assert max(map(cell_len, lines)) <= width
        for name in short.values():
            assert any(f" {name} " in line for line in lines)
    console.file = io.StringIO()
    print_table(console, name_table(shown.full_names))
    printed = console.file.getvalue()
    assert [printed.count(f" {full} ") for full in names] == [1] * len(names)


def test_figures_have_room_for_short_names() -> None:
    tables = {
        "automatic": renamed(automatic(), SWEEP),
        "behaviour": renamed(behaviour(), SWEEP),
        "win_rates": rates(SWEEP),
    }
    figures = draw_figures(shorten_names(Evaluation("s", roster_of(SWEEP), tables, varied=VARY)))
    assert set(figures) == {"contamination_zh", "behaviour_zh", "win_rates_zh"}
    for figure in figures.values():
        canvas = FigureCanvasAgg(figure)
        with figure_style():
            canvas.draw()  # type: ignore[no-untyped-call]
        inside = figure.bbox.padded(1)
        texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        beyond = [text for text in texts if Bbox.union([inside, text.get_window_extent()]).bounds != inside.bounds]
        assert [text.get_text() for text in beyond] == []
    columns = figures["contamination_zh"]
    assert {text.get_text() for text in columns.axes[0].get_xticklabels()} == set(SHORT.values())
    [title] = [text for text in columns.texts if text.get_text() == "Chinese queries"]
    assert columns.axes[0].yaxis.label.get_window_extent().y1 < title.get_window_extent().y0
    panels = figures["behaviour_zh"].axes
    for left, right in zip(panels[:12:2], panels[1:12:2], strict=True):
        titles = [axes._left_title.get_window_extent() for axes in (left, right)]  # type: ignore[attr-defined]
        assert titles[0].x1 < titles[1].x0


def test_the_report_of_a_sweep_over_two_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for ratio, rate in product(("0", "general"), ("1e-3", "2e-3")):
        overrides = (f"model.learning_rate={rate}", "trainer.global_batch_size=2", f"vary=[{','.join(VARY)}]")
        name = config_of_arm(ratio, *overrides)
        arm = make_arm(tmp_path / "multirun" / "s" / name, *overrides, ratio=ratio)
        arm.generations("sample").parent.mkdir()
        answer = make_answer(name, "zh-1").model_dump(mode="json")
        arm.generations("sample").write_text(json.dumps(answer) + "\n", encoding="utf-8")
    evaluate(config_of("evaluate", EvaluateConfig, ["study=s"]))
    folder = tmp_path / "multirun" / "s" / "evaluation"
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "| general lr=0.002 batch=2 | general-learning_rate_0.002-global_batch_size_2 |" in summary
    assert pl.read_csv(folder / "automatic.csv")["arm"].to_list() == [
        *("cw-learning_rate_0.001-global_batch_size_2", "cw-learning_rate_0.002-global_batch_size_2"),
        *("general-learning_rate_0.001-global_batch_size_2", "general-learning_rate_0.002-global_batch_size_2"),
    ]


def config_of_arm(ratio: str, *overrides: str) -> str:
    """The name that train.py gives an arm."""
    return config_of("train", TrainConfig, [f"data.ratio={ratio}", *overrides]).arm
