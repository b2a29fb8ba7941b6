"""How many prompts people need beside a judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coig.errors import ConfigError
from coig.evaluation.power import main
from coig.statistics.intervals import FEWEST
from coig.statistics.power import Design
from coig.statistics.worth import worth_in_labels


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("further", [0, 100, 5_000])
def test_prompts_and_judge_are_worth_the_prompts_of_people_alone(correlation: float, further: int) -> None:
    design = Design(effect=0.6, raters=4)
    alone, found = design.prompts(4), design.prompts_with_judge(4, correlation, further)
    assert found * worth_in_labels(correlation, found, further) >= alone - 1e-6
    if found > FEWEST:
        assert (found - 1) * worth_in_labels(correlation, found - 1, further) < alone


def test_a_judge_against_people_saves_none_of_them() -> None:
    design = Design(effect=0.6, raters=4)
    assert design.prompts_with_judge(4, -0.5, 2_000) == design.prompts(4)


def card(folder: Path, **worth: Any) -> Path:
    known = {"correlation": 0.6, "low": 0.5, "high": 0.7, "raters": 4.0} | worth
    own = {
        "calls": 1_000,
        "prompt_tokens": 900_000,
        "reply_tokens": 20_000,
        "worth": known if worth != {"none": 1} else None,
    }
    file = folder / "card.json"
    file.write_text(json.dumps({"judge": "qwen", "languages": {"zh": own}}))
    return file


def test_prompts_calls_and_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["effect=0.6", f"judge={card(tmp_path)}", "prompt_price=0.5", "reply_price=2"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = {line[0]: line[1:] for line in lines if line and line[0].replace(",", "").isdigit()}
    people = Design(effect=0.6, raters=4).prompts(4)
    assert told["0"][0] == str(people)
    saved = Design(effect=0.6, raters=4).prompts_with_judge(4, 0.6, 2_000)
    calls = 2 * (saved + 2_000)
    assert told["2,000"] == [
        *(str(saved), "(42", "to", "60)"),
        *(f"{calls:,}", f"{calls * 920:,}", f"{calls * (900 * 0.5 + 20 * 2) / 1e6:,.2f}"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["judge=nowhere.json"], r"judge=nowhere\.json: no judge's card; evaluate\.py writes one as multirun/STUDY"),
        (["judge={card}", "prompt_price=much"], "prompt_price=much: not a number"),
        (["judge={card}", "reply_price=x", "prompt_price=y", "pairs=z"], "pairs=z: not a number"),
        (["judge={card}", "reply_price=-1"], "reply_price=-1: must be at least 0, and finite"),
        (["judge={card}", "prompt_price=inf"], "prompt_price=inf: must be at least 0, and finite"),
        (["judge={card}", "prompt_price"], "prompt_price=: not a number"),
        (["judge={card}", "pairs=inf"], "pairs=inf: must be a whole number from 1 to 1,000,000"),
        (["judge={card}", "pairs=2.7"], r"pairs=2\.7: must be a whole number"),
        (["judge={card}", "pairs=0"], "pairs=0: must be a whole number"),
        (["judge={card}", "agreement=0"], "agreement=0: must be above 0 beside a judge"),
        (["judge=~no-such-user/card.json"], r"judge=~no-such-user/card\.json: no judge's card"),
        (["raters=4", "pairs=2"], r"pairs: only beside judge=FILE, a judge's card; evaluate\.py writes one"),
        (["raters=4", "judge"], "judge: only beside judge=FILE"),
        (["judge={card}", "price=1"], "price: unknown; did you mean"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: list[str], message: str) -> None:
    file = card(tmp_path)
    with pytest.raises(ConfigError, match=message):
        main(["effect=0.6", *(argument.format(card=file) for argument in arguments)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"no judge's card; evaluate\.py writes one"),
        ("[]", r"no judge's card \(Input should be"),
        ('{"languages": {}}', r"no judge's card \(judge: missing\)"),
    ],
)
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "card.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        main(["effect=0.6", f"judge={file}"])


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"zh"', '"fr"', r"fr\.\[key\]: 'fr' is none of zh, en"),
        ("0.6", "NaN", r"zh\.worth\.correlation"),
        ("0.6", "-5", r"zh\.worth\.correlation"),
        ("4.0", "0", r"zh\.worth\.raters"),
        ("4.0", "NaN", r"zh\.worth\.raters"),
        ("1000,", "0,", r"zh\.calls"),
        ("20000", "-5", r"zh\.reply_tokens"),
        ("20000", "1" + 400 * "0", r"zh\.reply_tokens"),
    ],
)
def test_a_card_with_an_impossible_figure_is_refused(tmp_path: Path, old: str, new: str, field: str) -> None:
    file = card(tmp_path)
    sound = file.read_text()
    file.write_text(sound.replace(old, new))
    assert file.read_text() != sound
    with pytest.raises(ConfigError, match=rf"no judge's card \(languages\.{field}"):
        main(["effect=0.6", f"judge={file}"])


def test_a_strangers_card_sends_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = card(tmp_path)
    file.write_text(file.read_text().replace("qwen", "qw\\u001b[2Jen"))
    main(["effect=0.6", f"judge={file}"])
    printed = capsys.readouterr().out
    assert "people and qw[2Jen" in printed
    assert "\x1b" not in printed


def test_a_judge_whom_people_have_not_calibrated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="qwen: people have judged none of its pairs, so its worth is unknown"):
        main(["effect=0.6", f"judge={card(tmp_path, none=1)}"])
