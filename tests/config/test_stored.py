"""Configs that earlier versions wrote are read by this one, and no difference is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from coig.config.differences import flatten, list_differences
from coig.config.stored import FORMAT, dump_config, read_config, write_config
from coig.errors import ConfigError
from tests.conftest import ROOT
from tests.studies import compose_config

STORED = ROOT / "tests" / "stored"  # one of every format, as an arm of that version has it
FIRST = ("study=old", "data.ratio=0", "trainer.max_steps=2", "trainer.max_epochs=1", "model.max_length=512")
FAST = ("study=old", "length=fast", "data.ratio=1k")
FILES = {"format-1-first.yaml": FIRST, "format-1.yaml": FAST, "format-2.yaml": FAST}


@pytest.mark.parametrize(("file", "command"), FILES.items())
def test_the_same_command_sees_no_difference(file: str, command: tuple[str, ...]) -> None:
    stored, asked = dump_config(read_config(STORED / file)), dump_config(compose_config(*command))
    assert list_differences(stored, asked) == []


def test_the_newest_format_has_a_file_with_every_key() -> None:
    """Whoever adds a key marks it `Absent`; whoever renames or removes one raises FORMAT and keeps a file of it."""
    newest = OmegaConf.to_container(OmegaConf.load(STORED / f"format-{FORMAT}.yaml"))
    written: dict[str, Any] = {"format": FORMAT, **dump_config(compose_config(*FAST))}
    removed = flatten(newest).keys() - flatten(written).keys()
    assert not removed, f"raise FORMAT: arms of format {FORMAT} have {removed}"


def test_a_key_that_is_not_known_or_lacks_without_a_meaning_is_one_message(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    settings = {"format": FORMAT, **dump_config(compose_config())}
    for change, message in [
        ({"trainr": 1}, r"config\.yaml: is no config of an arm \(trainr: unknown key; did you mean 'trainer'"),
        ({"format": FORMAT + 1}, f"is of format {FORMAT + 1}, and this version of coig reads up to {FORMAT}"),
        ({"data": settings["data"] | {"ratio": "5%"}}, r"data\.ratio='5%': is a percentage"),
    ]:
        file.write_text(OmegaConf.to_yaml(OmegaConf.create(settings | change)))
        with pytest.raises(ConfigError, match=message):
            read_config(file)
    del settings["seed"]
    file.write_text(OmegaConf.to_yaml(OmegaConf.create(settings)))
    with pytest.raises(ConfigError, match=r"is no config of an arm \(seed: missing"):
        read_config(file)
    for damaged in ("[]", "{", "a: ${b}"):
        file.write_text(damaged)
        with pytest.raises(ConfigError, match=r"config\.yaml: "):
            read_config(file)


def test_files_need_not_be_there_to_read_a_config_that_names_them(tmp_path: Path) -> None:
    triplets, config = tmp_path / "triplets.jsonl", tmp_path / "config.yaml"
    triplets.write_text('{"query": "q", "thought": "t", "answer": "a"}\n')
    asked = compose_config("data=local", f"data.creative.path={triplets}", "data.ratio=0")
    write_config(config, asked)
    triplets.unlink()
    assert read_config(config) == asked


def test_a_path_is_no_difference_where_the_data_are_the_same() -> None:
    here, there = ({"data": {"creative": {"path": path}, "ratio": "0"}} for path in ("a.jsonl", "b.jsonl"))
    assert list_differences(here, there, same_data=True) == []
    assert list_differences(here, there) == ["data.creative.path: a.jsonl → b.jsonl"]
    there["data"]["ratio"] = "1k"
    assert list_differences(here, there, same_data=True) == ["data.ratio: 0 → 1k"]
