"""Tables that spreadsheets open without harm, and tables that they wrote."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from coig.errors import DataError
from coig.files.rows import Damaged, read_rows
from coig.files.tables import write_csv

TEXTS = [
    '=HYPERLINK("http://x","诗")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "'=1",
    "''+x",
    "'tis",
    '中文, and "quotes"',
    "-1.5",
    "——",
]


def written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def test_a_table_opens_in_chinese_and_runs_nothing(tmp_path: Path) -> None:
    frame = pl.DataFrame({"name": TEXTS, "change": [-0.5] * len(TEXTS), "count": list(range(len(TEXTS)))})
    file = written(tmp_path / "t.csv", write_csv(frame).encode())
    assert file.read_bytes().startswith("\ufeffname,".encode())
    with file.open(encoding="utf-8-sig", newline="") as stream:
        cells = list(csv.DictReader(stream))
    live = [cell["name"] for cell in cells if cell["name"][0] in "=+-@\t\r\n＝"]
    assert live == ["-1.5"]  # a number is no formula
    assert [cell["change"] for cell in cells] == ["-0.5"] * len(TEXTS)
    numbers = pl.read_csv(file).select("change", "count")
    assert numbers.equals(frame.select("change", "count"))
    assert [row["name"] for _, row in read_rows(file)] == TEXTS


def test_a_table_without_texts() -> None:
    assert write_csv(pl.DataFrame({"a": [-1]})) == "\ufeffa\n-1\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_have_the_line_where_they_begin(tmp_path: Path, separator: str) -> None:
    text = 'id,"text"\n1,"two\nlines"\n\n2,\n3\n'.replace(",", separator)
    file = written(tmp_path / "t.CSV", text.encode("utf-8-sig"))
    assert list(read_rows(file)) == [
        (f"{file}:2", {"id": "1", "text": "two\nlines"}),
        (f"{file}:5", {"id": "2", "text": None}),
        (f"{file}:6", Damaged("1 cells below a header of 2", "1 cells below a header of 2")),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("编号,诗\n1,雨\n".encode("gbk"), r't\.csv: is not UTF-8; in Excel save it as "CSV UTF-8"'),
        ("a\tb\n".encode("utf-16"), r"t\.csv: is UTF-16; write it as UTF-8"),
        (b"a,b,a\n1,2,3\n", r"t\.csv:1: two columns are called 'a'"),
        (b'a,b\n1,"2\n', r"t\.csv:2: no CSV \(unexpected end of data\)"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_rows(written(tmp_path / "t.csv", content)))
