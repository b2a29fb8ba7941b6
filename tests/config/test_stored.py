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


@pytest.mark.parametrize("text", ["${oc.env:SECRET}", "a ${seed}", "${oc.decode:'1'}", "${arm:0,process,0,[]}"])
def test_an_interpolation_in_a_stored_config_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SECRET", "5ec2e7")
    file = tmp_path / "config.yaml"
    write_config(file, compose_config())
    file.write_text(file.read_text().replace("You are a helpful assistant.", text))
    with pytest.raises(ConfigError, match="is an interpolation, and a stored config holds plain values only") as error:
        read_config(file)
    assert "5ec2e7" not in str(error.value)


def test_a_text_that_looks_like_an_interpolation_is_read_as_it_was_written(tmp_path: Path) -> None:
    asked = compose_config("model.system_prompt='price: \\${amount}'")
    assert asked.model.system_prompt == "price: ${amount}"
    write_config(tmp_path / "config.yaml", asked)
    assert read_config(tmp_path / "config.yaml") == asked


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("a: &a [1]\nb: [*a, *a]", "repeats a part by the alias *a"),
        ("a: " + "[" * 200 + "]" * 200, "nests deeper than 100"),
        ("a: \x00", "special characters are not allowed"),
        ("a: " + "x" * 1_000_001, "of more than 1 MB"),
    ],
)
def test_a_file_made_to_fill_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, reason: str
) -> None:
    monkeypatch.setenv("COIG_LARGEST_ROW", "1")
    file = tmp_path / "config.yaml"
    file.write_text(damage)
    with pytest.raises(ConfigError) as error:
        read_config(file)
    assert reason in str(error.value)


def test_paths_in_the_home_folder_are_stored_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    triplets = tmp_path / "triplets.jsonl"
    triplets.write_text('{"query": "q", "thought": "t", "answer": "a"}\n')
    compose_config.cache_clear()
    write_config(
        tmp_path / "config.yaml", compose_config("data=local", f"data.creative.path={triplets}", "data.ratio=0")
    )
    assert str(tmp_path) not in (tmp_path / "config.yaml").read_text()
    assert read_config(tmp_path / "config.yaml").data.creative.path == "~/triplets.jsonl"
