"""The sections of the report's page: their figures, tables and explanations."""

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
    """A section of the page: title, opening sentence, names of its figures, its tables, and a key to their columns."""

    name: str
    title: str
    opening: str
    figures: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    key: str = ""

    def tables(self, evaluation: Evaluation) -> list[tuple[str, Table]]:
        """Return (heading, table of text) of each of the section's tables that has rows, sorted by language."""
        filled = [(lang, view, table) for view in self.views for lang, table in view.fill(evaluation)]
        filled.sort(key=lambda entry: list(LANGUAGE_NAMES).index(entry[0]))
        return [(f"{LANGUAGE_NAMES[lang]}{view.title}", table) for lang, view, table in filled]


PLAN = Section(
    "plan",
    "The registered plan",
    "What was fixed before there were outcomes, and what was found. Everything else in this report is exploratory. "
    "Of general examples per creative one, R50 is the number at which arms equal general data alone, and R* that from "
    "which they are within the margin of the best.",
    views=(tables.REGISTERED,),
    key="R50, R*: in brackets the 95 % interval, for new raters too where there are several. It is as predicted if the "
    "interval lies in the predicted range, and against the prediction if it lies outside. p (Holm): corrected for all "
    "differences of the plan.",
)
QUESTION = Section(
    "question",
    "The question",
    "",
    views=(tables.CONTRASTS,),
    key="Answers to one query under several seeds are averaged. Holm: corrected within a language and file of "
    "queries, separately for win rates and for other measures. held-out loss: mean −log p per token of the held-out "
    "triplets' answers after the last step. There is one loss per arm, so it is not tested. It measures how well an "
    "arm "
    "predicts such texts, not how well it writes.",
)
DOSE = Section(
    "dose",
    "The ratio",
    "How results depend on R, the number of general examples per creative one.",
    figures=("trade_offs", "dose", "dose_measures"),
    views=(tables.THRESHOLDS, tables.SHIFTS, tables.DOSES, tables.DOSE_FITS, tables.AMOUNT_OR_RATIO),
    key="trend: MCP-Mod's test of any dose effect. weight: Akaike's. A curve's R₅₀ may lie beyond the tested ratios, "
    "if the curve holds there.",
)
JUDGES = Section(
    "judges",
    "Model judges",
    "What models that judge are worth beside people, and how they err. No claim of this report rests on them.",
    views=(
        tables.JUDGE_WORTH,
        tables.PEOPLE_AND_JUDGES,
        tables.JUDGE_CARD,
        tables.JUDGE_GENRES,
        tables.YARDSTICK,
        tables.JUDGE_RATES,
        tables.JUDGE_FAILURES,
        tables.JUDGES,
    ),
    key="correlation: of what the judges (and the answers' length) predict with people's mean verdict on a prompt. "
    "worth of a label: 1 / (1 − ρ²·N/(N + n)) for n prompts of people and N further ones of the judges; at most: for "
    "very many further prompts. people %, with judges %: win rates by Student's t over prompts; with judges by PPI++ "
    "(2311.01453), stratified by genre, and people alone where that is narrower. agrees: a tie agrees by half with a "
    "win; people's figure leaves one rater out in turn. alarm: a bias that is significant after Holm's correction, or "
    "a share of errors whose whole interval is above 10 % (identical answers, asked again) or 20 % (planted flaws). "
    "not calibrated: what a judge alone says, with no person to hold it against.",
)
SECTIONS = (
    Section(
        "win_rates",
        "Win rates",
        "How often raters preferred one arm's answer over another's: (wins + ½ ties) / verdicts, where a ranking "
        "counts as one verdict for each of its pairs.",
        figures=("win_rates",),
        views=(tables.WIN_RATES, tables.UNFLAGGED),
        key=f"Each pair is listed once, the winner first. {THESE_RATERS}: 95 % bootstrap interval over prompts. "
        f"{NEW_RATERS}: "
        "95 % two-way cluster-robust interval over prompts and raters (Cameron, Gelbach & Miller 2011). Holm: "
        "corrected within a language. MDE: the difference from 50 % that this many prompts detect with 80 % "
        "power. without one rater: range of the win rate when each rater in turn is left out. clean: without answers "
        "in "
        "the other language.",
    ),
    Section(
        "strengths",
        "Strengths",
        "Strengths put all arms on one scale. They are fitted to all pairs at once by a Bradley–Terry model with ties "
        "(Davidson 1970); "
        "intervals are bootstrapped over prompts.",
        figures=("strengths",),
        views=(tables.STRENGTHS,),
        key="strength: log odds; the arms' mean is 0. not separable from: arms whose strength does not differ "
        "significantly.",
    ),
    Section(
        "length_control",
        "Length control",
        "Win rates as judged, and estimated for answers of equal length. Both are shown, because better answers may be "
        "longer for good reasons.",
        figures=("length_control",),
        views=(tables.LENGTH_CONTROL,),
        key="N: verdicts on two answers that are both not empty. logit P = θᵢ − θⱼ + γ·ln(Lᵢ/Lⱼ), per language: γ > 0 "
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
        "How much the raters agree beyond chance, and how strict each of them is.",
        views=(tables.AGREEMENT, tables.RATERS),
        key="α: Krippendorff's, ordinal; 1 is full agreement, 0 is chance. Kendall's W is not 0 for random rankings "
        "(0.25 for four raters); the mean Spearman correlation is. severity: how much lower a rater rates the same "
        "answers than the other raters do; unknown for rankings.",
    ),
    Section(
        "automatic",
        "Automatic measures",
        "Length, lexical diversity and language of the answers, without their reasoning.",
        figures=("length", "ttr", "mattr"),
        views=(tables.AUTOMATIC, tables.DIVERSITY),
        key="n: answers. ended: the model ended the answer by itself, and it is not empty. tokens, chars: mean "
        "length. TTR: mean "
        "type-token ratio, then its median. MATTR: mean TTR of windows of 50 words, independent of length. MTLD "
        "(McCarthy & Jarvis 2010): of answers of at least 200 words; HD-D: of 42 words drawn from an answer; "
        "distinct-n: "
        "distinct n-grams / n-grams; self-repetition: share of an answer's 4-grams that occurred in it before. "
        "foreign: "
        "at least 80 % of the script is the other language's. empty: the model wrote nothing after the reasoning.",
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
        "Share of answers written in the other language, detected by their script, with 95 % Wilson intervals.",
        figures=("contamination",),
        views=(tables.CONTAMINATION,),
        key="foreign: at least 80 % of the script is the other language's; with mixed: answers that mix both languages "
        "count too. zh, en, mixed, und(etermined): number of answers by language. other script: mean share of letters "
        "of the "
        "other language's script. begins at: mean position where it begins in contaminated or mixed answers.",
    ),
    Section(
        "memorisation",
        "What was copied",
        "What the answers have in common with the texts that their arm was trained on, reasoning and answers.",
        views=(tables.MEMORISATION, tables.WITHOUT_COPIES, tables.NEAR_PROMPTS),
        key="copied: mean share of an answer's characters within spans of at least 13 Chinese characters or 8 words "
        "that are in a training text of the arm; script variants, case and punctuation do not count. "
        "creative texts: by the arm's creative texts alone. floor: the same share for the answers of general data "
        "alone, which has not seen these texts; what both have are set phrases. near copy: at least half of the "
        "answer's shingles (5 characters, 8 letters) are in the training text that shares most with it. without: "
        "without verdicts on near copies. similarity: of a query and a training prompt, Jaccard's, from 0.5 on. "
        "Intervals are over prompts.",
    ),
    Section(
        "sameness",
        "How alike the answers are",
        "Texts of equal length, their first 50 words, compared with each other; people's texts are the yardstick.",
        views=(tables.SAMENESS, tables.RECURRING),
        key="similarity: mean share of the different words of two texts that both have (Jaccard). distinct-2 of two: "
        "different pairs of adjacent words in two texts / all of them; less is more alike. people's texts: the "
        "creative texts that the arms were trained on. opening: the first 6 Chinese characters or 4 words. name: a "
        "Chinese name with one of the hundred most frequent surnames, or a word that has a capital inside sentences "
        "and never occurs without; not those of the query. In brackets: number of texts.",
    ),
    Section(
        "behaviour",
        "Reasoning behaviour",
        "What the steps of the reasoning do, by position in the chain; bands are 95 % intervals over prompts.",
        figures=("behaviour",),
        views=(
            tables.BEHAVIOUR,
            tables.TRANSITIONS,
            tables.LABEL_AGREEMENT,
        ),
    ),
    Section(
        "points",
        "The same arm over its training",
        "What each arm was after shares of its steps. More general data also means more steps; compare arms at equal "
        "steps, or at equal tokens learned, to tell the two apart.",
        views=(tables.POINTS, tables.POINT_RATES),
        key="share: of the arm's optimizer steps. learned: supervised tokens until then. Before the last step the "
        "learning rate has not come down, so a point is not what a shorter run would end with. Points are no arms: "
        "nothing else in this report counts them. Intervals: these raters, new prompts.",
    ),
    Section(
        "orders",
        "Does the order survive?",
        "Whether the ratios are in the same order under another setting, such as another learning rate, and under "
        "another seed.",
        views=(tables.ORDERS,),
        key="τ: mean of Kendall's τ over the comparisons of two settings, or of two seeds of one setting: 1 if the "
        "orders are equal, 0 by chance, −1 if one is turned round. Interval: over prompts. The row across seeds is "
        "what chance in training does to the order. Preference: over general data alone of the same setting.",
    ),
    Section(
        "look_ahead",
        "Look ahead",
        "Does the loss on held-out creative answers, known before anybody judges, order the arms as raters do?",
        views=(tables.LOOK_AHEAD,),
        key="τ: Kendall's, 1 if the arm with the lower loss is always the preferred one, −1 if never, 0 by chance. An "
        "arm's preference is its mean score against the other arms. Interval: over prompts, for these arms. p: if the "
        "loss ordered the arms at random; few arms cannot make it small (three 0.33, four 0.08, five 0.02).",
    ),
    Section(
        "noise",
        "Noise floor",
        "What results owe to chance: to the prompts, seeds, learning rates and raters that happened to be taken.",
        views=(tables.NOISE,),
        key="share: of the variance of one observation, an answer's measure or a verdict, around its arm's mean "
        "(Henderson 1953, method 1). in an arm: how many of them an arm has on average. error of an arm's mean: the "
        "standard deviation that this source causes. answers: prompt × seed, told from the rest if several people "
        "judged one. Seeds appear if an arm has several.",
    ),
    Section(
        "genres",
        "Genres",
        "The same measures by genre. Each genre has few prompts, so the intervals are wide: read the results as hints.",
        figures=("genres",),
        views=(
            tables.GENRE_WIN_RATES,
            tables.GENRES,
        ),
    ),
    Section(
        "signatures",
        "Failure signatures",
        "The paper's patterns of failed training, checked for each arm.",
        views=(tables.SIGNATURES,),
    ),
)
