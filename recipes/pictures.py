"""Take the README's picture of the report: make pictures

It needs the demo's report (`make demo`) and Debian's chromium and fonts-noto-cjk. The picture shows the report's head
and one section; the other sections are hidden, nothing else is changed.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

REPORT = Path("multirun/demo/evaluation/report.html")
PICTURE = Path("docs/pictures/report.png")
SIZE = "1160,1280"  # pixels: the page's width, and where the section ends
ONLY = "<style>main > section:not(#contamination) { display: none }</style></head>"


def main() -> None:
    """Let chromium draw the report's head and its section on contamination; write the picture and print its size."""
    page = REPORT.read_text(encoding="utf-8").replace("</head>", ONLY, 1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-background-networking", "--hide-scrollbars"]
        shot = [f"--window-size={SIZE}", f"--screenshot={PICTURE.absolute()}", file.as_uri()]
        subprocess.run(["chromium", *options, *shot], check=True, capture_output=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
