"""Write the model card of an arm or point from what its folder records, and say what was never measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import yaml

from coig.config import TrainConfig
from coig.config.data import Source
from coig.config.fields import SAMPLE_PREFIX, local_path
from coig.display.numbers import interval, number
from coig.display.tables import Table, render_markdown
from coig.study.arm import Arm
from coig.study.manifest import Manifest
from coig.study.points import Point
from coig.study.results import FILE, OF_POINTS, read_measures
from coig.text.language_codes import LANGUAGES

UNKNOWN = "not recorded"
SAMPLE_LICENCE = "Apache-2.0"  # of the embedded sample, as of this project
OF_PEOPLE = "^(win rate|strength|rating)"  # how measures of people's judgments begin
# what an evaluation of this project cannot tell, whatever it measured
NEVER = (
    "whether what the model states is true",
    "whether what it writes is harmful",
    "other languages and tasks than those of its data",
)


def write_card(arm: Arm) -> str:
    """Return the README.md of an arm's or point's model on a hub. Raises ConfigError if a file is damaged."""
    manifest, config = arm.manifest(), arm.config()
    parts = [
        f"---\n{yaml.safe_dump(_describe_for_hub(config, manifest), allow_unicode=True, sort_keys=False)}---",
        f"# {arm.study}/{arm.name}",
        _summarize(config, manifest),
        _tell_moment(arm) if isinstance(arm, Point) else "",
        f"## Training data\n\n{render_markdown(_tabulate_data(manifest, config))}",
        "\n".join(_tell_about_data(manifest)),
        f"## Training\n\n{_describe_training(config, manifest)}",
        f"## Measured\n\n{_describe_measures(arm, manifest)}",
        "## Never measured\n\n" + "\n".join(f"- {line}" for line in _list_unmeasured(arm)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def find_licences(config: TrainConfig) -> dict[str, str | None]:
    """Return the licence of each source of an arm's data by the source's name; None where it is not recorded."""
    return {name: _licence_of(source) for name, source in _name_sources(config).items()}


def find_origins(config: TrainConfig) -> dict[str, str]:
    """Return where each source of an arm's data was read from, by the source's name: a hub, the sample, or a file.

    A source such as `coig_writer` keeps its name where a file of one's own is read in its place.
    """
    return {name: _origin_of(source) for name, source in _name_sources(config).items()}


def _name_sources(config: TrainConfig) -> dict[str, Source]:
    """Return the sources of an arm's data by their names in the manifest."""
    sources = [*config.data.creative.sources.values(), *config.data.general.values()]
    return {source.name or local_path(source.path or "").stem: source for source in sources}


def _origin_of(source: Source) -> str:
    """Return the repository on the hub, `embedded sample`, or the name of the files that a source reads."""
    if source.path is None:
        return f"{source.hub.repo} on the hub" if source.hub else UNKNOWN
    return "embedded sample" if source.path.startswith(SAMPLE_PREFIX) else f"local file {local_path(source.path).name}"


def _licence_of(source: Source) -> str | None:
    """Return the licence that a source names, else that of its files on the hub or of the embedded sample, else None.

    Files of one's own, in place of either, have no licence unless the source names it.
    """
    if source.licence:
        return source.licence
    if source.path is None:
        return source.hub.licence if source.hub else None
    return SAMPLE_LICENCE if source.path.startswith(SAMPLE_PREFIX) else None


def _describe_for_hub(config: TrainConfig, manifest: Manifest) -> dict[str, Any]:
    """Return the card's metadata, which the hub reads; the base model only if its path is a hub id."""
    langs = sorted({group.lang for group in manifest.data.train})
    base = config.model.path if "/" in config.model.path and not config.model.path.startswith(("/", ".", "~")) else None
    about = {"library_name": "transformers", "pipeline_tag": "text-generation", "language": langs, "tags": ["coig"]}
    return about | ({"base_model": base} if base else {})


def _summarize(config: TrainConfig, manifest: Manifest) -> str:
    """Return a sentence that says what the model is."""
    data = manifest.data
    return (
        f"{manifest.model.name} (`{config.model.path}`, revision {manifest.model.commit or UNKNOWN}), fine-tuned for "
        f"creative writing on {data.examples('creative'):,} creative and {data.examples('general'):,} general examples "
        f"(`data.ratio={data.ratio}`), supervision *{config.supervision.name}*, seed {manifest.seed}."
    )


def _tell_moment(point: Point) -> str:
    """Return sentences that say which moment of its arm's training a point is, and what is of the whole training."""
    return (
        f"**This model is not the end of its training.** It is what `{point.study}/{point.arm.name}` was after the "
        f"share {point.moment} of its steps, when it had learned {point.facts.supervised_tokens:,} supervised tokens. "
        "Data, steps and schedule below are those of the whole training; what was measured is of this model alone."
    )


def _tabulate_data(manifest: Manifest, config: TrainConfig) -> Table:
    """Return a table with a row for each group of training examples."""
    origins, licences = find_origins(config), find_licences(config)
    rows = [
        (
            group.kind,
            group.lang,
            group.source,
            origins.get(group.source, UNKNOWN),
            licences.get(group.source) or UNKNOWN,
            f"{group.examples:,}",
            f"{group.supervised_tokens:,}",
        )
        for group in manifest.data.train
    ]
    texts, figures = ("kind", "language", "source", "read from", "licence"), ("examples", "supervised tokens")
    return Table((*texts, *figures), (True,) * len(texts) + (False,) * len(figures), tuple(rows))


def _tell_about_data(manifest: Manifest) -> Iterator[str]:
    """Yield Markdown lines about the examples: fingerprint, how many were cut or left out, and contamination.

    Contamination is the number of creative prompts that are test queries too; its line says so if nobody counted.
    """
    data = manifest.data
    yield f"- Fingerprint of all examples in order: `{data.fingerprint}`."
    if data.truncated or data.dropped:
        yield f"- {data.truncated:,} examples were cut to the model's length, {data.dropped:,} dropped for it."
    yield from (f"- {count:,} rows were left out: {reason}." for reason, count in data.left_out.items() if count)
    queries = [source.also_queries for source in data.sources if source.also_queries is not None]
    if queries:
        yield f"- Contamination: {sum(queries):,} creative prompts are test queries too."
    else:
        yield f"- Contamination: how many creative prompts are test queries too is {UNKNOWN}."


def _describe_training(config: TrainConfig, manifest: Manifest) -> str:
    """Return a sentence about steps, learning rate, code and versions."""
    steps = f"{manifest.training.steps:,}" if manifest.training else "an unknown number of"
    git = manifest.git
    code = f"revision {git.revision}{' with changes that were not committed' if git.dirty else ''}" if git else UNKNOWN
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.versions.items() if version)
    return (
        f"{steps} steps of {config.trainer.global_batch_size} examples, learning rate {config.model.learning_rate:g}, "
        f"{config.scheduler.name} schedule, {'LoRA' if config.model.lora else 'all weights'}. Code: {code}. "
        f"Versions: {libraries or UNKNOWN}. sha256 of the weights: `{manifest.model_sha256 or UNKNOWN}`."
    )


def _read_measures(arm: Arm) -> pl.DataFrame:
    """Return what the study's last evaluation measured of the arm or point, columns as in MEASURES.

    Raises DataError if its file is damaged.
    """
    measures = read_measures(arm.study_folder, OF_POINTS if isinstance(arm, Point) else FILE)
    return measures.filter(pl.col("arm") == arm.name)


def _describe_measures(arm: Arm, manifest: Manifest) -> str:
    """Return the held-out losses, and a table of what was measured with 95 % intervals; "Nothing." without either."""
    losses = [f"{lang} {number(loss, 3)}" for lang, loss in arm.held_out_losses(LANGUAGES).items()]
    told = f"Loss on held-out creative answers, in nats per token: {', '.join(losses)}." if losses else ""
    if not (measures := _read_measures(arm)).is_empty():
        rows = [
            (
                *(one["lang"], one["measure"], number(one["value"])),
                *(interval(one["low"], one["high"], number), number(one["n"])),
            )
            for one in measures.iter_rows(named=True)
        ]
        headings = ("language", "measure", "value", "95 %", "n")
        told += "\n\n" + render_markdown(Table(headings, (True, True, False, False, False), tuple(rows)))
    return told.strip() or "Nothing."


def _list_unmeasured(arm: Arm) -> Iterator[str]:
    """Yield what nobody has measured of a model, of an arm or point; last NEVER, which holds for every model."""
    measures = _read_measures(arm)
    if not list(arm.folder.glob("generations/*.jsonl")):
        yield "its answers: it has answered no queries"
    elif measures.is_empty():
        yield "its answers: they were not evaluated"
    if not measures["measure"].str.contains(OF_PEOPLE).any():
        yield "whether people like what it writes: no judgments of its answers were evaluated"
    if "copied" not in measures["measure"]:
        yield "whether what it writes repeats a text that it was trained on"
    yield from NEVER
