"""A file of a few kB cannot make its reader hold, or unpack, any size; one setting allows more."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from coig.errors import ConfigError, DataError
from coig.files import parquet
from coig.files.atomic import read_jsonl, read_objects
from coig.files.limits import DEEPEST, largest_row, load_yaml, parse_json, read_whole
from coig.files.parquet import check_parquet
from coig.files.rows import Damaged, read_rows, zstd
from coig.records.authors import read_authors_prompts

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}
LONG = 1_000_001  # characters: more than the setting of these tests allows
ROW = {"query": "q", "answer": "x" * 1000}


@pytest.fixture(autouse=True)
def one_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a row take 1 MB."""
    monkeypatch.setenv("COIG_LARGEST_ROW", "1")


def refusal(file: Path) -> str:
    with pytest.raises(DataError) as error:
        list(read_rows(file))
    assert "COIG_LARGEST_ROW" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", PACKERS)
def test_one_line_that_unpacks_to_too_much(suffix: str, tmp_path: Path) -> None:
    for start in ("", "[", '{"data": ['):
        file = tmp_path / f"bomb.jsonl.{suffix}"
        file.write_bytes(PACKERS[suffix]((start + '{"a": "' + "x" * LONG).encode()))
        assert file.stat().st_size < 10_000
        with pytest.raises(DataError, match=r"of more than 1 MB|row too large|it ends in the middle|Unterminated"):
            list(read_rows(file))


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("is_array", [False, True])
def test_many_lines_that_unpack_to_too_much(suffix: str, is_array: bool, tmp_path: Path) -> None:
    lines = [json.dumps(ROW)] * 3000
    text = f"[{','.join(lines)}]" if is_array else "\n".join(lines)
    (tmp_path / f"bomb.{suffix}").write_bytes(PACKERS[suffix](text.encode()))
    assert "unpacks to more than" in refusal(tmp_path / f"bomb.{suffix}")


def test_zstd_in_many_blocks_is_no_bomb(tmp_path: Path) -> None:
    """At level 19 the blocks hold much less than they may."""
    rows = [{"a": f"{number} hello world"} for number in range(20_000)]
    packed = zstd.compress("\n".join(map(json.dumps, rows)).encode(), 19)
    skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    (tmp_path / "a.zst").write_bytes(skipped + packed + skipped + zstd.compress(b"\n" + json.dumps(ROW).encode()))
    assert [row for _, row in read_rows(tmp_path / "a.zst")] == [*rows, ROW]


def test_the_end_of_a_zstd_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstd.compress(json.dumps(ROW).encode())[:-3])
    with pytest.raises(DataError, match="cannot be read to its end"):
        list(read_rows(tmp_path / "a.zst"))


def test_parquet(tmp_path: Path) -> None:
    pl.DataFrame({"answer": ["x" * 1000] * 3000}).write_parquet(tmp_path / "many.parquet")
    assert "unpacks to more than" in refusal(tmp_path / "many.parquet")
    pl.DataFrame({"answer": [Random(0).randbytes(LONG // 2 + 1).hex()]}).write_parquet(tmp_path / "one.parquet")
    assert "a row of more than 1 MB" in refusal(tmp_path / "one.parquet")


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": ["x" * 5_000_000]}),  # a page that unpacks to 5 MB
        pl.DataFrame({"a": [1]}).select(pl.col("a").repeat_by(2_000_000).explode()),  # 2 million values in a few bytes
    ],
    ids=["page", "values"],
)
@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_pages_of_parquet_that_unpack_to_too_much(frame: pl.DataFrame, compression: Any, tmp_path: Path) -> None:
    file = tmp_path / "bomb.parquet"
    frame.write_parquet(file, compression=compression)
    assert file.stat().st_size < 500_000
    with pytest.raises(DataError, match="unpacks to more than"):
        check_parquet(file)


def test_parquet_within_the_limits(tmp_path: Path) -> None:
    columns = {
        "text": [f"第{n}行" * 20 for n in range(5000)],
        "n": range(5000),
        "none": [None] * 5000,
        "list": [[1, 2]] * 5000,
    }
    file = tmp_path / "rows.parquet"
    for options in (
        {},
        {"row_group_size": 100},
        {"compression": "uncompressed", "statistics": False},
        {"data_page_size": 500},
    ):
        pl.DataFrame(columns).write_parquet(file, **options)
        check_parquet(file)
        content = file.read_bytes()
        for cut in (content[:-1], content[:-9] + content[-8:], content[: len(content) // 2] + b"PAR1", b"PAR1"):
            file.write_bytes(cut)
            with pytest.raises(DataError, match="damaged parquet"):
                check_parquet(file)


@pytest.mark.parametrize(
    "footer",
    [
        b"\x15" + b"\x80" * 100_000,  # a number of 700,000 bits
        b"\x49" + b"\x19" * 100_000,  # a list in a list in a list …
        b"\x49\xfb" + b"\xff\xff\xff\xff\x7f",  # a list of 2³⁴ maps
        b"\x11" * 6000 + b"\x00",  # more values than the footer may have
    ],
    ids=["number", "depth", "length", "values"],
)
def test_a_footer_of_parquet_that_is_an_attack(footer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_VALUES", 5000)
    file = tmp_path / "attack.parquet"
    file.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DataError, match="damaged parquet"):
        check_parquet(file)


def test_what_is_within_the_limits_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "repetitive.jsonl.gz"
    file.write_bytes(gzip.compress((json.dumps(ROW) + "\n").encode() * 900))  # 0.9 MB, packed to a hundredth and less
    assert len(list(read_rows(file))) == 900
    file.write_bytes(gzip.compress((json.dumps(ROW) + "\n").encode() * 3000))
    monkeypatch.setenv("COIG_LARGEST_ROW", "4")
    assert len(list(read_rows(file))) == 3000


def test_lines_of_files_that_are_not_packed(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text('{}\n{"a": "' + "x" * LONG + '"}\n')
    for read in (read_rows, read_jsonl, read_objects):
        with pytest.raises(DataError, match=r"long\.jsonl:2: a line of more than 1 MB"):
            list(read(file))
    table = tmp_path / "long.csv"
    table.write_text("a,b\n1," + "x" * LONG + "\n")
    assert "long.csv:2: a line of more than 1 MB" in refusal(table)


def test_files_that_are_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "zh_10k.json"
    file.write_text(json.dumps({"1": {"prompt": "x" * LONG, "my_response": ""}}))
    with pytest.raises(DataError, match="read whole of more than 1 MB"):
        read_whole(file)
    with pytest.raises(DataError, match="read whole of more than 1 MB"):
        read_authors_prompts(file)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("text", [nested(DEEPEST + 1), nested(100_000), '{"a":' * 5000 + "1" + "}" * 5000])
def test_what_nests_too_deep_is_damaged(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nests deeper than 100"):
        parse_json(text)
    for name, content in {"a.jsonl": f'{{"a": {text}}}', "b.json": f'[{{"a": {text}}}]'}.items():
        (tmp_path / name).write_text(content)
        try:
            found: list[Any] = [row for _, row in read_rows(tmp_path / name)]
        except DataError as error:
            found = [Damaged(str(error), "")]
        assert isinstance(found[0], Damaged)
        assert "nests deeper" in found[0].reason or "recursion" in found[0].reason


def test_what_does_not_is_parsed() -> None:
    assert parse_json(nested(DEEPEST))
    assert len(parse_json(json.dumps(["{[" * 1000]))) == 1


def test_yaml_without_aliases_and_depth() -> None:
    assert load_yaml("a: [1, {b: 2}]") == {"a": [1, {"b": 2}]}
    for text, reason in {"a: &x 1\nb: *x": "alias", nested(200): "deeper", "a: [": "expected"}.items():
        with pytest.raises(ValueError, match=reason):
            load_yaml(text)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", ""])
def test_a_wrong_setting_is_one_message(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIG_LARGEST_ROW", text)
    with pytest.raises(ConfigError, match=r"COIG_LARGEST_ROW=.*: give whole MB"):
        largest_row()
