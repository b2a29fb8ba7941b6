"""An archive from a stranger is unpacked within its folder, or not at all."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from coig.errors import DataError
from coig.files.archives import unpack


def pack(file: Path, *members: tarfile.TarInfo, content: bytes = b"text") -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            archive.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return file


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path / "s.tar.gz", member("cw", tarfile.DIRTYPE), member("cw/config.yaml"))
    unpack(archive, tmp_path / "s")
    assert (tmp_path / "s" / "cw" / "config.yaml").read_text() == "text"


@pytest.mark.parametrize(
    "hostile",
    [
        *(member("../outside"), member("/tmp/outside"), member("cw/../../outside"), member("a\\..\\outside")),
        *(member("a\nb"), member("link", tarfile.SYMTYPE, "../outside"), member("hard", tarfile.LNKTYPE, "cw")),
        *(member("pipe", tarfile.FIFOTYPE), member("device", tarfile.CHRTYPE)),
    ],
    ids=lambda made: made.name,
)
def test_a_hostile_member_is_refused_with_all_others(hostile: tarfile.TarInfo, tmp_path: Path) -> None:
    archive = pack(tmp_path / "s.tar.gz", member("cw"), hostile)
    with pytest.raises(DataError, match="nothing was unpacked"):
        unpack(archive, tmp_path / "s")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.tar.gz"]


def test_a_bomb_and_a_damaged_archive_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIG_LARGEST_ROW", "1")
    archive = pack(tmp_path / "s.tar.gz", member("zeros"), content=bytes(5_000_000))
    with pytest.raises(DataError, match="unpacks to more than"):
        unpack(archive, tmp_path / "s")
    whole = pack(archive, member("cw"), content=bytes(range(256)) * 99).read_bytes()
    for damaged in (whole[:-200], b"no archive", b""):
        archive.write_bytes(damaged)
        with pytest.raises(DataError, match="no archive, or damaged"):
            unpack(archive, tmp_path / "s")
    assert not (tmp_path / "s").exists()
