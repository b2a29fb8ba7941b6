"""Make the undisturbed files that are damaged: a small study, its database, an archive of it, checkpoints."""

from __future__ import annotations

import tempfile
from contextlib import chdir, redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path

import torch
from torch.distributed.checkpoint.state_dict_saver import save

from coig.config.fields import MULTIRUN
from coig.curation.database import DATABASE as CURATION
from coig.records.judgment_database import DATABASE
from coig.study.arm import Arm
from coig.study.pack import pack
from coig.study.registration import register
from tests.annotation.studies import make_questions, make_store, rank
from tests.curation.curations import STORY, TALE, article, run_to, write_articles
from tests.studies import make_arm

NAME = "s"
PLAN = """hypotheses:
  - name: h
    says: more general data helps
    lang: zh
    measure: preference
    estimand: R50
    predicts: [0, 12]
queries: sample
margin: 10
exclusions: []
sample_size: {prompts: {zh: 20}, raters: 2}
"""


def write_small_study(folder: Path) -> Arm:
    """Write an arm that nobody trained, and a registered plan beside it; return the arm."""
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    study = folder / MULTIRUN / NAME
    register(study, folder / "plan.yaml")
    return make_arm(study / "cw", f"study={NAME}")


def make_database(folder: Path) -> bytes:
    """Return the content of a database in which a rater has ranked some answers."""
    file = folder / DATABASE
    store = make_store(file, make_questions(4), "raters=[ann]")
    code = store.add_rater("ann", ["zh", "en"])
    for number in (1, 2):
        store.next_tasks(code, 1)
        store.save(code, rank(number, [0], [1, 2], [3, 4]))
    store.database.close()
    return file.read_bytes()


def make_curation(folder: Path) -> bytes:
    """Return the content of the database of a curation, whose articles wait for a screening."""
    with chdir(folder), redirect_stdout(StringIO()):
        write_articles(article(STORY), article(TALE), article(STORY + "雨停了。"), "no JSON")
        run_to("dedupe")
        return (Path("curations") / "mine" / CURATION).read_bytes()


def make_archive(folder: Path) -> bytes:
    """Return the content of the archive of the study in a folder."""
    with chdir(folder), redirect_stdout(StringIO()):
        pack([NAME])
        return Path(f"{NAME}.zip").read_bytes()


def make_checkpoint() -> bytes:
    """Return the content of a checkpoint in one file."""
    stream = BytesIO()
    torch.save({"state_dict": {"a": torch.arange(64.0)}, "epoch": 1, "loops": {"fit": {"step": 2}}}, stream)
    return stream.getvalue()


def make_sharded_checkpoint() -> tuple[bytes, bytes]:
    """Return the content of `.metadata` and `meta.pt` of a sharded checkpoint."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "step-1"
        save({"state_dict": {"a": torch.arange(64.0)}, "rate": 0.1}, checkpoint_id=folder, no_dist=True)
        torch.save({"epoch": 1}, folder / "meta.pt")
        return (folder / ".metadata").read_bytes(), (folder / "meta.pt").read_bytes()
