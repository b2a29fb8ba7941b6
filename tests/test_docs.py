"""README.md and docs/: every command composes, every link has a target, every named file exists.

A command, or an override in a sentence, is checked as the entry script itself checks it before it runs anything.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coig.__main__ import STAGES, TOOLS
from coig.annotation.texts import Example
from coig.config import EvaluateConfig, GenerateConfig, TrainConfig
from coig.config.command_line import check_command_line, config_of
from coig.data.sources import local
from coig.errors import ConfigError
from coig.evaluation.power import parse_design
from coig.evaluation.power_with_judge import WITH_JUDGE
from coig.evaluation.preferences.judgments import collect_judgments
from coig.records.label import read_labels
from coig.study.__main__ import COMMANDS
from tests.conftest import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [
    *PAGES,
    *(ROOT / name for name in ("SECURITY.md", "CONTRIBUTING.md", "benchmarks/README.md", "coig/sample/tiny/README.md")),
]
SHELL = {"source", "wandb", "vllm", "pre-commit", "lm_eval", "lighteval", "for", "done"}
OWN_KEYS = {  # first parts of keys that belong to other commands than train.py
    "generate": {"trusted", "engine", "sampling", "samples", "queries", "per_genre"},
    "annotate": {
        *{"protocol", "raters", "raters_per_query", "queries_per_rater", "sample", "recruits", "completion", "checks"},
        *{"texts", "markdown", "lease_minutes", "link_days", "base_url", "host", "port", "history", "export", "import"},
        *{"erase", "database"},
    },
    "judge": {"judge", "ask", "pairs_per_query", "probes", "name", "dry_run"},
    "curate": {"stage", "ingest", "dedupe", "accept"},
    "evaluate": {"judgments", "yardstick", "answers", "scores", "labels", "rating", "claims", "real_names"},
    "power": {"effect", "raters", "agreement", "taste", "power", "spread"},
}
STUDY_COMMANDS = re.compile(r"^\| command \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)  # a table of short commands
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OVERRIDES = re.compile(r"(-m )?'?[+~]?[a-z][\w.@/]*=[^ =…<]\S*.*")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def spans(page: Path) -> list[str]:
    """Return the code in a page's sentences and tables."""
    return spans_of(text_of(page))


def spans_of(text: str) -> list[str]:
    """Return the code in a text's sentences and tables."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def commands(page: Path, *, sentences: bool = True) -> Iterator[list[str]]:
    """Yield the commands of a page's blocks and sentences, each as a list of words; shell keywords are left out."""
    yield from commands_of(text_of(page), sentences=sentences)


def commands_of(text: str, *, sentences: bool = True) -> Iterator[list[str]]:
    """Yield the commands of a page's text, or of a part of it, those of a table of `coig.study` in full."""
    for language, block in FENCE.findall(text):
        if language == "bash":
            yield from commands_in(block)
    for span in spans_of(text) if sentences else ():
        if re.match(r"(python|pip|make|coig|torchrun) \S", span):
            yield from split(span)
    for row in short_commands(text) if sentences else ():
        yield ["python", "-m", "coig.study", *row]


def short_commands(text: str) -> Iterator[list[str]]:
    """Yield the commands of `coig.study` that a text's table has without `python -m coig.study`."""
    for rows in STUDY_COMMANDS.findall(text):
        for row in rows.splitlines():
            yield shlex.split(spans_of(row)[0])


def commands_in(block: str) -> Iterator[list[str]]:
    """Yield the commands of a block, with continued lines joined."""
    for line in block.replace("\\\n", " ").splitlines():
        yield from split(line)


def split(line: str) -> Iterator[list[str]]:
    """Split a line of shell at `&&`, `&` and `;` into commands."""
    lexer = shlex.shlex(line.replace("$arm", "cw"), posix=True, punctuation_chars=";&")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(";&"):
            if words:
                yield words
            words = []
        elif word != "do":
            words.append(word)


def check(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise ConfigError, SystemExit or AssertionError if a command would be refused."""
    match words:
        case ["python", "-m", module, *arguments] if module in TOOLS.values() or module == "coig.study":
            check_tool(module.split(".")[-1], arguments)
        case ["python", "-m", module, *_] if module.startswith("recipes."):
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
        case ["python", script, *arguments] if script.endswith(".py"):
            assert (ROOT / script).is_file()
            check_stage(script.removesuffix(".py"), arguments, monkeypatch)
        case ["coig", name]:
            assert name in {*STAGES, *TOOLS}
        case ["coig", name, *arguments] if name in STAGES:
            check_stage(name, arguments, monkeypatch)
        case ["torchrun", *rest]:
            check_stage("train", rest[rest.index("train.py") + 1 :], monkeypatch)
        case ["make", target]:
            assert re.search(rf"^{target}:", text_of(ROOT / "Makefile"), re.MULTILINE)
        case ["pip", "install", *what]:
            extras = re.findall(r"\[(\w+)\]", what[-1])
            assert all(re.search(rf"^{extra} = ", text_of(ROOT / "pyproject.toml"), re.MULTILINE) for extra in extras)
        case [program, *_]:
            assert program in SHELL, f"{program}: teach this test what it is"


def check_stage(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a stage's command line, without `--cfg job`, with which Hydra would only print the config."""
    shown = " ".join(arguments).replace("--cfg job", "").split()
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *(shown if "--cfg" in arguments else arguments)])
    check_command_line(name, STAGES[name].schema)


def check_tool(name: str, arguments: list[str]) -> None:
    own = ("query_id=", "format=")
    overrides = [argument for argument in arguments if not argument.startswith(own)]
    if name == "power":
        of_plan = [argument for argument in overrides if argument.partition("=")[0] not in WITH_JUDGE]
        parse_design(of_plan if len(of_plan) == len(overrides) else [*of_plan, "raters=4"])
    elif name == "study":
        assert not arguments or arguments[0] in COMMANDS  # without a command it lists the studies
    elif name == "plan":
        config_of("evaluate", EvaluateConfig, overrides)
    elif name == "inspect":
        config_of("train", TrainConfig, overrides)
    else:
        config_of("generate", GenerateConfig, overrides)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with all the files and folders that the pages name."""
    monkeypatch.chdir(tmp_path)
    pages = "".join(map(text_of, PAGES))
    for name in re.findall(r"(?<![\w/<>])[\w*-][\w*/-]*\.(?:jsonl|json|parquet|csv)\b", pages):
        file = tmp_path / name.replace("*", "a")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}\n")
    for name in [*re.findall(r"=\./([\w./-]+)", pages), "my_texts"]:
        (tmp_path / name).mkdir(parents=True)
    own = tmp_path / "mine" / "experiment" / "my_ablation.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("# @package _global_\nstudy: mine\n")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_compose(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked_already = [words for earlier in PAGES[: PAGES.index(page)] for words in commands(earlier)]
    for words in commands(page):
        if words in checked_already:  # with that page
            continue
        try:
            check(words, monkeypatch)
        except (ConfigError, SystemExit) as error:
            pytest.fail(f"{page.name}: {shlex.join(words)}: {error}")


def test_every_command_on_studies_stands_in_their_page_once() -> None:
    named = [words[0] for words in short_commands(text_of(ROOT / "docs" / "studies.md"))]
    assert sorted(named) == sorted(COMMANDS)


def batches(overrides: list[str]) -> list[list[str]]:
    """Group overrides of independent keys, because composing a config is slow."""
    several = [words for one in overrides if len(words := shlex.split(one)) > 1]
    together: list[dict[str, str]] = []
    for (one,) in (words for one in overrides if len(words := shlex.split(one)) == 1):
        key = one.partition("=")[0].lstrip("+~").removeprefix("source@") + "."
        free = (batch for batch in together if not any(key.startswith(k) or k.startswith(key) for k in batch))
        batch = next(free, None)
        if batch is None:
            together.append(batch := {})
        batch[key] = one
    return [*several, *([*batch.values()] for batch in together)]


def test_overrides_compose(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`data.creative.size=100` in a sentence is an override of some stage, and its value is sound."""
    of_stage: dict[str, list[str]] = {}
    for span in dict.fromkeys(span for page in PAGES for span in spans(page) if OVERRIDES.fullmatch(span)):
        key = re.split(r"[.=]", span.strip("'"))[0]
        of_stage.setdefault(next((stage for stage, keys in OWN_KEYS.items() if key in keys), "train"), []).append(span)
    parse_design(["effect=0.6", "raters=4", *of_stage.pop("power")])
    problems = []
    for stage, overrides in of_stage.items():
        for words in batches(overrides):
            try:
                check_stage(stage, ["-m", *(word for word in words if word != "-m")], monkeypatch)
            except (ConfigError, SystemExit) as error:
                problems.append(f"{shlex.join(words)}: {error}")
    assert not problems, "\n".join(problems)


def commands_of_demo() -> list[list[str]]:
    """Return the commands of coig that `make demo` runs, or names at its end, each as a script and its arguments."""
    printed = subprocess.run(
        ["make", "--dry-run", "--file", str(ROOT / "Makefile"), "--old-file", "pyproject.toml", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = printed.replace("\\\n", " ").translate(str.maketrans("", "", "'\"")).splitlines()
    return [command.split() for line in lines for command in re.findall(r"\w+\.py .*", line)]


def test_the_demo_composes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = commands_of_demo()
    assert [script for script, *_ in stages] == ["train.py", "generate.py", "judge.py", "evaluate.py", "annotate.py"]
    for script, *arguments in stages:
        check_stage(script.removesuffix(".py"), arguments, monkeypatch)


def test_example_records_are_read(tmp_path: Path) -> None:
    lines = [
        line
        for page in PAGES
        for language, block in FENCE.findall(text_of(page))
        if language == "json"
        for line in block.splitlines()
    ]
    keys = ("rater", "labeller", "reasoning", "ranks", "query", "licence")  # of which each kind of record has one
    kinds = {key: [line for line in lines if f'"{key}": ' in line] for key in keys}
    assert sorted(lines) == sorted(line for of_kind in kinds.values() for line in of_kind)
    for kind, of_kind in kinds.items():
        (tmp_path / f"{kind}.jsonl").write_text("\n".join(of_kind), encoding="utf-8")
    judgments = collect_judgments([tmp_path / "rater.jsonl"], "study", None, {})
    assert [one.kind for one in judgments] == ["pairwise", "ranking", "rating"]  # abstentions are not counted
    assert len(read_labels(tmp_path / "labeller.jsonl")) == 1
    assert set(local(json.loads(kinds["reasoning"][0]))) >= {"prompt", "reasoning", "answer"}
    assert Example.model_validate_json(kinds["ranks"][0]).ranks == (2, 1, 3)


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            assert (page.parent / name).exists(), f"{page.name}: {target}"
            if heading:
                assert heading in headings(page.parent / name), f"{page.name}: {target}"


def headings(page: Path) -> set[str]:
    """Return the names by which GitHub links to a page's headings."""
    found = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_files_are_there(page: Path) -> None:
    for span in spans(page):
        if re.fullmatch(r"(coig|conf|docs|recipes|tests|benchmarks)/[\w./]+", span):
            assert (ROOT / span).exists(), f"{page.name}: {span}"


def test_the_readme_is_one_page() -> None:
    assert len(text_of(README).splitlines()) <= 120
