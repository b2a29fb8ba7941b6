"""`judge=server` with a real `transformers serve`. Its model is too small to judge: it shows transport and failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from coig.errors import ConfigError
from coig.judging import judge
from coig.study.arm import Arm
from tests.judging.studies import configure, read_lines, write_answers


def test_a_real_server_is_asked_and_its_unreadable_replies_are_counted(
    arm: Arm, transformers_serve: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_answers(tmp_path, queries=1)
    config = configure(
        *("study=s", "answers=[origin_en.json,baseline_en.json]"),
        *("judge=server", f"judge.base_url={transformers_serve}", f"judge.model={arm.model}", "name=tiny"),
        *("judge.attempts=2", "judge.max_tokens=4"),
    )
    for asked in (1, 2):
        with pytest.raises(ConfigError, match=r"2 of 2 calls failed, the first: .*: unreadable reply: no JSON"):
            judge(config)
        lines = read_lines(Path("multirun/s/judgments/tiny.jsonl"))
        assert len(lines) == 2 * asked
        assert "cw: 2 of 2 calls failed; 4 replies could not be read" in caplog.messages
    assert {line.attempts for line in lines} == {2}
    assert all(line.prompt_tokens and line.prompt_tokens > 100 for line in lines)
    [facts] = {line.judge.model_dump_json() for line in lines if line.judge}
    assert '"reply":"lines"' in facts
