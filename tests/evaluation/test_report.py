"""From generation records to tables and the report, on two arms whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.patches import Rectangle

from coig.config import ConfigError
from coig.evaluation.answers import read_answers
from coig.evaluation.figures import figures
from coig.evaluation.run import evaluate
from coig.evaluation.tables import automatic_table
from coig.schema import EvaluateConfig
from coig.study import Arm, find_arms

CONFIG = EvaluateConfig(study="s", arms=None, queries="queries")


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


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("multirun") / "s"
    for name, answers in ANSWERS.items():
        arm = Arm(folder / name)
        group = {"kind": "creative", "examples": 3, "supervised_tokens": 30}
        times = {"seconds": 60.0}
        arm.write_manifest(
            {"arm": name, "status": "done", "seed": 0, "data": {"fingerprint": "f", "train": [group]}, "times": times}
        )
        file = arm.generations("queries")
        file.parent.mkdir()
        rows = [record(name, *answer) for answer in answers]
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_the_tables_figures(study: Path) -> None:
    table = automatic_table(read_answers(find_arms(study, None), "queries"))
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
    assert names == {
        *("answers.csv", "answers.parquet", "automatic.csv", "automatic.parquet", "report.html", "summary.md"),
        *(f"figures/{name}.{kind}" for name in ("length", "ttr", "contamination") for kind in ("svg", "png")),
    }
    page = (study / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "src=" not in page
    assert page.count("<svg") == 3
    assert "Chinese queries" in capsys.readouterr().out


def test_no_bar_is_cut_off(study: Path) -> None:
    answers = read_answers(find_arms(study, None), "queries")
    figure = figures(answers, automatic_table(answers))["contamination"]
    bars = [bar for axes in figure.axes for bar in axes.patches if isinstance(bar, Rectangle)]
    assert max(bar.get_height() for bar in bars) == 50.0
    assert all(axes.get_ylim()[0] == 0 and axes.get_ylim()[1] >= 100 for axes in figure.axes)


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


def test_a_damaged_line_and_a_double_answer_are_refused(study: Path) -> None:
    file = Arm(study / "cw").generations("queries")
    good = file.read_text(encoding="utf-8")
    file.write_text(good + good.splitlines(keepends=True)[0], encoding="utf-8")
    with pytest.raises(ConfigError, match=r"queries\.jsonl:5: damaged \(query en-1 is answered twice\)"):
        evaluate(CONFIG)
    row = json.loads(good.splitlines()[0]) | {"query_id": "new"}
    changes: list[dict[str, Any]] = [{"lang": "fr"}, {"answer": None}, {"answer_tokens": "x"}, {"arm": "general"}]
    for line in ('{"query_id": ', "[1]", *(json.dumps(row | change) for change in changes)):
        file.write_text(good + line + "\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=r"queries\.jsonl:5: damaged"):
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


def test_line_separators_in_an_answer_do_not_split_its_record(study: Path) -> None:
    file = Arm(study / "cw").generations("queries")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows[0]["answer"] = "one\u2028two\u0085three"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    evaluate(CONFIG)
    assert "one\u2028two\u0085three" in (study / "evaluation" / "report.html").read_text(encoding="utf-8")
