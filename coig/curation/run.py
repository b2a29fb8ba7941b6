"""Run the stages of a curation; each can be run again and does only what is left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from coig.config import CurateConfig
from coig.config.fields import files_of
from coig.curation import scripted
from coig.curation.assess import assess
from coig.curation.database import DATABASE
from coig.curation.dedupe import dedupe
from coig.curation.desk import perform_act, read_act
from coig.curation.export import export
from coig.curation.ingest import ingest
from coig.curation.records import State
from coig.curation.screen import ask_scripted, is_screened_by_script, screen
from coig.curation.status import print_status
from coig.curation.store import Store
from coig.errors import ConfigError, DataError
from coig.files.lock import LockHeldError, locked
from coig.files.rows import Damaged, read_rows

log = logging.getLogger(__name__)
LOCK = ".lock"
WORK: dict[str, tuple[State, ...]] = {"write": ("screened", "refine"), "review": ("written", "scored")}
SCRIPTED = {"write": ("write",), "review": ("write", "score", "review")}


def curate(config: CurateConfig) -> None:
    """Import the configured files of people's acts, then run the configured stage, or with `all` every stage in turn.

    With `people`, `write` and `review` then serve them the page until Ctrl-C; meanwhile other stages can run.
    Raises ConfigError if another process runs a stage in the same folder, or there is no database and the stage does
    not make one.
    """
    folder = config.folder
    if config.stage not in ("ingest", "all") and not (folder / DATABASE).exists():
        raise ConfigError(f"name={config.name}: there is no {folder / DATABASE}; begin with stage=ingest")
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder)
    try:
        with locked(folder / LOCK):
            _run_stages(store, config)
        if config.people and config.stage in WORK:
            _serve(store, config)
    except LockHeldError as error:
        raise ConfigError(f"name={config.name}: {error} works on this curation; wait until it ends") from None
    finally:
        store.close()


def _serve(store: Store, config: CurateConfig) -> None:
    """Print the links of the people, and serve them the page until Ctrl-C."""
    from coig.curation.serving import serve_people  # the imports of a web server take longer than the other stages

    serve_people(store, config)


def _run_stages(store: Store, config: CurateConfig) -> None:
    """Import people's acts, then run the configured stage, or with `all` every stage in turn.

    `all` leaves out the screening, and logs it, if no judge is given and no script stands for one.
    """
    stages = list(STAGES) if config.stage == "all" else [config.stage]
    if config.imports:
        store.start_run(config, "import")
        import_acts(store, config, files_of(config.imports))
    for stage in stages:
        has_judge = config.screen.judge.model is not None or is_screened_by_script(config)
        if stage == "screen" and config.stage == "all" and not has_judge:
            log.info("screen: left out, for no judge is given; give screen.judge.model=<name>")
            continue
        if stage != "status":
            store.start_run(config, stage)
        STAGES[stage](store, config)


def import_acts(store: Store, config: CurateConfig, files: Iterable[Path]) -> None:
    """Add the acts of files to the database in one transaction: if one cannot be performed, none is added.

    An act whose `key` is stored already is skipped, so a file can be imported again. Raises DataError that names the
    first row that cannot be performed: damaged, no act, not allowed to its person, or not possible in its text's state.
    """
    count = 0
    with store.writing() as pen:
        for place, row in chain.from_iterable(map(read_rows, files)):
            try:
                if isinstance(row, Damaged):
                    raise ValueError(row.reason)
                count += perform_act(pen, read_act(row), config.accept)
            except ValueError as error:
                raise DataError(f"{place}: {error}; nothing of this command's files was taken in") from None
    log.info("import: %d acts", count)


def _screen(store: Store, config: CurateConfig) -> None:
    """Run the stage `screen`: ask the configured judge about the texts, or a script about the embedded articles.

    The script is asked also if people do the later work, unless a judge is named.
    """
    if is_screened_by_script(config):
        screen(store, config, ask_scripted, "script: judge (no model)")
    else:
        from coig.curation.judge import make_judge  # the client's import takes longer than the other stages

        name, judge = make_judge(config)
        screen(store, config, judge, name)


def _work(stage: str) -> Callable[[Store, CurateConfig], None]:
    """Return the function of the stage `write` or `review`."""

    def run(store: Store, config: CurateConfig) -> None:
        """Log how many texts wait for people in this stage; if the curation is scripted, let scripts do the work."""
        if config.is_scripted:
            scripted.work(store, config, SCRIPTED[stage])
            return
        waiting = store.read_texts(WORK[stage])
        remedy = "give people=[<names>] to serve them a page, or what they did elsewhere as import=<file>"
        log.info("%s: %d texts wait for people%s", stage, len(waiting), "" if config.people else f"; {remedy}")

    return run


STAGES: dict[str, Callable[[Store, CurateConfig], None]] = {
    "ingest": ingest,
    "assess": assess,
    "dedupe": dedupe,
    "screen": _screen,
    "write": _work("write"),
    "review": _work("review"),
    "export": export,
    "status": print_status,
}
