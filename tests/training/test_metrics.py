import json
from pathlib import Path

from coig.training.metrics import MetricsFile


def steps(file: Path) -> list[int]:
    return [json.loads(line)["step"] for line in file.read_text().splitlines()]


def test_a_resumed_run_replaces_the_steps_it_runs_again(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    first = MetricsFile(file)
    for step in range(5):
        first.log_metrics({"train/loss": 1.0}, step)
    with file.open("a") as stream:
        stream.write('{"step": 5, "train/lo')  # killed while writing
    resumed = MetricsFile(file)
    for step in (3, 4, 5, 6):
        resumed.log_metrics({"train/loss": 0.5}, step)
    assert steps(file) == [0, 1, 2, 3, 4, 5, 6]
    assert json.loads(file.read_text().splitlines()[3]) == {"step": 3, "train/loss": 0.5}
