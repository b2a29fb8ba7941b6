"""Evaluating a study: its answers measured, its judgments counted; tables, figures and a report in its folder."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from coig.config import ConfigError, suggestion
from coig.evaluation.agreement import agreement, mean_ratings, raters
from coig.evaluation.answers import measured, read_answers
from coig.evaluation.authors import read_answers_of_authors
from coig.evaluation.cells import averaged, cells_of, verdicts_between
from coig.evaluation.claims import claims, signatures
from coig.evaluation.columns import AUTOMATIC
from coig.evaluation.contrasts import CONTRASTS, contrast_table, contrasts_of
from coig.evaluation.figures import figures, rendered
from coig.evaluation.formatting import LANGUAGE_NAMES
from coig.evaluation.formatting import Table as Shown
from coig.evaluation.formatting import table as shown_table
from coig.evaluation.halves import halves_in_words
from coig.evaluation.intervals import FEWEST
from coig.evaluation.judgments import Judgments, read_judgments
from coig.evaluation.latex import tables as latex_tables
from coig.evaluation.question import Answer, answers_in_words
from coig.evaluation.reasoning import (
    by_position,
    label_agreement,
    labelled_steps,
    read_labels,
    shares,
    transitions,
)
from coig.evaluation.report import html, question_lines, summary
from coig.evaluation.results import Evaluation, all_genres, by_language
from coig.evaluation.sections import win_rate_matrix
from coig.evaluation.strengths import length_control, strengths
from coig.evaluation.tables import automatic_table, comparisons, genre_table
from coig.evaluation.tracking import log_evaluation
from coig.evaluation.win_rates import win_rates, with_clean_rates
from coig.fields import HELD_OUT, local_path
from coig.schema import EvaluateConfig, Question
from coig.study import MULTIRUN, Arm, arm_order, find_arms, find_done_arms, find_study, write_atomic
from coig.tracking import best_effort

log = logging.getLogger(__name__)


def evaluate(config: EvaluateConfig) -> None:
    """Measure a study's answers, count its judgments, and write `evaluation/` in its folder."""
    study, arms, notes = _arms(config)
    answers = _answers(arms, config)
    if answers is not None:
        notes += _notes_on_answers(answers, {arm.name: arm.settings()["seed"] for arm in arms})
    judgments = _judgments(config, study.name, arms, answers)
    notes += _notes_on_judgments(judgments, answers) if judgments else []
    labels = [read_labels(local_path(file)) for file in config.labels]
    evaluation = _evaluation(study.name, arms, answers, judgments, labels, notes)
    folder = study / "evaluation"
    svgs = _write(evaluation, folder)
    with best_effort(folder):
        log_evaluation(evaluation, list(svgs), arms, folder)
    _print(evaluation)
    log.info("Report: %s", (folder / "report.html").absolute())


def _arms(config: EvaluateConfig) -> tuple[Path, list[Arm], list[str]]:
    """The study's folder, its trained arms, and a note on those that are not; judgments may do without any."""
    folder = MULTIRUN / (config.study or "")
    if (config.judgments or config.answers) and config.study and not list(folder.glob("*/manifest.json")):
        return folder, [], []
    study = find_study(config.study)
    arms, untrained = find_done_arms(study, config.arms)
    return study, arms, [f"{name} is not trained to its end and is left out." for name in untrained]


def _answers(arms: Sequence[Arm], config: EvaluateConfig) -> pl.DataFrame | None:
    if config.answers:
        return measured(read_answers_of_authors([local_path(file) for file in config.answers]))
    there = {file.stem for arm in arms for file in arm.folder.glob("generations/*.jsonl")}
    if there and (missing := [name for name in config.queries if name not in there]):
        raise ConfigError(
            f"queries={missing[0]}: no arm has generations/{missing[0]}.jsonl" + suggestion(missing[0], sorted(there))
        )
    return None if config.judgments and not there else read_answers(arms, config.queries)


def _judgments(
    config: EvaluateConfig, study: str, arms: Sequence[Arm], answers: pl.DataFrame | None
) -> Judgments | None:
    """Of the arms that are compared."""
    if not config.judgments:
        return None
    known = {arm.name for arm in find_arms(arms[0].folder.parent, None)} if arms else None
    queries = (
        {} if answers is None else {row[0]: row[1:] for row in answers.select("query_id", "lang", "genre").iter_rows()}
    )
    judgments = read_judgments([local_path(file) for file in config.judgments], study, known, queries)
    judged = judgments.arms()
    if unknown := [name for name in config.arms or () if name not in judged | {arm.name for arm in arms}]:
        raise ConfigError(f"arms: {unknown[0]} was neither judged nor trained" + suggestion(unknown[0], sorted(judged)))
    chosen = judgments.of(config.arms) if config.arms else judgments
    if not chosen.arms():
        raise ConfigError("judgments: none is about the arms asked for; take some out of arms=[…], or add some")
    return chosen


def _evaluation(
    study: str,
    arms: Sequence[Arm],
    answers: pl.DataFrame | None,
    judgments: Judgments | None,
    labels: Sequence[pl.DataFrame],
    notes: list[str],
) -> Evaluation:
    automatic = compared = rates = None
    frames: dict[str, pl.DataFrame] = {}
    if answers is not None:
        automatic, compared = automatic_table(answers), comparisons(answers)
        steps = labelled_steps(answers)
        frames |= {"genres": genre_table(answers), "behaviour": by_position(steps), "behaviour_shares": shares(steps)}
        frames |= {"transitions": transitions(steps)}
        if labels:
            frames |= {"label_agreement": label_agreement(steps, pl.concat(labels))}
    if judgments is not None:
        rates = win_rates(judgments.comparisons)
        frames |= {"strengths": strengths(judgments.comparisons)}
        notes = [*notes, *_notes_on_strengths(frames["strengths"])]
        frames |= {"agreement": agreement(judgments), "raters": raters(judgments)}
        frames |= {"ratings": mean_ratings(judgments.ratings)}
        if answers is not None:
            rates = with_clean_rates(rates, judgments.comparisons, answers)
            # of others' answers nobody knows the tokens
            lengths = answers.with_columns(tokens=pl.coalesce("tokens", "words"))
            frames |= {"length_control": length_control(judgments.comparisons, lengths)}
    pooled = _over_seeds(arms, automatic, answers, judgments) or (rates, automatic, compared)
    asked, question_answers, frames["contrasts"] = _question(arms, answers, judgments)
    names = {name for frame in (automatic, rates, frames.get("ratings")) if frame is not None for name in frame["arm"]}
    return Evaluation(
        study=study,
        arms=tuple(sorted(names, key=arm_order)),
        automatic=automatic,
        answers=answers,
        comparisons=compared,
        win_rates=rates,
        claims=claims(*pooled),
        question=asked,
        question_answers=question_answers,
        halves=halves_in_words(arms),
        signatures=signatures(rates, automatic, judgments.ratings if judgments else None),
        notes=tuple(notes),
        manifests=[arm.manifest() for arm in arms],
        **frames,
    )


def _question(
    arms: Sequence[Arm], answers: pl.DataFrame | None, judgments: Judgments | None
) -> tuple[str | None, tuple[Answer, ...], pl.DataFrame]:
    """What the study was made to answer, the answers in words, and what they rest on."""
    asked = [Question.model_validate(question) for arm in arms if (question := arm.settings().get("question"))]
    if not asked:
        return None, (), pl.DataFrame(schema=CONTRASTS)
    if len(questions := {question.ask for question in asked}) > 1:
        log.warning("the arms ask %d questions; only this one is answered: %s", len(questions), asked[0].ask)
    cells = cells_of(arms)
    contrasts = contrasts_of(asked[0], cells)
    if not contrasts:
        values = sorted({cell.values[asked[0].compare] for cell in cells if asked[0].compare in cell.values})
        base = f"{asked[0].compare}={asked[0].baseline}"
        log.warning("nothing to hold against %s among the arms: there are %s", base, ", ".join(values))
    table = contrast_table(contrasts, answers, judgments.comparisons if judgments else None, arms)
    return asked[0].ask, tuple(answers_in_words(asked[0], table)), table


def _over_seeds(
    arms: Sequence[Arm], automatic: pl.DataFrame | None, answers: pl.DataFrame | None, judgments: Judgments | None
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, pl.DataFrame | None] | None:
    """Win rates, automatic measures and comparisons, arms that differ in their seed alone as one; None if none do."""
    names = {arm: cell.name for cell in cells_of(arms) for arm in cell.arms}
    if len(set(names.values())) == len(names):
        return None
    rates = win_rates(verdicts_between(judgments.comparisons, names)) if judgments else None
    if automatic is None or answers is None:
        return rates, None, None
    of_cells = automatic.with_columns(pl.col("arm").replace(names)).group_by("lang", "arm", maintain_order=True)
    return rates, of_cells.agg(pl.selectors.numeric().mean()), comparisons(averaged(answers, names))


def _notes_on_answers(answers: pl.DataFrame, seeds: Mapping[str, int]) -> list[str]:
    """What a reader must know before comparing arms, whose seeds are given by name."""
    answered = {arm: set(part["query_id"]) for (arm,), part in answers.group_by("arm")}
    others = set(answers.filter(pl.col("queries").ne_missing(HELD_OUT))["query_id"])
    of_seeds = answers.filter(queries=HELD_OUT).group_by(pl.col("arm").replace_strict(seeds, return_dtype=pl.Int64))
    held_out = {seed: set(part["query_id"]) for (seed,), part in of_seeds}
    notes = [f"{arm} has no answers and is left out." for arm in seeds if arm not in answered]
    for arm, seed in seeds.items():
        asked = others | held_out.get(seed, set())  # each seed holds out its own triplets
        if answered.get(arm, asked) < asked:
            count = f"{len(answered[arm])} of {len(asked)}"
            notes.append(f"{arm} has answered {count} queries: its figures are not comparable with the others'.")
    if len(set(map(frozenset, held_out.values()))) > 1:
        counts = ", ".join(f"seed {seed}: {len(held_out[seed])}" for seed in sorted(held_out))
        notes.append(
            f"Arms of different seeds have answered different held-out prompts ({counts}): in tables of arms, compare "
            "those of one seed only. Differences between arms are over the prompts that both answered."
        )
    return notes


def _notes_on_judgments(judgments: Judgments, answers: pl.DataFrame | None) -> list[str]:
    """What makes the win rates less than they look."""
    notes = []
    judged = set(judgments.comparisons["query_id"]) | set(judgments.ratings["query_id"])
    if answers is not None and (strange := judged - set(answers["query_id"])):
        notes.append(
            f"{len(strange)} of {len(judged)} judged queries have no answers here: {min(strange)}, for example."
        )
    for (lang,), part in judgments.comparisons.group_by("lang", maintain_order=True):
        where = LANGUAGE_NAMES[str(lang)]
        if part["rater"].n_unique() == 1:
            notes.append(f"{where}: one rater only. How others would judge cannot be told.")
        if (part["score"] == 0.5).all():
            notes.append(f"{where}: all verdicts are ties. No arm can be told from another.")
        prompts = part.group_by("arm", "opponent").agg(pl.col("query_id").n_unique())
        most = part["query_id"].n_unique()
        for arm, opponent, count in prompts.sort("arm", "opponent").iter_rows():
            if count < most:
                notes.append(f"{where}: {arm} and {opponent} were compared on {count} of {most} prompts.")
    return notes


def _notes_on_strengths(strengths: pl.DataFrame) -> list[str]:
    without = strengths.filter(pl.col("strength").is_null())["lang"].unique(maintain_order=True)
    return [
        f"{LANGUAGE_NAMES[lang]}: no strengths, for some arms never met, or always win or lose, or fewer than {FEWEST} "
        "prompts were judged."
        for lang in without
    ]


def _write(evaluation: Evaluation, folder: Path) -> dict[str, bytes]:
    """All files, in place of those of an earlier evaluation; returns the figures as SVG."""
    files: dict[str, str | bytes] = {}
    for name, frame in evaluation.frames().items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        files |= {f"{name}.csv": frame.write_csv(), f"{name}.parquet": buffer.getvalue()}
    files |= {f"latex/{name}.tex": source for name, source in latex_tables(evaluation).items()}
    drawn = figures(evaluation)
    svgs = {name: rendered(figure, "svg") for name, figure in drawn.items()}
    files |= {f"figures/{name}.svg": svg for name, svg in svgs.items()}
    files |= {f"figures/{name}.png": rendered(figure, "png") for name, figure in drawn.items()}
    files |= {"summary.md": summary(evaluation), "report.html": html(evaluation, svgs)}
    for name, content in files.items():
        write_atomic(folder / name, content)
    for part in (folder, folder / "latex", folder / "figures"):
        for file in part.glob("*.*"):
            if file.is_file() and str(file.relative_to(folder)) not in files:
                file.unlink()
    return svgs


def _terminal_tables(evaluation: Evaluation) -> list[tuple[str, Shown]]:
    """The automatic measures and the matrix of win rates, by language."""
    shown = []
    if (automatic := evaluation.measured("automatic")) is not None:
        for lang, part in by_language(automatic):
            shown.append((LANGUAGE_NAMES[lang], shown_table(part.iter_rows(named=True), AUTOMATIC)))
    if (rates := evaluation.measured("win_rates")) is not None:
        for lang, part in by_language(all_genres(rates)):
            title = f"{LANGUAGE_NAMES[lang]}: win rate of the row over the column, %"
            shown.append((title, win_rate_matrix(part, evaluation.arms)))
    return shown


def _print(evaluation: Evaluation) -> None:
    """The main tables on the terminal."""
    console = Console()
    for title, shown in _terminal_tables(evaluation):
        printed = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
        for heading, left in zip(shown.headings, shown.left, strict=True):
            printed.add_column(heading, justify="left" if left else "right", no_wrap=not left, overflow="fold")
        for row in shown.rows:
            printed.add_row(*row)
        console.print(printed)
    for line in question_lines(evaluation, short=True):
        console.print(line.strip("*"), style="bold" if line.startswith("*") else None, markup=False)
    for note in evaluation.notes:
        console.print(f"Note: {note}", style="yellow", markup=False)
