"""The number of threads is that of the config, or that with which the arm began."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from coig.training.threads import AT_START, set_threads
from tests.studies import compose_config, make_arm


@pytest.fixture(autouse=True)
def threads_afterwards() -> Iterator[None]:
    yield
    torch.set_num_threads(AT_START)


@pytest.mark.parametrize(
    ("overrides", "resumed", "threads"),
    [
        ([], None, AT_START),
        (["trainer.threads=3"], None, 3),
        ([], 5, 5),
        (["trainer=gpu"], 5, AT_START),  # where they do not bear on results
    ],
)
def test_threads(overrides: list[str], resumed: int | None, threads: int, tmp_path: Path) -> None:
    torch.set_num_threads(7)  # of an earlier arm of the sweep
    earlier = make_arm(tmp_path / "cw", status="running", machine={"torch_threads": resumed}) if resumed else None
    set_threads(compose_config(*overrides).trainer, earlier)
    assert torch.get_num_threads() == threads


def test_an_arm_that_says_nothing_of_threads_is_resumed_with_this_machine_s(tmp_path: Path) -> None:
    set_threads(compose_config().trainer, make_arm(tmp_path / "cw", status="running"))
    assert torch.get_num_threads() == AT_START
