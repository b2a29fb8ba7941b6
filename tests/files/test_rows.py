import bz2
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coig.errors import DataError
from coig.files.rows import PIECE, Damaged, _array_rows, read_rows, zstd

ROWS = [{"n": number, "text": f"第{number}行 \u2028 {{[,]}}\\"} for number in range(3)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def lines_of(file: Path) -> list[str]:
    return [place.rpartition(":")[2] for place, _ in read_rows(file)]


@pytest.mark.parametrize(
    ("name", "content", "numbers"),
    [
        ("rows.jsonl", LINES.encode(), "123"),
        ("windows.jsonl", ("\ufeff" + LINES.replace("\n", "\r\n")).encode(), "123"),
        ("no newline at the end.jsonl", ("\n" + LINES.rstrip()).encode(), "234"),
        ("rows.jsonl.gz", gzip.compress(LINES.encode(), mtime=0), "123"),
        ("rows.jsonl.bz2", bz2.compress(LINES.encode()), "123"),
        ("rows.jsonl.xz", lzma.compress(LINES.encode()), "123"),
        ("rows.jsonl.zst", zstd.compress(LINES.encode()), "123"),
        ("array.json.zst", zstd.compress(json.dumps(ROWS, indent=1).encode()), "26a"),
        ("array.json.xz", lzma.compress(json.dumps(ROWS, indent=1).encode()), "26a"),
        ("object.json", json.dumps({"version": 1, "data": ROWS}).encode(), "111"),
        ("pretty object.json", json.dumps({"data": ROWS, "more": {"n": 1}}, indent=1).encode(), "37b"),
        ("array.json", json.dumps(ROWS).encode(), "111"),
        ("pretty.json", ("\ufeff \n" + json.dumps(ROWS, indent=1)).encode(), "37b"),
    ],
)
def test_forms_of_a_file(tmp_path: Path, name: str, content: bytes, numbers: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert [row for _, row in read_rows(file)] == ROWS
    assert lines_of(file) == [str(int(number, 16)) for number in numbers]


def test_parquet(tmp_path: Path) -> None:
    file = tmp_path / "a[1].parquet"  # no pattern
    pl.DataFrame(ROWS).write_parquet(file)
    assert [row for _, row in read_rows(file)] == ROWS
    assert lines_of(file) == ["1", "2", "3"]


def test_an_array_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    rows = [{"text": "长" * (PIECE // 3 + number), "more": [{}, []]} for number in range(8)]
    file.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    assert [row for _, row in read_rows(file)] == rows


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('[{"a": 1},\n{"b": 2', 2),
        ('[{"a": 1},\n{"b": 2}', 2),
        ('[{"a": 1},\n\n{"b" 2}, {"c": 3}]', 3),
        ('[{"a": 1}\n{"b": 2}]', 1),
        ('[{"a": 1},\n,{"b": 2}]', 2),
        ('[{"a": 1},\n{"b": 2},\n]', 3),
        ("[", 1),
    ],
)
def test_a_damaged_array(tmp_path: Path, content: str, line: int) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content)
    with pytest.raises(DataError, match=rf"rows.json:{line}: damaged JSON array .*; mend it there"):
        list(read_rows(file))


def test_a_line_that_is_no_json_is_kept_for_the_quarantine(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a": \n')
    [_, (place, row)] = read_rows(file)
    assert place == f"{file}:2"
    assert row == Damaged("no JSON (Expecting value, column 7)", '{"a": ')


@pytest.mark.parametrize("content", ['[{"a": 1}]\n[{"a": 2}]', '[{"a": 1}] {"a": 2}', "[]" + " " * PIECE + "x"])
def test_text_behind_an_array(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(content)
    with pytest.raises(
        DataError, match=r"rows.json:\d: text behind the end of the JSON array; keep one array in a file"
    ):
        list(read_rows(file))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200)
@given(rows=st.lists(VALUES, max_size=5), indent=st.sampled_from([None, 0, 1]), ascii_only=st.booleans())
def test_any_array_is_read_as_the_library_does(rows: list[Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    for piece in (1, 7, PIECE):  # characters at hand in the beginning; the rest is read when they are used up
        stream = io.StringIO(text[piece:])
        read = list(_array_rows(Path("rows.json"), text[:piece], stream))
        assert [row for _, row in read] == rows
        assert [line for line, _ in read] == sorted(line for line, _ in read)


@pytest.mark.parametrize("name", ["cut.parquet", "cut.jsonl.gz", "changed.jsonl.gz"])
def test_a_damaged_download(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole.parquet"
    pl.DataFrame({"text": ["x" * 1000] * 1000}).write_parquet(whole)
    content = bytearray(whole.read_bytes() if name.endswith("parquet") else gzip.compress(LINES.encode()))
    if name.startswith("cut"):
        del content[-10:]
    else:
        content[20] ^= 255
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: cannot be read to its end \(.*\); bring the whole file again"):
        list(read_rows(file))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (LINES.encode("utf-16"), "is UTF-16; write it as UTF-8"),
        (LINES.encode("utf-16-le"), "is UTF-16; write it as UTF-8"),
        (LINES.encode("utf-32"), "is UTF-32; write it as UTF-8"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "is a Git LFS pointer, .*`git lfs pull`",
        ),
        (b"\n<!DOCTYPE html>", "is a page of HTML"),
        (b"PK\x03\x04", "is a ZIP archive or a spreadsheet"),
        (b'{"data": [{"a": 1}]', "text behind the end of the JSON array"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"rows.jsonl(:1)?: {what}"):
        list(read_rows(file))


def test_rows_that_hold_a_list_under_data_are_rows(tmp_path: Path) -> None:
    rows = [{"data": [{"a": 1}]}, {"data": [{"a": 2}]}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [row for _, row in read_rows(file)] == rows


def test_nan_is_missing_and_a_huge_number_is_text(tmp_path: Path) -> None:
    file, array, table = (tmp_path / name for name in ("rows.jsonl", "rows.json", "rows.parquet"))
    row = '{"a": NaN, "b": [NaN, Infinity], "c": ' + "9" * 5000 + ', "d": 12345678901234567890123}'
    file.write_text(row)
    array.write_text(f"[{row}]")
    expected = {"a": None, "b": [None, float("inf")], "c": "9" * 5000, "d": 12345678901234567890123}
    for written in (file, array):
        assert [read for _, read in read_rows(written)] == [expected]
    pl.DataFrame({"a": [float("nan"), 1.0]}).write_parquet(table)
    assert [read for _, read in read_rows(table)] == [{"a": None}, {"a": 1.0}]
