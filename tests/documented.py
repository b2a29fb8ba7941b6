"""The commands of README.md and docs/ as sessions to run: how each is shortened, and why some are not run."""

from __future__ import annotations

import json
import random
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.small_model import SMALL_MODEL
from tests.test_docs import FENCE, PAGES, commands, commands_in, commands_of, commands_of_demo, name_of, text_of

DOCS = ROOT / "docs"
SAMPLE = ROOT / "coig" / "sample"
# pages of docs/ whose blocks follow each other
STEP_BY_STEP = ("tutorials/", "curation.md", "raters.md", "replication/")

NOT_RUN = {  # a pattern of commands → why the slow tests do not run them
    r"source \.venv/bin/activate": "the tests' own environment is active",
    r"make (test|check)|pre-commit install": "they check this repository; CI runs the same",
    r"make docs": "tests/recipes/test_site.py builds the site",
    r"make pictures": "takes the pictures of pages that are tested in tests/annotation/test_browser.py",
    r"pip install .*": "needs the network",
    r"coig \w+|python -m coig.study pack": "only names a command; tests/test_installed.py runs it",
    r"torchrun .*|.* trainer=fsdp .*": "needs several GPUs; tests/training/test_ranks.py has two processes on a CPU",
    r".* launcher=slurm( .*)?": "needs a cluster; tests/training/test_failed_jobs.py has a stand-in for SLURM",
    r".*(Slurm|Ray)PipelineExecutor.*": "needs a cluster; tests/curation/test_dedupe.py has other executors",
    r"vllm serve .*|.* engine=vllm .*": "needs vLLM; tests/generation/test_vllm.py runs it where it is",
    r".* engine=openai .*": "needs a server; tests/generation/test_openai.py has several",
    r".* judge=server (?!.*dry_run).*": "needs a server; tests/judging/test_server.py has one",
    r".* judge=reward .*": "needs a reward model; tests/judging/test_local_judges.py has one",
    r".* stage=screen .*": "needs a server; tests/curation/test_screen.py has one",
    r".* export=jsonl": "needs people's verdicts; tests/annotation/test_exports.py has them",
    r".* import=work.jsonl": "needs the ids of a curation's texts; tests/curation/test_export.py has them",
    r".* data.creative.path=all_human_data.json .*": "needs general data of the hub",
    r"(for|lm_eval|done|lighteval)( .*)?": "another program; tests/evaluation/test_harness.py runs it where it is",
    r"wandb login|.* upload .*": "needs an account; tests/study/test_upload.py has a server in place of W&B",
    r".* rm .*": "asks before it deletes; tests/study/test_commands.py answers",
    r".* publish .*": "needs an account; tests/study/test_publish.py has a server in place of the hub",
}
SAID = {  # a pattern of commands → a word for what they need, which stands in the section or the page's head
    r".* trainer=(gpu|fsdp).*|torchrun .*": "GPU",
    r".* (data=coig_writer|model=(?!tiny)\S+).*": "hub",
    r".* launcher=slurm.*": "SLURM",
    r".* (engine=openai|judge=server).*|vllm serve .*": "server",
    r".* engine=vllm .*": "vLLM",
}
SECTION = re.compile(r"^(?=##+ )", re.MULTILINE)
STAND_INS = {  # a pattern of words → what is run in their place; "" leaves them out
    r"data=coig_writer": "data=sample",
    r"model=.*": "",
    r"trainer=gpu": "trainer=cpu",
}
SHORTER = {  # script → overrides, which replace the command's own of the same key
    "train.py": (
        "trainer.max_epochs=1",
        "trainer.max_steps=2",
        "trainer.global_batch_size=2",
        "logger=none",
        *SMALL_MODEL,
    ),
    "generate.py": ("sampling.max_new_tokens=8",),
}
SHORTER_IF = {  # a pattern of commands → further overrides
    r".*trainer\.answer_at=.*": "trainer.max_steps=20",
    r".*plan=true.*": "trainer=gpu",
    r".*sweeper=tpe.*": "hydra.sweeper.n_trials=2",
    r".*experiment=micro_replication.*": "seed=0",
}
# a file that a page lets its reader write
SAVED = re.compile(r"`(\w+\.jsonl)`[^`\n]*:\n\n```json\n(.*?)```", re.DOTALL)
SHOWN = {  # a pattern of a script with its arguments → what it prints; the first that fits counts
    r"(train\.py|\S+ train) .*--cfg job.*": r"study: ablation",
    r"train\.py .*plan=true.*": r"141 GB",
    r"train\.py .*launcher=submitit_local.*": r"Submitit 'local' sweep",  # what the jobs print is in files
    r"(train\.py|\S+ train) .*": r"in multirun/\S+/model|is done",
    r"generate\.py .*": r"answers (in multirun/|are there already)",
    r"judge\.py .*dry_run=true.*": r"tokens",
    r"judge\.py.*": r"multirun/\S+\.jsonl: (nothing left to ask, )?\d+ calls? (is|are) answered",
    r"evaluate\.py.*": r"Report: \S+report\.html",
    r"curate\.py .*stage=(all|status).*": r"within the rules",
    r"curate\.py.*": r"\w+: ",
    r"annotate\.py .*erase=.*": r"erased|deleted",
    r"\S+/inspect\.py .*": r"<\|im_start\|>user",
    r"\S+/show\.py .*": r"8 tokens",
    r"\S+/(power|plan)\.py .*": r"prompts",
    r"\S+ (list|watch.*|show .*)": r"done",
    r"\S+ compare .*@.*": r"share of the steps",
    r"\S+ compare .*": r"data\.|model\.|does not differ",
    r"\S+ rerun .*--run": r"has the very weights of",
    r"\S+ rerun .*": r"git checkout",
    r"\S+ pack .*": r"\w+\.zip",
    r"\S+ register .*": r"[0-9a-f]{64}",
    r"\S+ table .*": r"results\.parquet",
    r"\S+/replication\.py .*": r"points: cw \| \+10\.8",
}
ARMS = ("cw", "cw+1k", "cw+5k", "cw+10k", "general")
FIVE = ("data.ratio=0,1k,5k,10k,general",)
TWO = ("data.ratio=0,10k", "model.learning_rate=1e-4")
POINTS = "points"
STUDIES = {  # studies that pages name without training them → with what they are trained
    **{"qwen": FIVE, "ablation": FIVE, "paper": FIVE},
    **{"qwen_again": TWO, "small": TWO, "cluster": TWO, "one": TWO, "two": TWO},
    "other": (*TWO, "trainer.answer_at=[0.5]"),
    POINTS: (*TWO, "trainer.answer_at=[0.1,0.5]"),
    "demo": (),  # by `make demo`
}


@dataclass(frozen=True)
class Session:
    """Commands of a page that are run one after another in one folder, each as a list of words."""

    page: Path
    commands: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        """Return the page and the first command, for the test's id."""
        return f"{name_of(self.page)}: {shlex.join(self.commands[0])}"

    @property
    def studies(self) -> list[str]:
        """Return the studies of STUDIES to prepare: those that it names before it trains any of that name.

        Commands that name none take the study that was trained last: one is prepared for them, with points if they
        name one.
        """
        text = "\n".join(" ".join(words) for words in self.commands)
        named = {study: re.search(rf"(study=|multirun/|[ ,]){study}\b(?![.=,\]])", text) for study in STUDIES}
        trained = re.findall(r"train\.py.*study=(\w+)|make (demo)", text)
        needed = [study for study, found in named.items() if found and not any(study in names for names in trained)]
        if needed or re.match(r".*train|make demo", text):
            return needed
        return [POINTS if "@" in text else "qwen"]


def is_run(words: Sequence[str]) -> bool:
    """Tell whether the slow tests run a command."""
    return not any(re.fullmatch(pattern, " ".join(words)) for pattern in NOT_RUN)


def sessions() -> list[Session]:
    """Return the sessions of all pages, without commands that are not run and sessions that another page has too."""
    found: dict[tuple[tuple[str, ...], ...], Session] = {}
    for page in PAGES:
        for several in _sessions_of(page):
            if run := tuple(words for words in several if is_run(words)):
                found.setdefault(run, Session(page, run))
    in_blocks = {words for run in found if len(run) > 1 for words in run}
    return [session for run, session in found.items() if len(run) > 1 or run[0] not in in_blocks]


def _sessions_of(page: Path) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield a page's sessions: its blocks, each or together, and each command in a sentence or a table."""
    every = [tuple(words) for words in commands(page)]
    in_blocks = [tuple(words) for words in commands(page, sentences=False)]
    if page.is_relative_to(DOCS) and str(page.relative_to(DOCS)).startswith(STEP_BY_STEP):
        yield tuple(in_blocks)
    else:
        for language, block in FENCE.findall(text_of(page)):
            if language == "bash":
                yield tuple(map(tuple, commands_in(block)))
    yield from ((words,) for words in every[len(in_blocks) :])


def unsaid(page: Path) -> Iterator[str]:
    """Yield the commands of a page that need what neither their section nor the page's head says in words."""
    head, *others = SECTION.split(text_of(page))
    for section in (head, *others):
        words = _words(head) + _words(section)
        for command in commands_of(section):
            line = " ".join(command)
            for pattern, need in SAID.items():
                if re.fullmatch(pattern, line) and need not in words:
                    yield f"{name_of(page)}: say that this needs {need}: {line}"


def _words(text: str) -> str:
    """Return a text's sentences and the comments in its blocks, without commands."""
    comments = [one for _, block in FENCE.findall(text) for one in re.findall(r"# .*", block)]
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text)) + "\n".join(comments)


def scripts_of(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the scripts of the repository that a command runs, each with its shortened arguments."""
    match [*words]:
        case ["make", "demo"]:
            yield from ((script, shortened(script, rest)) for script, *rest in commands_of_demo())
        case ["coig", name, *rest]:
            yield "coig/__main__.py", [name, *shortened(f"{name}.py", rest)]
        case ["python", "-m", module, *rest]:
            path = module.replace(".", "/")
            yield f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py", rest
        case ["python", script, *rest]:
            yield script, shortened(script, rest)
        case _:
            raise ValueError(f"{shlex.join(words)}: say in tests/documented.py how to run it, or why it is not run")


def shortened(script: str, arguments: Sequence[str]) -> list[str]:
    """Return a script's arguments with their stand-ins, and with what makes it shorter."""
    replaced = [_stand_in(word) for word in arguments]
    line = " ".join(arguments)
    short = [*SHORTER.get(script, ()), *(one for pattern, one in SHORTER_IF.items() if re.fullmatch(pattern, line))]
    if "--cfg" in arguments:
        short = []
    keys = {word.partition("=")[0] for word in short}
    return [word for word in replaced if word and word.partition("=")[0] not in keys] + short


def _stand_in(word: str) -> str:
    """Return what is run in place of a word."""
    return next((new for pattern, new in STAND_INS.items() if re.fullmatch(pattern, word)), word)


def write_files(folder: Path) -> None:
    """Write the files that the pages name into a folder."""
    queries = [json.loads(line) for line in (SAMPLE / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    few = [*queries[:20], *queries[-20:]]
    creative = [json.loads(line) for line in (SAMPLE / "creative.jsonl").read_text(encoding="utf-8").splitlines()]
    sums = [{"question": f"{n} + {n}?", "answer": f"Twice {n}.\n#### {2 * n}"} for n in range(1000)]
    files: dict[str, list[dict[str, Any]]] = {
        "ann.jsonl": judgments(few, "ann"),
        "bob.jsonl": judgments(few, "bob"),
        "verdicts.jsonl": judgments(few, "ann"),
        "labels.jsonl": [{"arm": "cw", "query_id": "zh-001", "step": 0, "label": "normal writing", "labeller": "ann"}],
        "mine.jsonl": few,
        "triplets.jsonl": creative,
        "gsm8k_train.jsonl": sums,
        "general.jsonl": [{"question": f"{n}加{n}是几？", "answer": f"二乘{n}。\n#### {2 * n}"} for n in range(1000)],
        "documents/a.jsonl": [{"text": f"The {n}th document tells of the number {n}."} for n in range(10_000)],
    }
    for name, rows in files.items():
        write_rows(folder / name, rows)
    (folder / "triplets.json").write_text(json.dumps(creative), encoding="utf-8")
    shutil.copy(SAMPLE / "articles.jsonl", folder / "articles.jsonl")
    (folder / "docs").symlink_to(DOCS)
    write_scores(folder / "scores" / "of_cw" / "results_2026-11-30.json", "multirun/qwen/cw/model")
    [plan] = [block for language, block in FENCE.findall(text_of(DOCS / "ratios.md")) if language == "yaml"]
    (folder / "plan.yaml").write_text(plan, encoding="utf-8")
    own = folder / "mine" / "experiment" / "my_ablation.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\nstudy: my_ablation\n", encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        for name, block in SAVED.findall(text_of(page)):
            (folder / name).write_text(block, encoding="utf-8")


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def judgments(queries: Sequence[Mapping[str, str]], rater: str) -> list[dict[str, str]]:
    """Return a rater's verdicts, drawn at random, on each arm against general data alone."""
    draw = random.Random(rater)
    return [
        {
            **{"query_id": query["id"], "lang": query["lang"], "arm_a": arm, "arm_b": "general", "rater": rater},
            "winner": draw.choice(["a", "b", "tie"]),
        }
        for query in queries
        for arm in ARMS[:-1]
    ]


def write_scores(file: Path, model: str) -> None:
    """Write a model's result file of lm-evaluation-harness."""
    file.parent.mkdir(parents=True)
    content = {
        "results": {"gsm8k": {"exact_match,strict-match": 0.1, "exact_match_stderr,strict-match": 0.03}},
        "group_subtasks": {},
        "higher_is_better": {"gsm8k": {"exact_match": True}},
        "n-samples": {"gsm8k": {"original": 541, "effective": 541}},
        "config": {"model": "hf", "model_args": f"pretrained={model},dtype=bfloat16"},
    }
    file.write_text(json.dumps(content), encoding="utf-8")
