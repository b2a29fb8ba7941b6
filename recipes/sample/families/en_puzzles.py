"""English problems about ordering and logic; riddles are selected by search to have one solution.

See ``general`` on families.
"""

from itertools import pairwise
from random import Random

from recipes.sample.families.en_words import NAMES, listing
from recipes.sample.families.shared import KINDS, LABELINGS, RIDDLES, Family, misfits, true_labels

# More, less, the one at the top, the one at the bottom.
RELATIONS = (
    ("is taller than", "is shorter than", "the tallest", "the shortest"),
    ("is older than", "is younger than", "the oldest", "the youngest"),
    ("arrived before", "arrived after", "the first to arrive", "the last to arrive"),
    ("finished ahead of", "finished behind", "the winner of the race", "the last to finish"),
    ("scored higher than", "scored lower than", "the top scorer", "the lowest scorer"),
    (
        "lives nearer the sea than",
        "lives farther from the sea than",
        "nearest the sea",
        "farthest from the sea",
    ),
    (
        "has read more than",
        "has read less than",
        "the keenest reader",
        "the least keen reader",
    ),
)
LINES = (
    "in line for the ferry",
    "waiting at the ticket window",
    "lined up outside the bakery",
    "standing in the cafeteria line",
    "in the line for the museum",
    "lined up for the school photo",
)
# A kind of person, a condition and its negation, a consequence and its negation.
RULES = (
    (
        "volunteer",
        "works at night",
        "does not work at night",
        "carries a whistle",
        "does not carry a whistle",
    ),
    (
        "student",
        "sings in the choir",
        "does not sing in the choir",
        "has a blue folder",
        "has no blue folder",
    ),
    ("sailor", "has crossed the strait", "has not crossed the strait", "wears a pin", "does not wear a pin"),
    ("baker", "works at the old mill", "does not work at the old mill", "owns a lantern", "owns no lantern"),
    ("hiker", "carries the map", "does not carry the map", "walks in front", "does not walk in front"),
    ("member", "joined before 2010", "did not join before 2010", "has a brass key", "has no brass key"),
    ("gardener", "grows roses", "does not grow roses", "owns leather gloves", "does not own leather gloves"),
    ("musician", "plays the cello", "does not play the cello", "has a pass", "does not have a pass"),
    ("librarian", "speaks Welsh", "does not speak Welsh", "works upstairs", "does not work upstairs"),
    ("plumber", "passed the exam", "did not pass the exam", "has a locker", "has no locker"),
)
GROUPS = (
    ("members of a hiking club", "own a tent", "own a camp stove"),
    ("guests at an inn", "ordered soup", "ordered salad"),
    ("students in a dance class", "speak Spanish", "speak French"),
    ("families on a street", "keep a cat", "keep a dog"),
    ("tourists on a bus", "visited the castle", "visited the cathedral"),
    ("readers in a survey", "enjoy mysteries", "enjoy poetry"),
    ("sailors on a ship", "can cook", "can mend a sail"),
    ("houses in a village", "have a garden", "have a cellar"),
)
SUBJECTS = ("no label", "only the {} label", "the {} and {} labels", "all three labels")
PRIZES = ("silver coin", "ring", "train ticket", "pearl", "letter", "key", "chess knight", "stamp")
COLORS = ("red", "green", "blue", "yellow", "white", "black", "orange")
CLAIMS = (
    "{} is a liar",
    "{} always tells the truth",
    "{} and I are the same kind of person",
    "{} and I are different kinds of people",
    "At least one of us is a liar",
    "Both of us are liars",
    "At least one of us always tells the truth",
)


def ranking(rng: Random) -> list[list[str]]:
    """Draw a problem about ordering four or five people from pairwise comparisons.

    Return wordings of each of its parts.
    """
    more, less, top, bottom = rng.choice(RELATIONS)
    people = rng.sample(NAMES, rng.choice((4, 5)))
    pairs = list(pairwise(people))
    facts = [f"{x} {more} {y}" for x, y in pairs]
    told = [rng.choice((f"{x} {more} {y}", f"{y} {less} {x}")) for x, y in pairs]
    listed, clues, order = listing(sorted(people)), "; ".join(rng.sample(told, len(told))), ", ".join(people)
    place, label = rng.choice(((0, top), (-1, bottom)))
    found, other, size = people[place], people[-1 - place], "four" if len(people) == 4 else "five"
    return [
        [
            f"Here is what is known about {listed}: {clues}.",
            f"{listed} are being compared. The clues: {clues}.",
            f"Among {listed}, these statements hold: {clues}.",
        ],
        [f"Who is {label}?", f"Which of them is {label}?", f"Which of the {size} is {label}?"],
        [
            "I look for a person who never stands on the lesser side of a clue.",
            f"To find out who is {label}, the clues have to be joined into one chain.",
            "Each clue ties two people together, so I begin at one end and follow the links.",
        ],
        [
            f"The line begins with {people[0]}, and the clues lead on: {listing(facts)}.",
            f"The chain starts with {people[0]}: {listing(facts)}.",
        ],
        [
            f"The full order is {order}, so {found} is {label}.",
            f"In one line this reads {order}, which puts {found} {'first' if place == 0 else 'at the end'}.",
        ],
        [
            f"Check: all {len(facts)} clues compare neighbors in this order and agree with it.",
            f"None of the {len(facts)} clues contradicts this line, and no one is left out.",
        ],
        [
            f"{found} is {label}; the full order is {order}.",
            f"The order is {order}, so {found} is {label}.",
            f"It is {found} who is {label}, while {other} is at the other end of the order.",
        ],
    ]


def queue(rng: Random) -> list[list[str]]:
    """Draw a problem about the number of people between two positions in a line, one counted from the back.

    Return wordings of each of its parts.
    """
    x, y = rng.sample(NAMES, 2)
    count, line = rng.randint(14, 45), rng.choice(LINES)
    front = rng.randint(2, count - 1)
    place = rng.choice([n for n in range(2, count) if abs(n - front) > 2])
    back, between = count + 1 - place, abs(place - front) - 1
    low, high = sorted((front, place))
    ahead = x if front < place else y
    return [
        [
            (f"Of {count} people {line}, {x} is number {front} from the front and {y} number {back} from the back."),
            (
                f"In all, {count} people are {line}. {x} is number {front} from the front, and {y}, counted "
                f"from the back, is number {back}."
            ),
        ],
        [
            "How many people stand between the two?",
            f"How many others are between {x} and {y}, and which of the two is nearer the front?",
            f"Who is farther ahead, and how many people are between {x} and {y}?",
        ],
        [
            f"{y}'s place is counted from the other end, so I first put it on the same count as {x}'s.",
            "Both places have to be counted from the front before they can be compared.",
        ],
        [
            f"Number {back} from the back is number {count} + 1 - {back} = {place} from the front.",
            (f"Behind {y} there are {back} - 1 = {back - 1}, so from the front {y} is {count} - {back - 1} = {place}."),
        ],
        [
            (f"Thus {ahead} is ahead, and from {low} to {high} there are {high} - {low} - 1 = {between} between."),
            (f"With {ahead} ahead at {low} and the other at {high}, {high} - {low} - 1 = {between} are between."),
        ],
        [
            f"Check: {low - 1} before, {between} between, {count - high} after and the two make {count}.",
            f"The whole line adds up: {low - 1} + 1 + {between} + 1 + {count - high} = {count}.",
        ],
        [
            f"There are {between} people between {x} and {y}, and {ahead} is nearer the front.",
            f"{ahead} is farther ahead, and {between} people stand between {x} and {y}.",
            f"Between {x} and {y} there are {between} people; {ahead} comes first.",
        ],
    ]


def rule(rng: Random) -> list[list[str]]:
    """Draw a problem about whether a conclusion follows from a rule and a fact, forward or backward.

    Return wordings of each of its parts.
    """
    name, (kind, p, not_p, q, not_q) = rng.choice(NAMES), rng.choice(RULES)
    law = f"every {kind} who {p} {q}"
    fact, query, thought, end = rng.choice(
        (
            (p, q, f"The rule covers each {kind} who {p}, and {name} is one of them.", f"So {name} {q}."),
            (not_q, not_p, f"If {name} {p}, the rule says that {name} {q}.", f"But {name} {not_q}."),
            (q, p, "The rule does not run backward.", f"A {kind} who {not_p} but {q} would break no rule."),
            (not_p, not_q, f"On one who {not_p} the rule is silent.", f"Such a {kind} may be one who {q}."),
        )
    )
    if query in (q, not_p):
        checks = [
            f"I find no counterexample, so it is certain that {name} {query}.",
            f"Check: any other outcome would contradict the rule that {law}.",
        ]
        answers = [
            f"Yes, it is certain that {name} {query}, given that {name} {fact}.",
            f"Yes. Since {law}, and {name} {fact}, it follows that {name} {query}.",
            f"Yes, because {law}, we can conclude that {name} {query}.",
        ]
    else:
        checks = [
            f"One possible counterexample is enough, so it is not certain that {name} {query}.",
            f"Check: either outcome for {name} agrees with both statements, so neither is certain.",
        ]
        answers = [
            f"No, from what is given we cannot be certain that {name} {query}.",
            f"No. Although {law}, that does not settle whether {name} {query}.",
            f"No, it does not follow that {name} {query}; the opposite is possible too.",
        ]
    return [
        [
            f"E{law[1:]}. {name} is a {kind} who {fact}.",
            f"It is known that {law}. {name} is a {kind} and {fact}.",
            f"{name}, a {kind}, {fact}. It is also a fact that {law}.",
        ],
        [
            f"Does it follow that {name} {query}?",
            f"Can we be certain that {name} {query}?",
            f"Is it safe to conclude that {name} {query}?",
        ],
        [
            f"The question is whether the two statements force the conclusion that {name} {query}.",
            f"I may use only what is given: {law}, and {name} {fact}.",
            f"That {name} {query} is certain only if no case fits both statements and breaks it.",
        ],
        [thought],
        [end],
        checks,
        answers,
    ]


def truth_tellers(rng: Random) -> list[list[str]]:
    """Draw a riddle: find from two claims which of the two speakers are truth-tellers and which are liars.

    Return wordings of each of its parts.
    """
    x, y = rng.sample(NAMES, 2)
    riddle = rng.choice(RIDDLES)
    says, replies = CLAIMS[riddle[0]].format(y), CLAIMS[riddle[1]].format(x)
    cases = ("both tell the truth", f"only {x} tells the truth", f"only {y} tells the truth", "both lie")
    right = next(kinds for kinds in KINDS if not misfits(riddle, kinds))
    x_kind, y_kind = ("a truth-teller" if honest else "a liar" for honest in right)
    weighed = []
    for kinds, case in rng.sample(list(zip(KINDS, cases, strict=True)), 4):
        wrong = misfits(riddle, kinds)
        if wrong:
            who, said = (x, y)[wrong[0]], "false" if kinds[wrong[0]] else "true"
            kind = "a truth-teller" if kinds[wrong[0]] else "a liar"
            weighed.append(f"If {case}, {who}, {kind}, would have said something {said}.")
        else:
            weighed.append(f"If {case}, both statements fit.")
    return [
        [
            (
                f'On an island, truth-tellers never lie and liars never tell the truth. {x} says, "{says}." '
                f'{y} says, "{replies}."'
            ),
            (
                f"{x} and {y} are each either a truth-teller, who is always right, or a liar, who never is. "
                f'{x}: "{says}." {y}: "{replies}."'
            ),
        ],
        [
            "What are the two?",
            f"What kind of person is {x}, and what is {y}?",
            "Who is a liar and who is not?",
        ],
        [
            "There are only four cases, so I try each one.",
            f"I test the four possible combinations for {x} and {y}.",
            "Each may be truthful or not, which leaves four cases to test.",
        ],
        [" ".join(weighed)],
        ["Just one case survives.", "So only one combination is left.", "The other three are ruled out."],
        [
            f"The answer is that {x} is {x_kind} and {y} is {y_kind}.",
            f"Only one case is consistent: {x} is {x_kind}, and {y} is {y_kind}.",
            f"The statements fit together only if {x} is {x_kind} and {y} is {y_kind}.",
        ],
    ]


def overlap(rng: Random) -> list[list[str]]:
    """Draw a problem about the number of people in both of two groups; return wordings of each of its parts."""
    group, p, q = rng.choice(GROUPS)
    only_p, only_q, both, none = (rng.randint(3, 19) for _ in range(4))
    a, b, count = only_p + both, only_q + both, only_p + only_q + both + none
    some = count - none
    return [
        [
            f"Of {count} {group}, {a} {p}, {b} {q}, and {none} belong to neither group.",
            f"There are {count} {group}; {a} of them {p}, {b} {q}, and {none} belong to neither group.",
            f"Among {count} {group}, {a} {p} and {b} {q}, while {none} are in neither group.",
        ],
        [
            f"How many {p} and also {q}?",
            "How many belong to both groups?",
            f"How many of those who {p} also {q}?",
        ],
        [
            "Those in both groups are counted twice when the two numbers are added.",
            "I want the overlap, so I compare the sum of both groups with the number that is really there.",
            "First I set aside those in neither group.",
        ],
        [
            f"At least one of the two holds for {count} - {none} = {some}.",
            f"Without the {none} in neither group, {count} - {none} = {some} are left.",
        ],
        [
            f"But {a} + {b} = {a + b}, and the surplus {a + b} - {some} = {both} was counted twice.",
            f"The two groups add up to {a} + {b} = {a + b}, which is {a + b} - {some} = {both} more.",
        ],
        [
            (f"Check: {only_p} just one, {only_q} just the other, {both} both and {none} neither make {count}."),
            f"The four parts fit: {only_p} + {only_q} + {both} + {none} = {count}.",
        ],
        [
            f"Of {count} {group}, {both} {p} and also {q}.",
            f"The overlap is {both}: of all {count}, that many {p} and also {q}.",
            f"There are {both} in both groups, that is, {both} who {p} and {q}.",
        ],
    ]


def boxes(rng: Random) -> list[list[str]]:
    """Draw a problem about which of three labelled boxes holds a prize, given how many labels are true.

    Return wordings of each of its parts.
    """
    prize, colors, (labels, truths) = rng.choice(PRIZES), rng.sample(COLORS, 3), rng.choice(LABELINGS)
    target = next(place for place in range(3) if len(true_labels(labels, place)) == truths)
    said = []
    for box, (index, inside) in enumerate(labels):
        where = "in this box" if index == box else f"in the {colors[index]} box"
        said.append(f'{colors[box]}, "{"It is" if inside else "It is not"} {where}"')
    weighed = []
    for place in rng.sample(range(3), 3):
        true = [colors[box] for box in true_labels(labels, place)]
        subject = SUBJECTS[len(true)].format(*true)
        verdict = "just as required" if place == target else "which breaks the condition"
        weighed.append(f"If it is in the {colors[place]} box, {subject} would be true, {verdict}.")
    wanted, found = ("exactly one label is", "exactly two labels are")[truths - 1], colors[target]
    return [
        [
            f"One of three boxes holds a {prize}, and {wanted} true. The labels read: {'; '.join(said)}.",
            (f"A {prize} is hidden in one of three boxes labeled as follows: {'; '.join(said)}. Here {wanted} true."),
        ],
        [f"Where is the {prize}?", f"Which box holds the {prize}?", f"In which box is the {prize}?"],
        [
            "I try the boxes one after another and look for the case that fits.",
            f"There are three places for the {prize}, and for each I count the labels that would be true.",
        ],
        [" ".join(weighed)],
        [
            f"That leaves only the {found} box.",
            f"So it must be the {found} one.",
            "The other two boxes are ruled out.",
        ],
        [
            f"The {prize} can only be in the {found} box.",
            f"The {prize} is in the {found} box, the only case in which {wanted} true.",
            f"Only the {found} box fits the condition on the labels, so the {prize} is there.",
        ],
    ]


FAMILIES: dict[str, list[Family]] = {
    "ordering": [ranking, queue],
    "logic": [rule, truth_tellers, overlap, boxes],
}
