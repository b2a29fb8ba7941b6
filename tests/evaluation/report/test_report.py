"""From generation records to tables and the report, on two arms whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from matplotlib.patches import Rectangle

from coig.config import EvaluateConfig, Logger, Rating
from coig.config.stages import Claims
from coig.errors import ConfigError
from coig.evaluation.measures.answers import measure_answers
from coig.evaluation.measures.tables import METRICS, automatic_table, comparison_table
from coig.evaluation.report.figures import draw_figures
from coig.evaluation.report.results import Evaluation
from coig.evaluation.run import evaluate
from coig.study.answers import choose_answers
from coig.study.arm import Arm
from coig.study.find import find_arms, make_roster
from tests.studies import make_arm, roster_of
from tests.training.wandb_file import read_records

CONFIG = EvaluateConfig(
    study="s",
    arms=None,
    queries=("queries",),
    judgments=(),
    database=None,
    answers=(),
    labels=(),
    rating=Rating(scale=(0, 3)),
    claims=Claims(margin=10),
    real_names=False,
)


def record(arm: str, query: str, lang: str, answer: str, **fields: Any) -> dict[str, Any]:
    return {
        "query_id": query,
        "lang": lang,
        "genre": "poetry",
        "query": f"query {query}",
        "arm": arm,
        "reasoning": "because",
        "answer": answer,
        "answer_tokens": len(answer),
        "finish_reason": "stop",
        "seed": 0,
        "sampling": {"temperature": 0.7},
        **fields,
    }


ANSWERS = {
    "general": [("en-1", "en", "a b a c"), ("en-2", "en", "他走了。"), ("zh-1", "zh", "春天来了"), ("zh-2", "zh", "")],
    "cw": [
        ("en-1", "en", "他走了"),
        ("en-2", "en", "yes 他"),
        ("zh-1", "zh", "<script>alert(1)</script>"),
        ("zh-2", "zh", "好"),
    ],
}


RATIOS = {"general": "general", "cw": "0"}


def measured(study: Path) -> pl.DataFrame:
    arms = find_arms(study, None)
    return measure_answers(choose_answers(arms, ["queries"]), make_roster(arms))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("multirun") / "s"
    for name, answers in ANSWERS.items():
        arm = make_arm(folder / name, ratio=RATIOS[name])
        file = arm.generations("queries")
        file.parent.mkdir()
        rows = [record(name, *answer) for answer in answers]
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_the_tables_figures(study: Path) -> None:
    table = automatic_table(measured(study))
    rows = {(row["lang"], row["arm"]): row for row in table.iter_rows(named=True)}
    assert list(rows) == [("zh", "cw"), ("zh", "general"), ("en", "cw"), ("en", "general")]
    english = rows["en", "general"]
    assert (english["ttr_mean"], english["contaminated"], english["finished"]) == (0.875, 0.5, 1.0)  # 0.75 and 1.0
    assert (rows["en", "cw"]["contaminated"], rows["en", "cw"]["contaminated_any"]) == (0.5, 1.0)
    chinese = rows["zh", "general"]
    assert (chinese["characters"], chinese["empty"], chinese["finished"]) == (2.0, 1, 0.5)


def test_the_report_is_whole_offline_and_escaped(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(CONFIG)
    names = {str(path.relative_to(study / "evaluation")) for path in (study / "evaluation").rglob("*.*")}
    frames = [
        *("answers", "automatic", "behaviour", "behaviour_shares", "claims", "comparisons", "genres", "measures"),
        *("recurring", "signatures"),
    ]
    measures = ("length", "ttr", "contamination", "behaviour")  # no answer is long enough for MATTR
    drawn = [f"{measure}_{lang}" for measure in measures for lang in ("zh", "en")]
    assert names == {
        *("report.html", "summary.md", "latex/automatic_zh.tex", "latex/automatic_en.tex"),
        *(f"{name}.{kind}" for name in frames for kind in ("csv", "parquet")),
        *(f"figures/{name}.{kind}" for name in drawn for kind in ("svg", "png")),
    }
    page = (study / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "\\u003cscript\\u003ealert(1)" in page
    assert "<script>alert" not in page
    assert "src=" not in page
    assert page.count("<svg") == len(drawn)
    assert "Chinese queries" in capsys.readouterr().out


def test_of_an_arm_whose_answers_are_mostly_empty_no_language_is_told(study: Path) -> None:
    for name, texts in (("general", ["", "", "Once."]), ("cw", ["", "他走了", "yes"])):
        rows = [record(name, f"en-{place}", "en", text) for place, text in enumerate(texts)]
        file = study / name / "generations" / "queries.jsonl"
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    table = automatic_table(measured(study))
    columns = ("arm", "empty", "foreign", "contaminated", "contaminated_high")
    expected = [("cw", 1, 1, 1 / 3, pytest.approx(0.79, abs=0.01)), ("general", 2, None, None, None)]
    assert table.select(columns).rows() == expected
    evaluate(CONFIG)
    claims = pl.read_csv(study / "evaluation" / "claims.csv")
    [row] = claims.filter(pl.col("claim").str.contains("in Chinese")).to_dicts()
    assert (row["status"], row["why"]) == ("not measured", "general: 2 of 3 answers are empty")
    summary = (study / "evaluation" / "summary.md").read_text(encoding="utf-8")
    assert (
        "- English queries: many answers are empty: cw 1 of 3, general 2 of 3. "
        "What language they answer in is not measured for general."
    ) in summary


def test_no_bar_is_cut_off(study: Path) -> None:
    answers = measured(study)
    tables = {"automatic": automatic_table(answers), "answers": answers}
    evaluation = Evaluation("s", roster_of(("cw", "general")), tables)
    [axes] = draw_figures(evaluation)["contamination_en"].axes
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    assert max(bar.get_height() for bar in bars) == 50.0
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] >= 100


def test_a_report_of_all_arms_is_not_replaced_without_a_word(study: Path, caplog: pytest.LogCaptureFixture) -> None:
    evaluate(CONFIG)
    evaluate(CONFIG)
    told = "the report of 2 arms is replaced by one of 1 arm; without arms=[…] it is of all arms again"
    assert told not in caplog.text
    evaluate(CONFIG.model_copy(update={"arms": ("cw",)}))
    assert told in caplog.text


def test_queries_that_were_not_answered_say_what_answers_them(study: Path) -> None:
    told = "no arm has generations/mine.jsonl, which generate.py study=s queries=mine.jsonl writes; known here: queries"
    with pytest.raises(ConfigError, match=told):
        evaluate(CONFIG.model_copy(update={"queries": ("mine",)}))


def test_same_input_same_bytes(study: Path) -> None:
    def files() -> dict[str, bytes]:
        evaluate(CONFIG)
        return {path.name: path.read_bytes() for path in (study / "evaluation").rglob("*.*")}

    assert files() == files()


def test_an_arm_that_misses_queries_is_said(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = Arm(study / "cw").generations("queries")
    file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:3]), encoding="utf-8")
    evaluate(CONFIG)
    note = "cw has answered 3 of 4 queries"
    assert note in capsys.readouterr().out.replace("\n", " ")
    assert note in (study / "evaluation" / "report.html").read_text(encoding="utf-8")


def test_each_seed_may_hold_out_its_own_prompts(study: Path) -> None:
    for name in ANSWERS:
        for seed, prompts in ((0, ("a", "b")), (1, ("b", "c", "d"))):
            arm = make_arm(study / (f"{name}-s1" if seed else name), f"seed={seed}", ratio=RATIOS[name], seed=seed)
            asked = {
                "queries": [answer[:2] for answer in ANSWERS[name]],
                "held_out": [(f"held-{p}", "en") for p in prompts],
            }
            for queries, ids in asked.items():
                rows = [record(arm.name, *query, "He left.") for query in ids]
                file = arm.generations(queries)
                file.parent.mkdir(exist_ok=True)
                file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CONFIG.model_copy(update={"queries": ("queries", "held_out")})
    evaluate(config)
    told = (study / "evaluation" / "summary.md").read_text(encoding="utf-8")
    assert "- Arms of different seeds have answered different held-out prompts (seed 0: 2, seed 1: 3): " in told
    assert "has answered" not in told
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    evaluate(config)
    told = (study / "evaluation" / "summary.md").read_text(encoding="utf-8")
    assert f"- {arm.name} has answered 6 of 7 queries: its figures are not comparable with the others'." in told
    assert told.count("has answered") == 1


def test_the_halves_that_are_compared_are_described(study: Path) -> None:
    halves = {
        "cw": ("low", {"words": 195.625, "ttr": 0.7271}, {"words": 63.4833, "ttr": 0.5788}),
        "general": ("high", {"words": 195.4583, "ttr": 0.7916}, {"words": 63.1, "ttr": 0.6402}),
    }
    for name, (half, creative, general) in halves.items():
        sources = [
            {"pool": "data.creative", "diversity": creative},
            {"pool": "data.validation.source"},
            {"pool": "data.general.zh", "diversity": general},
        ]
        make_arm(
            study / name,
            *(f"data.creative.filters.diversity={half}", f"data.general.zh.filters.diversity={half}"),
            "vary=[data.creative.filters.diversity]",
            "question={ask: 'Is it diversity?', compare: data.creative.filters.diversity, baseline: low}",
            ratio="1k",
            data={"sources": sources},
        )
    evaluate(CONFIG)
    folder = study / "evaluation"
    lines = (
        "Halves of data.creative, mean per text: low 195.6 words, TTR 0.727; high 195.5 words, TTR 0.792.",
        "Halves of data.general.zh, mean per text: low 63.5 words, TTR 0.579; high 63.1 words, TTR 0.640.",
    )
    told = (folder / "summary.md").read_text(encoding="utf-8")
    assert "**Is it diversity?**\n\n" + "\n\n".join(lines) + "\n\nChinese queries: Not judged" in told
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(f"<p>{line}</p>" in page for line in lines)


def test_a_damaged_line_and_a_double_answer_are_refused(study: Path) -> None:
    file = Arm(study / "cw").generations("queries")
    good = file.read_text(encoding="utf-8")
    file.write_text(good + good.splitlines(keepends=True)[0], encoding="utf-8")
    with pytest.raises(ConfigError, match=r"queries\.jsonl:5: damaged \(query en-1 is answered twice\)"):
        evaluate(CONFIG)
    row = json.loads(good.splitlines()[0]) | {"query_id": "new"}
    changes: list[dict[str, Any]] = [{"lang": "fr"}, {"answer": None}, {"answer_tokens": "x"}]
    for line in ('{"query_id": ', "[1]", *(json.dumps(row | change) for change in changes)):
        file.write_text(good + line + "\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"queries\.jsonl:5: damaged"):
            evaluate(CONFIG)
    file.write_text(good + json.dumps(row | {"arm": "general"}) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"queries\.jsonl:5: is an answer of arm general, in the folder of arm cw"):
        evaluate(CONFIG)
    assert not (study / "evaluation").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling": {"temperature": 1.0}}, "not comparable; answer with the same settings"),
        ({"seed": 1}, "cw was asked with seed 0, general with 1"),
        ({"query": "another text"}, "query en-1 has another text for general"),
    ],
)
def test_arms_asked_differently_are_not_compared(study: Path, change: dict[str, Any], message: str) -> None:
    file = Arm(study / "general").generations("queries")
    rows = [json.loads(line) | change for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        evaluate(CONFIG)


def test_a_query_in_two_files_of_queries_is_refused(study: Path) -> None:
    """It would count twice."""
    for arm in find_arms(study, None):
        first, *_ = arm.generations("queries").read_text(encoding="utf-8").splitlines(keepends=True)
        arm.generations("more").write_text(first, encoding="utf-8")
    message = (
        "query en-1 is in two files of queries, queries and more, and would count twice: name one of the files "
        r"\(queries=queries or queries=more\), or give the query another id in one of them and answer that file again"
    )
    with pytest.raises(ConfigError, match=message):
        evaluate(CONFIG.model_copy(update={"queries": ("queries", "more")}))


def test_line_separators_in_an_answer_do_not_split_its_record(study: Path) -> None:
    file = Arm(study / "cw").generations("queries")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows[0]["answer"] = "one\u2028two\u0085three"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    evaluate(CONFIG)
    assert "one\\u2028two\u0085three" in (study / "evaluation" / "report.html").read_text(encoding="utf-8")


VERDICTS = [
    {"query_id": f"zh-{query}", "lang": "zh", "arm_a": "cw", "arm_b": "general", "winner": winner, "rater": "ann"}
    for query, winner in enumerate(["a"] * 8 + ["b"] * 3 + ["tie"] * 2)
]


def judged(rows: list[dict[str, Any]], tmp_path: Path) -> EvaluateConfig:
    file = tmp_path / "verdicts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return CONFIG.model_copy(update={"judgments": (str(file),)})


def test_judgments_beside_answers(study: Path, tmp_path: Path) -> None:
    evaluate(judged(VERDICTS, tmp_path))
    table = pl.read_parquet(study / "evaluation" / "win_rates.parquet")
    row = table.filter((pl.col("arm") == "cw") & pl.col("genre").is_null()).row(0, named=True)
    assert (row["wins"], row["ties"], row["losses"], row["rate"]) == (8, 2, 3, 0.6923076923)  # 9/13
    # of the queries with answers, zh-1 has an English one of cw and zh-2 an empty one of general
    assert row["clean_verdicts"] == 1
    page = (study / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "one rater only" in page


def test_ties_alone_are_said(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tied = [row | {"winner": "tie"} for row in VERDICTS]
    evaluate(judged(tied, tmp_path).model_copy(update={"study": "theirs"}))
    assert "all verdicts are ties" in capsys.readouterr().out.replace("\n", " ")


def test_a_verdict_on_an_arm_that_is_not_there(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"verdicts.jsonl:1: arm 'cw\+9k' is not in this study"):
        evaluate(judged([VERDICTS[0] | {"arm_a": "cw+9k"}], tmp_path))
    assert not (study / "evaluation").exists()


def test_an_evaluation_is_a_run_of_wandb(study: Path) -> None:
    logger = {"_target_": "lightning.pytorch.loggers.WandbLogger", "project": "coig", "group": "s"}
    for name in ANSWERS:
        arm = Arm(study / name)
        arm.write_config(arm.config().model_copy(update={"logger": Logger.model_validate(logger)}))
    evaluate(CONFIG)
    [folder] = (study / "evaluation").glob("wandb/offline-run-*")
    [file] = folder.glob("*.wandb")
    records = list(read_records(file))
    [run] = [record.run for record in records if record.HasField("run")]
    assert (run.run_id, run.run_group, run.job_type) == ("abcd-evaluation", "s", "evaluate")
    scalars = {item.key or item.nested_key[0] for record in records for item in record.summary.update}
    assert "en/cw/contaminated" in scalars
    assert len(list(folder.glob("files/media/images/figures/*.png"))) == 8
    assert len(list(folder.glob("files/media/table/*.json"))) == 3


def test_labels_stand_beside_the_rule(study: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    said = {"arm": "cw", "query_id": "en-1", "step": 0, "label": "deep reasoning", "labeller": "ann"}
    file.write_text(json.dumps(said) + "\n")
    evaluate(CONFIG.model_copy(update={"labels": (str(file),)}))
    table = pl.read_csv(study / "evaluation" / "label_agreement.csv")
    [(labeller, *rest)] = table.select("labeller", "lang", "labels", "equal").rows()
    assert labeller.startswith("rater ")  # a pseudonym
    assert rest == ["en", 1, 1.0]
    assert "labels of steps compared" in (study / "evaluation" / "report.html").read_text(encoding="utf-8")


def test_nothing_of_an_earlier_evaluation_stays(study: Path, tmp_path: Path) -> None:
    evaluate(judged(VERDICTS, tmp_path))
    assert (study / "evaluation" / "win_rates.csv").exists()
    evaluate(CONFIG)
    assert not list((study / "evaluation").rglob("win_rates*"))


def test_what_does_not_fit_the_answers_is_said(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="query zh-1 is en here, zh before"):
        evaluate(judged([row | {"lang": "en"} for row in VERDICTS], tmp_path))
    with pytest.raises(ConfigError, match=r"queries=querys: no arm has .* did you mean 'queries'"):
        evaluate(judged(VERDICTS, tmp_path).model_copy(update={"queries": ("querys",)}))
    with pytest.raises(ConfigError, match="none is about the arms asked for"):
        evaluate(judged(VERDICTS, tmp_path).model_copy(update={"arms": ("cw",)}))
    assert not (study / "evaluation").exists()
    evaluate(judged(VERDICTS, tmp_path))
    page = (study / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "11 of 13 judged queries have no answers here" in page
    assert "no strengths" not in page


def test_shares_that_do_not_vary_are_not_certain() -> None:
    rows = [
        {"lang": "en", "arm": arm, "query_id": str(query)} | dict.fromkeys(METRICS, 0.0) | {"tokens": float(query)}
        for arm in ("cw", "general")
        for query in range(8)
    ]
    table = comparison_table(pl.DataFrame(rows))
    [row] = table.filter(pl.col("metric") == "contaminated").to_dicts()
    assert row["difference"] == 0
    assert row["low"] < -0.2
    assert row["high"] > 0.2
