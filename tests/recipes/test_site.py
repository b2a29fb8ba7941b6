"""The site of docs/ is built with every link checked, and reads nothing from elsewhere (slow; CI runs `make docs`)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOADED = re.compile(  # from elsewhere, by a page or a style
    r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?https?:|<link\b[^>]*\bhref=["']?https?:|@import\s|url\(["']?https?:"""
)


@pytest.mark.slow
def test_the_site_needs_no_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    files = [file for kind in ("*.html", "*.css") for file in tmp_path.rglob(kind)]
    pages = {str(file.relative_to(tmp_path)): file.read_text(encoding="utf-8") for file in files}
    assert pages.keys() >= {"index.html", "tutorials/demo.html", "reference/train.html", "source/conf/curate.yaml.html"}
    assert {name: found[0] for name, text in pages.items() if (found := LOADED.search(text))} == {}
    assert 'href="tutorials/own_data.html"' in pages["index.html"]  # a link of the README, which leads to docs/ there
