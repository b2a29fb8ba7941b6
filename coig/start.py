"""Start a command; libraries are imported inside, so that Ctrl-C ends it in one line while they load, too."""

from __future__ import annotations

import sys


def start(stage: str | None = None) -> None:
    """Run a stage; without one, run what the first argument of the command line names.

    Ctrl-C while libraries load exits with 130.
    """
    try:
        from coig.__main__ import main, run_stage
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    if stage:
        run_stage(stage)
    else:
        main()
