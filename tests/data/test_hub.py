"""Downloads from a hub: the real client against a real server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coig.data.files import locate_files
from coig.data.mixture import build_mixture
from coig.data.trained import rebuild_mixture
from coig.errors import DataError
from tests.conftest import ROOT
from tests.data.reading import data_config
from tests.forked import PATIENCE
from tests.servers import Handler, Server, serving
from tests.studies import compose_config

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = [{"id": str(n), "query": f"问{n}", "thought": "想", "answer": "答\n"} for n in range(3)]
CONTENT = json.dumps(ROWS, ensure_ascii=False).encode()
FILE = "/datasets/m-a-p/COIG-Writer/resolve/main/all_human_data.json"


class Hub(Handler):
    """What the hub answers to a request for the one file it has."""

    requests: list[str]

    def do_HEAD(self) -> None:
        self.send_file(b"")

    def do_GET(self) -> None:
        self.send_file(CONTENT)

    def send_file(self, body: bytes) -> None:
        type(self).requests.append(f"{self.command} {self.path}")
        found = self.path == FILE
        self.send_response(200 if found else 404)
        if found:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(CONTENT) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub that runs as long as the test."""
    Hub.requests = []
    with serving(Server(Hub)) as server:
        yield server.address


def inspect(home: Path, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coig.data.inspect", "data=coig_writer", "data.ratio=0", "format=json", *overrides]
    patient = dict.fromkeys(("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"), str(PATIENCE))
    variables = os.environ | {"HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"} | patient | environment
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=PATIENCE)


def test_a_file_of_the_hub_is_downloaded_once(hub: str, tmp_path: Path) -> None:
    online = inspect(tmp_path, HF_ENDPOINT=hub, HF_HUB_OFFLINE="0")
    assert online.returncode == 0, online.stderr
    assert [json.loads(line)["text"][-11:] for line in online.stdout.splitlines()] == ["答<|im_end|>"] * 3
    assert Hub.requests.count(f"GET {FILE}") == 1
    asked = len(Hub.requests)
    offline = inspect(tmp_path, HF_ENDPOINT=hub, HF_HUB_OFFLINE="1")
    assert offline.stdout == online.stdout
    assert len(Hub.requests) == asked


def test_without_the_hub_the_error_says_what_to_do() -> None:
    config = data_config(data="coig_writer")  # the tests are offline
    with pytest.raises(DataError) as error:
        build_mixture(config, seed=0)
    message = str(error.value)
    assert "data.creative: cannot download all_human_data.json of the hub's data set m-a-p/COIG-Writer" in message
    command = "hf download m-a-p/COIG-Writer all_human_data.json --repo-type dataset --revision main --local-dir DIR"
    assert command in message
    assert "data.creative.path='DIR/all_human_data.json'" in message


def test_a_stored_config_downloads_nothing_unless_it_is_trusted() -> None:
    config = compose_config("data=coig_writer", "data.ratio=0")
    with pytest.raises(DataError, match=r"is not on this machine; trusted=\[m-a-p/COIG-Writer\] downloads it"):
        rebuild_mixture(Path("config.yaml"), config, "")
    with pytest.raises(DataError, match="cannot download"):  # it tries, and the tests are offline
        rebuild_mixture(Path("config.yaml"), config, "", ["m-a-p/COIG-Writer"])


def test_files_of_one_folder_are_named_by_a_pattern() -> None:
    openthoughts = data_config(data="coig_writer").general["en"]
    with pytest.raises(DataError, match=r"data.general.en.path='DIR/data/\*.parquet'"):
        locate_files(openthoughts, "data.general.en")


@pytest.mark.parametrize("endpoint", ["hub", "no-scheme.example"])
def test_a_revision_or_a_hub_that_is_not_there(hub: str, tmp_path: Path, endpoint: str) -> None:
    address = hub if endpoint == "hub" else endpoint
    run = inspect(tmp_path, "data.creative.hub.revision=v2", HF_ENDPOINT=address, HF_HUB_OFFLINE="0")
    assert run.returncode == 1
    assert "cannot download all_human_data.json" in run.stderr
    assert "--revision v2" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_local_copy_takes_the_place_of_the_hub(tmp_path: Path) -> None:
    file = tmp_path / "all_human_data.json"
    file.write_bytes(CONTENT)
    mixture = build_mixture(data_config(data="coig_writer", creative__path=str(file), ratio="0"), seed=0)
    assert mixture.train["source"].to_list() == ["coig_writer"] * 3
