"""A source's rows: converted once, the damaged ones set apart, the others given back."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from coig.errors import DataError
from tests.conftest import ROOT
from tests.data.reading import pool, read

GOOD = '{"query": "q", "thought": "t", "answer": "a"}\n'


def written(folder: Path, rows: Sequence[Any], name: str = "rows.jsonl") -> str:
    file = folder / name
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def triplets(count: int) -> list[dict[str, str]]:
    return [{"query": f"问{n}", "thought": "想", "answer": "答"} for n in range(count)]


def test_all_rows_come_back(tmp_path: Path) -> None:
    examples = read(written(tmp_path, triplets(300)))
    assert [one.prompt for one in examples] == [f"问{n}" for n in range(300)]
    assert {(one.source, one.lang) for one in examples} == {("rows", "zh")}
    opened = pool(str(tmp_path / "rows.jsonl"))
    assert [one.prompt for one in opened.examples([299, 7])] == ["问7", "问299"]


@pytest.mark.parametrize("score", [None, "high", "nan", 10**400, [7]])
def test_a_score_that_is_no_number_is_none(tmp_path: Path, score: Any) -> None:
    row = {"prompt": "q", "reasoning": "t", "answer": "a", "score": score}
    assert pool(written(tmp_path, [row])).index()["score"].to_list() == [None]


def test_several_files_by_a_pattern(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        written(tmp_path, triplets(2), name)
    assert [one.source for one in read(f"{tmp_path}/*.jsonl")] == ["a", "a", "b", "b"]
    assert {one.source for one in read(f"{tmp_path}/*.jsonl", name="mine")} == {"mine"}


def test_columns_of_parquet(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pl.DataFrame({"frage": ["q"], "weg": ["r"], "text": ["a"]}).write_parquet(file)
    columns = {"prompt": "frage", "reasoning": "weg", "answer": "text"}
    [one] = read(str(file), columns=columns)
    assert (one.prompt, one.reasoning, one.answer) == ("q", "r", "a")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"query": "q", "thought": "t"', "no JSON"),
        ('{"query": "q", "thought": "t"}', "missing answer"),
        ('{"query": "q", "thought": "t", "answer": ""}', "answer: empty"),
        ('{"query": "q", "thought": "t", "answer": "\\ud83d"}', "answer: damaged characters"),
        ("[1]", "not an object but list"),
        ("9" * 5000, "not an object but str"),
        ("[" * 100_000, "JSON that cannot be read"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(GOOD + "\n" + line + "\n")
    with pytest.raises(DataError) as error:
        pool(str(file))
    assert f"1 of 2 rows of {file} cannot be used" in str(error.value)
    assert "data.max_quarantined (now 0.01)" in str(error.value)
    assert f"{file}:3: {reason}" in str(error.value)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("query,thought,answer\nq,t,a\n")
    with pytest.raises(DataError, match=r"2 of 2 rows .* cannot be used; is it JSONL, a JSON array, CSV or parquet"):
        pool(str(tmp_path / "rows.txt"))
    (tmp_path / "rows.jsonl").write_text(GOOD, encoding="utf-16")
    with pytest.raises(DataError, match=r"rows.jsonl: is UTF-16; write it as UTF-8"):
        pool(str(tmp_path / "rows.jsonl"))


def test_a_function_of_the_users_that_fails(tmp_path: Path) -> None:
    file = written(tmp_path, [{"a": 1}] * 3)
    with pytest.raises(DataError, match=r"rows.jsonl:1: KeyError in the source's function: 'b'"):
        pool(file, _target_=f"{__name__}.wrong_key")
    with pytest.raises(DataError, match=r"rows.jsonl:1: the source's function returned NoneType, no fields"):
        pool(file, _target_=f"{__name__}.nothing")


def wrong_key(row: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": row["b"]}


def nothing(row: dict[str, Any]) -> None:
    """A shape that forgot to return."""


def test_few_damaged_rows_are_set_apart_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [json.dumps(row) for row in triplets(199)]
    rows.insert(5, '{"query": "q", "thought": ')
    file.write_text("\n".join(rows))
    opened = pool(str(file))
    assert (opened.about["rows"], opened.quarantined) == (200, 1)
    [line] = opened.quarantine.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "place": f"{file}:6",
        "reason": "no JSON (Expecting value, column 27)",
        "row": '{"query": "q", "thought": ',
    }
    assert len(read(str(file))) == 199
    with pytest.raises(DataError, match="1 of 200 rows"):
        pool(str(file), limit=0.004)


def test_bytes_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes('{"query": "问", "thought": "t", "answer": "a"}\n'.encode("gbk"))
    with pytest.raises(DataError, match=r"rows\.jsonl:1: prompt: damaged characters"):
        pool(str(file))


def test_many_damaged_rows_are_counted_and_the_first_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"9 of 9 rows(.|\n)*rows.jsonl:5: (.|\n)*and 4 more, all of them in (.*)"
    ) as error:
        pool(written(tmp_path, [3] * 9))
    assert len(Path(str(error.value).rpartition(" in ")[2]).read_text().splitlines()) == 9


def test_a_file_without_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl holds no examples"):
        pool(written(tmp_path, []))


def test_rows_without_an_id_keep_theirs_when_the_file_is_reordered(tmp_path: Path) -> None:
    ids = {one.prompt: one.id for one in read(written(tmp_path, triplets(5)))}
    assert {one.prompt: one.id for one in read(written(tmp_path, triplets(5)[::-1]))} == ids
    assert len(set(ids.values())) == 5


def test_an_old_conversion_is_never_used_for_a_changed_file(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, triplets(5)))) == 5
    times = (tmp_path / "rows.jsonl").stat()
    changed = [row | {"answer": "新"} for row in triplets(5)]  # as many bytes
    os.utime(written(tmp_path, changed), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert {one.answer for one in read(str(tmp_path / "rows.jsonl"))} == {"新"}


def test_a_damaged_conversion_is_made_again(tmp_path: Path) -> None:
    opened = pool(written(tmp_path, triplets(5)))
    [(part, _)] = opened.parts
    content = bytearray(part.read_bytes())
    content[20] ^= 1
    part.write_bytes(content)
    again = "import sys; from tests.data.reading import read; print(len(read(sys.argv[1])))"
    command = [sys.executable, "-c", again, str(tmp_path / "rows.jsonl")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "5\n", run.stderr
    assert part.read_bytes() != bytes(content)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, triplets(5))

    def rows(row: dict[str, str]) -> dict[str, str]:
        """A shape that finds another process at work on the file."""
        written(tmp_path, triplets(6))
        return {"prompt": row["query"], "reasoning": row["thought"], "answer": row["answer"]}

    sys.modules[__name__].rows = rows  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"rows.jsonl: changed while it was read; run again"):
        pool(file, _target_=f"{__name__}.rows")


def test_a_cache_that_is_deleted_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIG_CACHE", str(tmp_path / "cache"))
    file = written(tmp_path, triplets(5))
    assert len(read(file)) == 5
    shutil.rmtree(tmp_path / "cache")
    assert len(read(file)) == 5


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    file = written(tmp_path, triplets(20_000))
    command = f"ulimit -f 100; {sys.executable} -m coig.data.inspect data=local data.creative.path={file} data.ratio=0"
    environment = os.environ | {"COIG_CACHE": str(tmp_path / "cache")}
    run = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith("data.cache: ")
    assert "cannot be written" in run.stderr
    assert not list((tmp_path / "cache").rglob("about.json"))


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COIG_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"data.cache: .* cannot be written .*; set data.cache to another folder"):
        pool(written(tmp_path, triplets(1)))


MEASURED = """
import resource, sys
from tests.data.reading import pool
opened = pool(sys.argv[1], "r1_distill_zh")
some = list(opened.examples(range(0, opened.about["rows"], 100)))
print(opened.about["rows"], len(some), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_a_gigabyte_is_read_in_little_memory(tmp_path: Path) -> None:
    row = {"reasoning_content": "想一想。" * 1200, "content": "答案" * 1000, "repo_name": "x/y", "score": 9}
    lines = [json.dumps(row | {"input": f"第{n}题"}, ensure_ascii=False) + "\n" for n in range(1000)]
    block = "".join(lines).encode()
    blocks = 1 + 1_000_000_000 // len(block)
    file = tmp_path / "big.jsonl"
    with file.open("wb") as stream:
        for _ in range(blocks):
            stream.write(block)
    run = subprocess.run([sys.executable, "-c", MEASURED, str(file)], cwd=ROOT, capture_output=True, text=True)
    file.unlink()
    assert run.returncode == 0, run.stderr
    rows, taken, peak = map(int, run.stdout.split())
    assert (rows, taken) == (1000 * blocks, 10 * blocks)
    assert peak <= 1536  # MiB, the interpreter and its libraries included
