"""English word problems: money, work, travel, ages, recipes and averages (see ``general`` on families)."""

from random import Random

from recipes.sample.families.shared import JOB_TIMES, Family, words

NAMES = words(
    "Ada Amir Anya Ben Bianca Callum Carmen Chidi Dalia Dev Elena Elias Esme Farah Felix Grace Hana Hugo "
    "Imani Ines Isaac Jamal Jonas June Kofi Lena Liam Lucia Maeve Malik Marta Mei Nadia Nikhil Nora Omar "
    "Oscar Paula Priya Quinn Rafael Rosa Ruben Saskia Sofia Tariq Theo Tomas Uma Vera Wendell Yara Yusuf Zoe"
)
TOWNS = words(
    "Ashford Brookvale Carrick Dunmore Eastlake Fairhaven Glenrock Harlow Inverness Juniper Kingsley "
    "Larkspur Milford Northgate Oakridge Pinehurst Riverton Stonebridge Thornbury Westfield"
)
# Prices are in cents; all names take a plain -s.
SHOPS = {
    "the corner bakery": {
        "bagel": 150,
        "croissant": 275,
        "muffin": 225,
        "cinnamon roll": 300,
        "baguette": 350,
    },
    "a stationery shop": {"notebook": 325, "marker": 175, "ruler": 125, "folder": 100, "gel pen": 150},
    "the farm stand": {"melon": 400, "cabbage": 225, "pumpkin": 500, "cucumber": 75, "avocado": 175},
    "the garden center": {"seedling": 200, "clay pot": 350, "trowel": 775, "seed packet": 225},
    "a hardware store": {"hinge": 225, "paint roller": 450, "light bulb": 275, "coat hook": 150},
    "the museum gift shop": {"postcard": 100, "poster": 650, "key ring": 375, "bookmark": 125},
    "a secondhand bookstore": {"paperback": 350, "comic book": 200, "cookbook": 600, "road map": 275},
    "the craft fair": {"candle": 575, "mug": 850, "bracelet": 425, "greeting card": 250},
}
JOBS = (
    ("catalog the photo archive", "hour"),
    ("paint the community hall", "hour"),
    ("translate the repair manual", "day"),
    ("rebuild the stone wall", "day"),
    ("sew the stage costumes", "hour"),
    ("restore the old rowing boat", "day"),
    ("weed the school garden", "hour"),
    ("sort the donated books", "hour"),
    ("digitize the parish records", "day"),
)
SPEEDS = {"cyclist": (8, 18), "car": (44, 68), "train": (60, 110), "van": (36, 60), "runner": (4, 8)}
TIMES = {1: "exactly", 2: "twice", 3: "three times", 4: "four times"}
# Each ingredient goes with its unit and the least amount for one serving.
DISHES = (
    ("vegetable curry", ("coconut milk", "ml", 80), ("rice", "g", 60)),
    ("mushroom risotto", ("rice", "g", 70), ("stock", "ml", 200)),
    ("pancake batter", ("flour", "g", 45), ("milk", "ml", 90)),
    ("lentil soup", ("lentils", "g", 50), ("water", "ml", 250)),
    ("hot chocolate", ("milk", "ml", 180), ("cocoa", "g", 10)),
    ("potato salad", ("potatoes", "g", 150), ("yogurt", "g", 30)),
    ("berry crumble", ("berries", "g", 90), ("oats", "g", 35)),
    ("noodle stir-fry", ("noodles", "g", 85), ("cabbage", "g", 60)),
)
RECORDS = (
    ("quiz", "quizzes", "points", 60, 82),
    ("training run", "training runs", "miles", 4, 9),
    ("delivery shift", "delivery shifts", "parcels", 22, 60),
    ("basketball game", "basketball games", "points", 9, 24),
    ("evening", "evenings", "pages", 18, 55),
    ("day of picking", "days of picking", "baskets", 12, 40),
)


def plural(number: int, noun: str) -> str:
    """Join a number and a noun with a regular plural: 1 apple, 3 apples."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listing(words: list[str]) -> str:
    """Join words with commas and "and": two as "a and b", more as "a, b, and c"."""
    return f"{words[0]} and {words[1]}" if len(words) == 2 else ", ".join(words[:-1]) + f", and {words[-1]}"


def money(cents: int) -> str:
    """Format an amount in dollars, with cents unless they are zero: $3, $3.25."""
    return f"${cents // 100}" if cents % 100 == 0 else f"${cents / 100:.2f}"


def clock(minutes: int) -> str:
    """Format minutes after midnight as a time of day: 1:05 PM."""
    hour, minute = divmod(minutes, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02d} {'AM' if hour < 12 else 'PM'}"


def change(rng: Random) -> list[list[str]]:
    """Draw a problem about the change from a purchase of two kinds of goods; return wordings of each of its parts."""
    name, shop = rng.choice(NAMES), rng.choice(list(SHOPS))
    a, b = rng.sample(list(SHOPS[shop]), 2)
    p, q = (SHOPS[shop][goods] + 25 * rng.randint(-2, 4) for goods in (a, b))
    n, m = rng.randint(2, 5), rng.randint(2, 5)
    total = n * p + m * q
    note = next(note for note in (1000, 2000, 5000, 10000) if note > total)
    rest, bill, paid = money(note - total), money(total), money(note)
    return [
        [
            f"At {shop}, {name} picks out {n} {a}s at {money(p)} each and {m} {b}s at {money(q)} each.",
            f"{name} pays with {paid} for {n} {a}s at {money(p)} each and {m} {b}s at {money(q)} each.",
            (f"One {a} costs {money(p)} at {shop} and one {b} costs {money(q)}; {name} takes {n} {a}s and {m} {b}s."),
        ],
        [
            f"How much change is due from {paid}?",
            f"How much of a {paid} bill is left afterward?",
            f"What should the cashier give back from {paid}?",
        ],
        [
            f"I need the change from {paid}, so the total bill comes first.",
            f"The question is what remains of {paid} once both kinds of goods are paid for.",
            "Change is the money handed over minus the cost, so I start with the cost.",
        ],
        [
            (f"The {a}s come to {n} × {money(p)} = {money(n * p)} and the {b}s to {m} × {money(q)} = {money(m * q)}."),
            (
                f"For the {a}s that is {n} × {money(p)} = {money(n * p)}; for the {b}s, {m} × {money(q)} = "
                f"{money(m * q)}."
            ),
        ],
        [
            f"Together that makes {bill}, and {paid} - {bill} = {rest}.",
            f"The sum is {money(n * p)} + {money(m * q)} = {bill}, which taken from {paid} leaves {rest}.",
        ],
        [
            f"As a check, {bill} + {rest} gives {paid} again.",
            f"Adding back, {rest} and {bill} make {paid}, so nothing was lost.",
        ],
        [
            f"{name} gets {rest} in change from {paid}, because the goods cost {bill} in all.",
            f"The change is {rest}: the {a}s and {b}s cost {bill} together, and {name} paid with {paid}.",
            f"After paying {bill} for everything, {name} has {rest} left of the {paid}.",
        ],
    ]


def shared_work(rng: Random) -> list[list[str]]:
    """Draw a problem about the time that two people need together for a job; return wordings of each of its parts."""
    (x, y), (job, unit), (a, b) = rng.sample(NAMES, 2), rng.choice(JOBS), rng.choice(JOB_TIMES)
    t = a * b // (a + b)
    return [
        [
            f"{x} can {job} alone in {a} {unit}s; {y} would need {b} {unit}s for the same job.",
            f"Working alone, {x} would {job} in {a} {unit}s and {y} in {b}.",
            f"It takes {x} {a} {unit}s to {job}, while {y} takes {b} {unit}s.",
        ],
        [
            "How long will it take if they work together at their usual pace?",
            f"How many {unit}s do they need side by side?",
            "If both start at once and share the work, when is it done?",
        ],
        [
            f"The times cannot simply be averaged; what adds up is the share of the job done per {unit}.",
            "I want the time for two people together, so I add their rates, not their times.",
            f"Think of the whole job as 1 and ask how much gets done in one {unit}.",
        ],
        [
            f"In one {unit}, {x} does 1/{a} of it and {y} does 1/{b}.",
            f"The two rates are 1/{a} per {unit} for {x} and 1/{b} for {y}.",
        ],
        [
            f"The sum is ({a} + {b})/({a} × {b}) = {a + b}/{a * b} = 1/{t}, so the job takes {t} {unit}s.",
            f"Together they do {a + b}/{a * b}, which is 1/{t}, so after {t} {unit}s the whole job is done.",
        ],
        [
            f"Check: in {t} {unit}s, {x} completes {t}/{a} and {y} {t}/{b}, and these add up to 1.",
            f"That is less than {min(a, b)} {unit}s, as it must be when the faster one gets help.",
        ],
        [
            f"Together, {x} and {y} need {t} {unit}s to {job}.",
            f"It will take {x} and {y} {t} {unit}s, since they finish 1/{t} of the job every {unit}.",
            f"If {x} and {y} share the work, they can {job} in {t} {unit}s.",
        ],
    ]


def meeting(rng: Random) -> list[list[str]]:
    """Draw a problem about when two vehicles that travel toward each other meet.

    Return wordings of each of its parts.
    """
    (here, there), mode = rng.sample(TOWNS, 2), rng.choice(list(SPEEDS))
    v, w = rng.sample(range(SPEEDS[mode][0], SPEEDS[mode][1] + 1, 2), 2)
    halves, start = rng.randint(2, 8), 60 * rng.randint(6, 13)
    road = (v + w) * halves // 2
    hours, begin, end = plural(halves // 2, "hour"), clock(start), clock(start + 30 * halves)
    hours = f"{halves / 2} hours" if halves % 2 else hours
    return [
        [
            (
                f"At {begin} one {mode} leaves {here} for {there} at {v} mph, and another leaves {there} for "
                f"{here} at {w} mph. The road is {road} miles long."
            ),
            (
                f"{here} and {there} are {road} miles apart. Two {mode}s set out toward each other at "
                f"{begin}, one from each town, at {v} mph and {w} mph."
            ),
        ],
        ["When do they meet?", "At what time do they pass each other?", "What time is it when they meet?"],
        [
            f"The two approach each other, so I ask how fast the gap of {road} miles closes.",
            "Since they move toward each other, their speeds add.",
            "What matters is the distance the two cover together in an hour.",
        ],
        [
            f"Each hour the gap shrinks by {v} + {w} = {v + w} miles.",
            f"The closing speed is {v} + {w} = {v + w} mph.",
        ],
        [
            f"So the time is {road} ÷ {v + w} = {hours}, which leads from {begin} to {end}.",
            f"Then {road} ÷ {v + w} gives {hours}, and {hours} after {begin} it is {end}.",
        ],
        [
            (
                f"Check: by then the first has gone {v * halves // 2} miles and the second "
                f"{w * halves // 2}, together {road}."
            ),
            f"The parts {v * halves // 2} and {w * halves // 2} miles do add up to the whole {road}.",
        ],
        [
            f"The two {mode}s meet at {end}, {hours} after setting out.",
            f"They pass each other at {end}, since they close the {road} miles in {hours}.",
            f"It takes {hours} to close the gap, so the {mode}s meet at {end}.",
        ],
    ]


def ages(rng: Random) -> list[list[str]]:
    """Draw a problem about two ages with a given difference, from their ratio in some years.

    Return wordings of each of its parts.
    """
    x, y = rng.sample(NAMES, 2)
    times, young, wait = rng.randint(2, 4), rng.randint(3, 14), rng.randint(1, 9)
    then = young + wait
    gap = (times - 1) * then
    years = plural(wait, "year")
    return [
        [
            f"{x} is {gap} years older than {y}.",
            f"There are {gap} years between {x} and {y}, and {x} is the older one.",
            f"{y} is {gap} years younger than {x}.",
        ],
        [
            f"In {years}, {x} will be exactly {TIMES[times]} as old as {y}. How old is {y} now?",
            f"Exactly {years} from now, {x} will be {TIMES[times]} {y}'s age. What are their ages today?",
        ],
        [
            f"The difference of {gap} years never changes, and that is the key.",
            f"I use the gap: it is {gap} years today and will still be {gap} years later.",
            "Ages grow together, so only the difference between them stays fixed.",
        ],
        [
            (f"When {x} is {TIMES[times]} as old, the gap is {TIMES[times - 1]} {y}'s age, so {y} will be {then}."),
            (
                f"{y} then counts as one part and {x} as {times}, so {gap} is "
                f"{plural(times - 1, 'part')} and {y} is {then}."
            ),
        ],
        [
            (f"Going back {years}, {y} is {then} - {wait} = {young} and {x} is {young} + {gap} = {young + gap}."),
            f"Today {y} is therefore {then} - {wait} = {young}, and {x} is {gap} more, {young + gap}.",
        ],
        [
            f"Check: later {x} is {then + gap}, and {times} × {then} = {times * then}.",
            f"It fits, because {young + gap} + {wait} = {then + gap} and that is {times} × {then}.",
        ],
        [
            f"{y} is {young} years old now, and {x} is {young + gap}.",
            (f"Today {x} is {young + gap} and {y} is {young}; in {years} they will be {then + gap} and {then}."),
            f"Right now {y} is {young}, which makes {x} {young + gap} years old.",
        ],
    ]


def recipe(rng: Random) -> list[list[str]]:
    """Draw a problem about scaling a recipe to another number of people; return wordings of each of its parts."""
    name, (dish, *parts) = rng.choice(NAMES), rng.choice(DISHES)
    few, many = rng.sample(range(2, 13), 2)
    (a, g, base_a), (b, h, base_b) = parts
    each_a, each_b = base_a + 5 * rng.randint(0, 6), base_b + 5 * rng.randint(0, 4)
    return [
        [
            (f"A recipe for {dish} uses {few * each_a} {g} of {a} and {few * each_b} {h} of {b} for {few} people."),
            (f"For {few} servings of {dish}, {name} takes {few * each_a} {g} of {a} and {few * each_b} {h} of {b}."),
            f"{name}'s {dish} for {few} calls for {few * each_a} {g} of {a} and {few * each_b} {h} of {b}.",
        ],
        [
            f"How much of each is needed for {many} people?",
            f"What amounts would serve {many} guests in the same proportions?",
            f"Tonight there are {many} people at the table. What are the right amounts?",
        ],
        [
            "The proportions stay the same, so I work out one serving and multiply.",
            f"Going from {few} to {many} servings is easiest through a single serving.",
            f"I need the amounts for {many}, and the amounts for one person lead there.",
        ],
        [
            (
                f"One serving takes {few * each_a} ÷ {few} = {each_a} {g} of {a} and {few * each_b} ÷ "
                f"{few} = {each_b} {h} of {b}."
            ),
            f"Divided by {few}, the recipe gives {each_a} {g} of {a} and {each_b} {h} of {b} per person.",
        ],
        [
            f"Times {many}, that is {many * each_a} {g} and {many * each_b} {h}.",
            (
                f"For {many} people: {many} × {each_a} = {many * each_a} {g} and {many} × {each_b} = "
                f"{many * each_b} {h}."
            ),
        ],
        [
            f"To check, {many * each_a} ÷ {many} is {each_a} again, so the mixture has not changed.",
            (f"The new amounts should be {'larger' if many > few else 'smaller'} than the old ones, and they are."),
        ],
        [
            f"For {many} people, {name} needs {many * each_a} {g} of {a} and {many * each_b} {h} of {b}.",
            (f"The {dish} for {many} takes {many * each_a} {g} of {a} together with {many * each_b} {h} of {b}."),
            f"To serve {many}, use {many * each_a} {g} of {a} and {many * each_b} {h} of {b}.",
        ],
    ]


def average(rng: Random) -> list[list[str]]:
    """Draw a problem about the next value that raises an average to a goal; return wordings of each of its parts."""
    name, (one, many, unit, low, high) = rng.choice(NAMES), rng.choice(RECORDS)
    count, mean, lift = rng.randint(3, 6), rng.randint(low, high), rng.randint(1, 2)
    goal = mean + lift
    old, new = count * mean, (count + 1) * goal
    return [
        [
            f"After {count} {many}, {name} averages {mean} {unit}.",
            f"{name} has an average of {mean} {unit} over {count} {many}.",
            f"So far {name} has {count} {many} on record, with an average of {mean} {unit}.",
        ],
        [
            f"How many {unit} must the next {one} bring to raise the average to {goal}?",
            f"What does the next {one} have to add for the average to become {goal} {unit}?",
            f"To reach an average of exactly {goal}, how many {unit} are needed in the next {one}?",
        ],
        [
            "An average hides a total, so I compare the total now with the total required.",
            f"I want one more result that lifts the mean from {mean} to {goal}, and totals make that simple.",
            f"The new {one} has to close the gap between two totals.",
        ],
        [
            f"So far there are {count} × {mean} = {old} {unit}.",
            f"The total up to now is {count} × {mean} = {old}.",
        ],
        [
            (
                f"An average of {goal} over {count + 1} {many} takes {count + 1} × {goal} = {new}, so what "
                f"is missing is {new} - {old} = {new - old} {unit}."
            ),
            f"With {count + 1} {many} at {goal} each, the total is {new}, and {new} - {old} = {new - old}.",
        ],
        [
            f"Check: ({old} + {new - old}) ÷ {count + 1} = {goal}.",
            (
                f"This is {mean} plus {lift} for each of {count + 1} {many}, and {mean} + "
                f"{lift * (count + 1)} is {new - old} too."
            ),
        ],
        [
            f"The next {one} must bring {new - old} {unit} to lift the average to {goal}.",
            f"{name} needs {new - old} {unit} in the next {one}; then the average is exactly {goal}.",
            f"With {new - old} {unit} in the next {one}, {name} reaches an average of {goal}.",
        ],
    ]


FAMILIES: dict[str, list[Family]] = {"word problem": [change, shared_work, meeting, ages, recipe, average]}
