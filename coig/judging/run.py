"""Let a judge answer what it has not answered yet, and say what failed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from coig.config import JudgeConfig
from coig.config.fields import MULTIRUN, files_of
from coig.config.loading import construct
from coig.config.wait_policy import tell_policy
from coig.display.numbers import counted
from coig.errors import ConfigError
from coig.files.lock import LockHeldError, locked
from coig.judging.calls import Call, make_pair_calls, make_ranking_calls, make_rating_calls, make_step_calls
from coig.judging.cases import Judge
from coig.judging.judge_file import JudgeFile, append_opinions, find_judge_file, read_judge_file
from coig.judging.probes import make_probes
from coig.judging.tally import Tally, show_progress
from coig.judging.yardstick import read_yardstick_pairs
from coig.llm.usage import NO_USAGE
from coig.study.answers_to_judge import read_study_answers
from coig.study.find import find_study

log = logging.getLogger(__name__)


def judge(config: JudgeConfig) -> None:
    """Ask a judge the calls that it has not answered yet, and append what it says to its file.

    With `dry_run`, only print how many calls and tokens are left. Raises ConfigError if another judge has written the
    file, another process is writing it, the judge cannot be asked this, or calls failed.
    """
    study, calls = _make_calls(config)
    asked: Judge = construct(config.judge)
    if config.ask not in asked.can:
        raise ConfigError(f"ask={config.ask}: {asked.name} can be asked {' or '.join(asked.can)} only")
    name = config.name or asked.name + ("" if config.ask == "pairs" else f"-{config.ask}")
    file = find_judge_file(study, config.ask, name, yardstick=bool(config.yardstick))
    if config.dry_run:
        said = read_judge_file(file, config.ask)
        said.check_judge(asked.describe(config.ask))
        _tell_costs(asked, calls, said.find_left(calls))
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(file.with_name(f".{file.name}.lock")):
            _judge(asked, calls, read_judge_file(file, config.ask), study.name)
    except LockHeldError as error:
        raise ConfigError(f"{file}: another process judges into it ({error}); wait for it, or stop it") from None


def _make_calls(config: JudgeConfig) -> tuple[Path, list[Call]]:
    """Return the study's folder and all calls that the config asks for, answered or not; of pairs, checks come last.

    With a yardstick the calls are its pairs, and the study's answers are not read. Raises ConfigError if there are no
    answers to judge, or options do not go together.
    """
    if config.ask != "pairs" and (config.probes or config.yardstick):
        raise ConfigError(f"ask={config.ask}: probes and a yardstick are pairs; leave them out, or ask=pairs")
    if config.probes and config.yardstick:
        raise ConfigError("probes: are made of a study's answers; ask them without yardstick")
    if config.yardstick:
        folder = MULTIRUN / (config.study or "")
        study = folder if config.study and folder.is_dir() else find_study(config.study)
        return study, make_pair_calls(read_yardstick_pairs(files_of(config.yardstick)))
    written = read_study_answers(config.study, config.arms, config.queries, config.answers)
    if config.ask == "steps":
        calls = make_step_calls(answer for answer in written.answers if answer.arm in written.arms)
        if not calls:
            raise ConfigError("ask=steps: no answer has reasoning")
        return written.study, calls
    questions = written.questions()
    if config.ask == "pairs":
        calls = make_pair_calls(questions, config.pairs_per_query, config.seed)
        return written.study, calls + make_probes(questions, calls, config.probes, config.seed)
    if config.ask == "ranking":
        return written.study, make_ranking_calls(questions, config.seed)
    return written.study, make_rating_calls(questions)


def _judge(judge: Judge, calls: Sequence[Call], said: JudgeFile, study: str) -> None:
    """Ask the calls that `said` lacks, and append each opinion to the judge's file as it comes.

    Logs counts. Raises ConfigError if the file is by another judge, or if calls failed; SystemExit 130 at Ctrl-C.
    """
    said.check_judge(judge.describe(calls[0].case.asked))
    left = said.find_left(calls)
    if not left:
        log.info("%s: nothing left to ask, %s answered there", said.file, counted(len(calls), "call is", "calls are"))
        return
    tell_policy()
    facts = judge.open(left[0].case, said.judge)
    said.check_judge(facts)
    tally = Tally(judge.prices)
    opinions = judge.opinions((call, call.case) for call in left)
    try:
        for batch in show_progress(opinions, said.file.stem, len(left), len(calls), tally):
            append_opinions(said, facts, study, batch)
    except KeyboardInterrupt:
        log.error("%s: interrupted; the same command asks what is left", said.file)
        raise SystemExit(130) from None
    finally:
        for line in tally.by_arm():
            log.warning("%s", line)
    answered = counted(len(calls) - tally.failures, "call is", "calls are")
    twice = " (a pair takes two, one in each order)" if calls[0].case.asked == "pairs" else ""
    log.info("%s: %s answered there%s%s", said.file, answered, twice, tally.spent)
    if tally.failures:
        raise ConfigError(
            f"{said.file}: {tally.failures} of {len(left)} calls failed, the first: {tally.first}; the same "
            "command asks them again"
        )


def _tell_costs(judge: Judge, calls: Sequence[Call], left: Sequence[Call]) -> None:
    """Print how many calls are left, and about how many tokens they take and what they cost."""
    usage = sum((judge.estimate(call.case) for call in left), NO_USAGE)
    checks = sum(call.check is not None for call in left)
    cost = judge.prices.cost(usage)
    done = len(calls) - len(left)
    print(f"{counted(len(left), 'call')}, {checks:,} of them checks of the judge; {done:,} more are answered already")
    if usage != NO_USAGE:
        price = f", cost about {cost:,.2f}" if cost else ""
        print(f"about {usage.prompt:,} tokens to read and at least {usage.reply:,} to write{price}")
