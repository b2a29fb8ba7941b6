"""The table of docs/replication comes out again of the study that is packed beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recipes import replication
from tests.conftest import ROOT, Command

FOLDER = ROOT / "docs" / "replication"


@pytest.mark.slow
def test_the_table_comes_out_again(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(FOLDER / "micro_replication.zip", tmp_path)
    run = command("evaluate.py", "study=micro_replication.zip")
    assert run.returncode == 0, run.stderr
    replication.main(tmp_path / "packed" / "micro_replication" / "evaluation")
    assert capsys.readouterr().out in (FOLDER / "README.md").read_text(encoding="utf-8")
    plan = (tmp_path / "packed" / "micro_replication" / "plan.yaml").read_text(encoding="utf-8")
    assert plan.endswith((FOLDER / "plan.yaml").read_text(encoding="utf-8"))  # as it was registered, below its hash
