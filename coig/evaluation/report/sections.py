"""The report's sections: which figures and tables each shows, and what it says about them."""

from __future__ import annotations

from dataclasses import dataclass

from coig.display.numbers import LANGUAGE_NAMES
from coig.display.tables import Table
from coig.evaluation.report import tables
from coig.evaluation.report.columns import NEW_RATERS, THESE_RATERS
from coig.evaluation.report.results import Evaluation
from coig.evaluation.report.tables import View


@dataclass(frozen=True)
class Section:
    """A part of the page: an opening sentence, figures by name, tables under their headings, and a key to these."""

    name: str
    title: str
    opening: str
    figures: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    key: str = ""

    def tables(self, evaluation: Evaluation) -> list[tuple[str, Table]]:
        """Return (heading, table) by language, of what was measured."""
        filled = [(lang, view, table) for view in self.views for lang, table in view.fill(evaluation)]
        filled.sort(key=lambda entry: list(LANGUAGE_NAMES).index(entry[0]))
        return [(f"{LANGUAGE_NAMES[lang]}{view.title}", table) for lang, view, table in filled]


QUESTION = Section(
    "question",
    "The question",
    "",
    views=(tables.CONTRASTS,),
    key="Answers to one query under several seeds are averaged. Holm: corrected within a language and file of "
    "queries, win rates among themselves. held-out loss: mean −log p of a token of the held-out triplets' answers, "
    "after the last step; it is one figure an arm, so nothing is tested, and it tells who predicts such texts, not "
    "who writes better ones.",
)
SECTIONS = (
    Section(
        "win_rates",
        "Win rates",
        "How often raters preferred one arm's answer over another's: (wins + ½ ties) / verdicts, where a ranking "
        "counts as all its pairs.",
        figures=("win_rates", "ratio"),
        views=(tables.WIN_RATES,),
        key=f"Each pair once, the winner first. {THESE_RATERS}: 95 % bootstrap interval over prompts. {NEW_RATERS}: "
        "95 % two-way cluster-robust interval over prompts and raters (Cameron, Gelbach & Miller 2011). Holm: "
        "corrected within a language. MDE: the difference from 50 % that this many prompts find with 80 % "
        "power. without one rater: range of the win rate as each rater in turn is left out. clean: without answers in "
        "the other language.",
    ),
    Section(
        "strengths",
        "Strengths",
        "One scale for all arms, fitted to all pairs at once by a Bradley–Terry model with ties (Davidson 1970); "
        "intervals are bootstrapped over prompts.",
        figures=("strengths",),
        views=(tables.STRENGTHS,),
        key="strength: log odds around a mean of 0. not separable from: arms whose difference is within chance.",
    ),
    Section(
        "length_control",
        "Length control",
        "What the win rates would be between answers of one length; both stand side by side, since better answers may "
        "be longer for good reasons.",
        figures=("length_control",),
        views=(tables.LENGTH_CONTROL,),
        key="N: verdicts between two answers that are not empty. logit P = θᵢ − θⱼ + γ·ln(Lᵢ/Lⱼ), per language: γ > 0 "
        "means that the longer answer is preferred.",
    ),
    Section(
        "ratings",
        "Ratings",
        "Means of the ratings, with 95 % bootstrap intervals over prompts.",
        views=(tables.RATINGS,),
    ),
    Section(
        "agreement",
        "Agreement and raters",
        "How far the raters agree beyond chance, and how each of them judged.",
        views=(tables.AGREEMENT, tables.RATERS),
        key="α: Krippendorff's, ordinal; 1 is full agreement, 0 is chance. Kendall's W is not 0 for random rankings "
        "(0.25 for four raters); the mean Spearman correlation is. severity: how much lower a rater rates the same "
        "answers than the others do, which rankings do not show.",
    ),
    Section(
        "automatic",
        "Automatic measures",
        "What the answers are like, counted without anyone's judgment and with the reasoning left out.",
        figures=("length", "ttr", "mattr"),
        views=(tables.AUTOMATIC, tables.DIVERSITY),
        key="n: answers. ended: the model ended a non-empty answer by itself. tokens, chars: mean length. TTR: mean "
        "type-token ratio, then its median. MATTR: that of windows of 50 words, whatever the length. MTLD "
        "(McCarthy & Jarvis 2010) of answers from 200 words on; HD-D: of 42 words drawn from an answer; distinct-n: "
        "distinct n-grams / n-grams; self-repetition: share of an answer's 4-grams that stood in it before. foreign: "
        "at least 80 % of the script is the other language's. empty: nothing was written after the reasoning.",
    ),
    Section(
        "comparisons",
        "Paired comparisons",
        "Differences between two arms' answers to the same queries, with 95 % intervals over queries.",
        views=(tables.COMPARISONS,),
        key="Holm: corrected within a language.",
    ),
    Section(
        "contamination",
        "Contamination",
        "Share of answers written in the other language, told by their script, with 95 % Wilson intervals.",
        figures=("contamination",),
        views=(tables.CONTAMINATION,),
        key="foreign: at least 80 % of the script is the other language's; with mixed: those that mix both count too. "
        "zh, en, mixed, und(etermined): answers by language. other script: mean share of its letters; begins at: where "
        "in a contaminated answer it begins, on the mean.",
    ),
    Section(
        "behaviour",
        "Reasoning behaviour",
        "What each step of the reasoning does, by its position in the chain; bands are 95 % intervals over prompts.",
        figures=("behaviour",),
        views=(
            tables.BEHAVIOUR,
            tables.TRANSITIONS,
            tables.LABEL_AGREEMENT,
        ),
    ),
    Section(
        "genres",
        "Genres",
        "The same measures by genre, where few prompts make wide intervals: read them as hints.",
        figures=("genres",),
        views=(
            tables.GENRE_WIN_RATES,
            tables.GENRES,
        ),
    ),
    Section(
        "signatures",
        "Failure signatures",
        "Patterns that the paper names as signs of what went wrong in training, looked for in each arm.",
        views=(tables.SIGNATURES,),
    ),
)
