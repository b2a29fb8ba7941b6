"""English problems about units and dates (see ``general`` on families)."""

from datetime import date, timedelta
from random import Random

from recipes.sample.families.en_words import NAMES, TOWNS, listing, plural
from recipes.sample.families.shared import Family, tenths, words

Unit = tuple[str, str]

# A scene, its unit, the other unit, how many tenths of the other make one, and the range of whole amounts.
SCALES: list[tuple[str, Unit, Unit, int, int, int]] = [
    ("the lake trail is {} long", ("mile", "miles"), ("kilometer", "kilometers"), 16, 3, 45),
    ("the ferry crossing is {} long", ("mile", "miles"), ("kilometer", "kilometers"), 16, 5, 60),
    ("a crate of oranges weighs {}", ("kilogram", "kilograms"), ("pound", "pounds"), 22, 6, 40),
    ("the loaded kayak weighs {}", ("kilogram", "kilograms"), ("pound", "pounds"), 22, 30, 75),
    ("a bolt of linen measures {}", ("yard", "yards"), ("foot", "feet"), 30, 8, 60),
    ("the soup pot holds {}", ("gallon", "gallons"), ("cup", "cups"), 160, 2, 9),
    ("the parcel weighs {}", ("pound", "pounds"), ("ounce", "ounces"), 160, 3, 25),
    ("the greenhouse is {} wide", ("foot", "feet"), ("inch", "inches"), 120, 7, 38),
    ("the vineyard covers {}", ("hectare", "hectares"), ("acre", "acres"), 25, 3, 70),
    ("the stage curtain is {} tall", ("foot", "feet"), ("centimeter", "centimeters"), 305, 9, 30),
]
# A thing, what one is, what several are, the large unit, the small one, how many make a large one, the most.
PIECES: list[tuple[str, str, str, Unit, Unit, int, int]] = [
    ("plank", "is {} long", "laid end to end, measure", ("foot", "feet"), ("inch", "inches"), 12, 9),
    ("ribbon", "is {} long", "sewn end to end, measure", ("yard", "yards"), ("foot", "feet"), 3, 14),
    ("sack", "weighs {}", "put on one scale, weigh", ("pound", "pounds"), ("ounce", "ounces"), 16, 12),
    ("rehearsal", "lasts {}", "taken together, last", ("hour", "hours"), ("minute", "minutes"), 60, 3),
    ("churn", "holds {}", "taken together, hold", ("gallon", "gallons"), ("quart", "quarts"), 4, 9),
]
WEATHER = (
    "The forecast for {} says {}.",
    "A thermometer in {} shows {}.",
    "The noon reading at the {} station is {}.",
    "A radio report from {} gives {}.",
)
EVENTS = (
    "the pottery exhibition opens",
    "the night market begins",
    "the orchestra starts its tour",
    "the bakery opens its doors",
    "the ship leaves the harbor",
    "the chess tournament begins",
    "the lighthouse repair starts",
    "the seed exchange takes place",
)
TASKS = (
    "the passport office needs {} working days",
    "the print shop asks for {} working days",
    "the repair takes {} working days",
    "the translation will be ready after {} working days",
    "the permit is issued after {} working days",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = words("January February March April May June July August September October November December")


def amount(text: str, unit: Unit) -> str:
    """Join a number and its unit, in the singular or plural: 1 mile, 3 miles."""
    return f"{text} {unit[text != '1']}"


def compound(total: int, big: Unit, small: Unit, size: int) -> str:
    """Format a total of small units in big and small units, `size` small ones to a big one: 2 hours 5 minutes."""
    return f"{amount(str(total // size), big)} {amount(str(total % size), small)}"


def day_name(day: date) -> str:
    """Return the day's weekday in English: Monday."""
    return WEEKDAYS[day.weekday()]


def day_month(day: date) -> str:
    """Format a date as month and day in English: May 3."""
    return f"{MONTHS[day.month - 1]} {day.day}"


def some_day(rng: Random) -> date:
    """Return a random day of the years 2019 to 2031."""
    return date(rng.randint(2019, 2031), 1, 1) + timedelta(rng.randrange(365))


def conversion(rng: Random) -> list[list[str]]:
    """Draw a problem about converting an amount to a larger or smaller unit; return wordings of each of its parts."""
    scene, coarse, fine, factor, low, high = rng.choice(SCALES)
    value, down = rng.randint(low, high), rng.random() < 0.5
    large, small, rate = amount(str(value), coarse), amount(tenths(value * factor), fine), tenths(factor)
    number = tenths(value * factor)
    given, asked, result = (large, fine, small) if down else (small, coarse, large)
    if down:
        sums = f"{value} × {rate} = {number}"
        rule = f"each {coarse[0]} becomes {rate} {fine[1]}, so the number is multiplied by {rate}"
        check = f"{number} ÷ {rate} = {value}"
    else:
        sums = f"{number} ÷ {rate} = {value}"
        rule = f"every {rate} {fine[1]} make one {coarse[0]}, so the number is divided by {rate}"
        check = f"{value} × {rate} = {number}"
    told = scene.format(given)
    return [
        [
            f"{told[0].upper()}{told[1:]}. Take 1 {coarse[0]} as {rate} {fine[1]}.",
            f"Suppose that {told}, and count 1 {coarse[0]} as {rate} {fine[1]}.",
            f"A note says that {told}. Use 1 {coarse[0]} = {rate} {fine[1]}.",
            f"{rng.choice(NAMES)} reads that {told} and knows that 1 {coarse[0]} is about {rate} {fine[1]}.",
        ],
        [
            f"How many {asked[1]} is that?",
            f"What is this in {asked[1]}?",
            f"Convert the figure to {asked[1]}.",
        ],
        [
            f"I have to turn {given} into {asked[1]}.",
            f"Given are {given}; wanted is the same quantity in {asked[1]}.",
            f"The task is to express {given} in {asked[1]}.",
        ],
        [
            f"By the stated rate, {rule}.",
            f"The direction matters: {rule}.",
        ],
        [
            f"That gives {sums}, so the result is {result}.",
            f"The calculation is {sums}, which means {result}.",
        ],
        [
            f"Going back, {check}, the figure I started from.",
            f"The {fine[0]} is the smaller unit, so there should be more of it; and that is the case.",
        ],
        [
            f"At {rate} {fine[1]} to the {coarse[0]}, {given} is the same as {result}.",
            f"Converted to {asked[1]}, {given} is exactly {result}.",
            f"It comes to {result}, since 1 {coarse[0]} counts as {rate} {fine[1]}.",
        ],
    ]


def carrying(rng: Random) -> list[list[str]]:
    """Draw a problem about multiplying an amount in two units, with a carry from the smaller one.

    Return wordings of each of its parts.
    """
    thing, single, joint, big, small, size, most = rng.choice(PIECES)
    pairs = [(n, part) for n in range(3, 10) for part in range(1, size) if n * part > size and n * part % size]
    (count, part), whole = rng.choice(pairs), rng.randint(1, most)
    full, extra, total = count * whole, count * part, count * (whole * size + part)
    each, result = compound(whole * size + part, big, small, size), compound(total, big, small, size)
    name = rng.choice(NAMES)
    carried, left = amount(str(extra // size), big), amount(str(extra % size), small)
    told = single.format(each)
    return [
        [
            f"{name} has {count} {thing}s, and each of them {told}.",
            f"There are {count} equal {thing}s on {name}'s list; each one {told}.",
            f"Each of the {count} {thing}s that {name} counts {told}.",
        ],
        [
            f"How much is that altogether, in {big[1]} and {small[1]}?",
            f"What do all {count} come to in {big[1]} and {small[1]}?",
        ],
        [
            f"I multiply {each} by {count} and then tidy up the units.",
            f"Wanted is {count} times {each}, with fewer than {size} {small[1]} at the end.",
            f"The {big[1]} and the {small[1]} can be multiplied separately and joined afterward.",
        ],
        [
            f"The {big[1]} give {whole} × {count} = {full}, the {small[1]} {part} × {count} = {extra}.",
            f"In {big[1]}, {whole} × {count} = {full}; in {small[1]}, {part} × {count} = {extra}.",
        ],
        [
            f"As {size} {small[1]} make 1 {big[0]}, {extra} are {carried} {left}; the sum is {result}.",
            f"With {size} {small[1]} to the {big[0]}, {extra} becomes {carried} {left}, and we get {result}.",
        ],
        [
            f"In {small[1]} alone: {count} × {whole * size + part} = {total}, the same amount.",
            f"Check: {count} × {whole * size + part} = {total} {small[1]}, which is {result} again.",
        ],
        [
            f"The {count} {thing}s, {joint} {result}.",
            f"Altogether the {count} {thing}s come to {result}.",
            f"The total for all {count} {thing}s is {result}.",
        ],
    ]


def temperature(rng: Random) -> list[list[str]]:
    """Draw a problem about converting between Celsius and Fahrenheit; return wordings of each of its parts."""
    place, celsius, up = rng.choice(TOWNS), rng.choice([n for n in range(-18, 39) if n]), rng.random() < 0.5
    ratio = 18 * celsius
    c, f, product = f"{celsius} °C", f"{tenths(ratio + 320)} °F", tenths(ratio)
    given, result, scale = (c, f, "Fahrenheit") if up else (f, c, "Celsius")
    if up:
        sums = f"{celsius} × 1.8 = {product}, and {product} + 32 = {tenths(ratio + 320)}"
        rule = "multiply by 1.8 and then add 32"
    else:
        sums = f"{tenths(ratio + 320)} - 32 = {product}, and {product} ÷ 1.8 = {celsius}"
        rule = "subtract 32 and then divide by 1.8"
    side = "warmer" if celsius > 0 else "colder"
    return [
        [text.format(place, given) for text in WEATHER],
        [
            f"What is that in degrees {scale}?",
            f"A visitor thinks in degrees {scale}. What number should be quoted?",
            f"Which temperature is this on the {scale} scale?",
        ],
        [
            f"I need {given} on the other scale.",
            f"The question asks for {given} in degrees {scale}.",
            f"To move from {given} to {scale}, the two scales have to be matched.",
        ],
        [
            f"Fahrenheit has 32 where Celsius has 0 and 1.8 of its degrees for each one there, so I {rule}.",
            f"Water freezes at 0 °C or 32 °F, and one Celsius degree spans 1.8 Fahrenheit degrees: {rule}.",
        ],
        [f"This gives {sums}.", f"In numbers: {sums}."],
        [
            f"The result, {result}, is {side} than freezing, and so is {given}.",
            f"A sanity check: {given} lies on the {side} side of freezing, and so does {result}.",
        ],
        [
            f"A temperature of {given} is the same as {result}.",
            f"On the {scale} scale, the reading of {given} in {place} becomes {result}.",
            f"It is {result} in {place}, which is just another way to write {given}.",
        ],
    ]


def weekday(rng: Random) -> list[list[str]]:
    """Draw a problem about the weekday some days before or after a date; return wordings of each of its parts."""
    day, event, back = some_day(rng), rng.choice(EVENTS), rng.random() < 0.3
    weeks, rest = rng.randint(2, 28), rng.randint(1, 6)
    gap, spare = 7 * weeks + rest, 7 - rest
    found = day_name(day - timedelta(gap) if back else day + timedelta(gap))
    start, days = day_name(day), plural(rest, "day")
    side, way = ("before", "backward") if back else ("after", "forward")
    return [
        [
            f"{event[0].upper()}{event[1:]} on {start}, {day_month(day)}, {day.year}.",
            f"In {day.year}, {event} on {day_month(day)}, which is a {start}.",
            f"{rng.choice(NAMES)} notes in a diary: {event} on {start}, {day_month(day)}, {day.year}.",
        ],
        [
            f"Which day of the week is it exactly {gap} days {side} that?",
            f"What weekday falls {gap} days {side} that date?",
        ],
        [
            f"I am looking for the weekday {gap} days {side} a {start}.",
            "Weekdays repeat every 7 days, so only the remainder after whole weeks matters.",
            f"The date itself is not needed; what counts is the {start} and the {gap} days.",
        ],
        [
            f"Dividing by 7, {gap} = {weeks} × 7 + {rest}; the {weeks} weeks lead back to a {start}.",
            f"As {weeks} × 7 = {7 * weeks}, the whole weeks change nothing, and what is left is {days}.",
        ],
        [
            f"Counting {days} {way} from {start} gives {found}.",
            f"From {start}, {days} {way} lands on {found}.",
        ],
        [
            f"Check: {gap + spare} days give {start} again; {plural(spare, 'day')} the other way is {found}.",
            f"Check: moving {days} the other way from {found} leads to {start}, as it should.",
        ],
        [
            f"It is a {found}, because {gap} days are {weeks} weeks and {days}.",
            f"The day {gap} days {side} that {start} is a {found}.",
            f"Exactly {gap} days {side} {day_month(day)}, {day.year}, the day of the week is {found}.",
        ],
    ]


def span(rng: Random) -> list[list[str]]:
    """Draw a problem about the number of days between two dates of a year; return wordings of each of its parts."""
    start = date(rng.randint(2019, 2031), rng.randint(1, 8), rng.randint(2, 27))
    end = start + timedelta(rng.randint(32, 118))
    first, last, gap = day_month(start), day_month(end), (end - start).days
    ends = [date(start.year, month + 1, 1) - timedelta(1) for month in range(start.month, end.month)]
    parts = [ends[0].day - start.day, *(month.day for month in ends[1:]), end.day]
    names = [MONTHS[month - 1] for month in range(start.month, end.month + 1)]
    listed = listing([f"{count} in {month}" for count, month in zip(parts, names, strict=True)])
    added = " + ".join(map(str, parts))
    serial, serial_end = start.timetuple().tm_yday, end.timetuple().tm_yday
    name, event = rng.choice(NAMES), rng.choice(EVENTS)
    return [
        [
            f"{name} circles two dates on a {start.year} calendar, {first} and {last}.",
            f"Today is {first}, {start.year}, and {event} on {last} of the same year.",
            f"{name} starts a journal on {first}, {start.year}, and closes it on {last} of that year.",
        ],
        [
            "How many days lie from the first date to the second, not counting the first?",
            "Leaving out the starting day, how many days is it to the later date?",
        ],
        [
            f"I count from {first} to {last}, without {first} itself.",
            f"The stretch from {first} to {last} is easiest month by month.",
            "Since the first day does not count, the distance is a plain difference of dates.",
        ],
        [f"That is {listed}.", f"The pieces are {listed}."],
        [f"Added up, {added} = {gap}.", f"The sum {added} comes to {gap} days."],
        [
            f"Check: these are days {serial} and {serial_end} of the year; {serial_end} - {serial} = {gap}.",
            f"By day of the year, they are number {serial} and number {serial_end}, which differ by {gap}.",
        ],
        [
            f"There are {gap} days from {first} to {last}, {start.year}, the first day not included.",
            f"From {first} to {last} of {start.year} it is {gap} days.",
            f"The two dates, {first} and {last}, are {gap} days apart in {start.year}.",
        ],
    ]


def deadline(rng: Random) -> list[list[str]]:
    """Draw a problem about the date that is a number of working days after a start.

    Return wordings of each of its parts.
    """
    start = some_day(rng)
    start -= timedelta(max(0, start.weekday() - 4))
    weeks, rest = rng.randint(1, 5), rng.randint(1, 4)
    near = start + timedelta(7 * weeks)
    steps = [day for day in (near + timedelta(n) for n in range(1, 8)) if day.weekday() < 5][:rest]
    end, days, name = steps[-1], 5 * weeks + rest, rng.choice(NAMES)
    task = rng.choice(TASKS).format(days)
    opening, walk = f"{day_name(start)}, {day_month(start)}", ", ".join(day_name(day) for day in steps)
    whole, over = plural(weeks, "week"), end.weekday() < start.weekday()
    weekend = 2 * (weeks + over)
    return [
        [
            f"{name} hands in the papers on {opening}, {start.year}, and {task}.",
            f"An order is placed on {opening}, {start.year}, and {task}.",
            f"It is {opening}, {start.year}; {name} is told that {task}.",
        ],
        [
            "Counting starts the next day and there are no holidays. On which date does it end?",
            "With no holidays, free weekends and the next working day as day one, when does the count end?",
        ],
        [
            "Only Monday to Friday count, so every five working days take one calendar week.",
            f"I split the {days} working days into groups of five, since weekends do not count.",
            f"I need the date on which working day number {days} falls.",
        ],
        [
            f"Here {days} = {weeks} × 5 + {rest}; {whole} later it is {day_name(near)}, {day_month(near)}.",
            (f"The {5 * weeks} days in full weeks reach {day_name(near)}, {day_month(near)}, with {rest} to go."),
        ],
        [
            f"Counting on over working days ({walk}), I arrive at {day_month(end)}.",
            f"The count goes on over {walk} and so ends on {day_month(end)}.",
        ],
        [
            (f"Check: {(end - start).days} calendar days pass, {weekend} of them on weekends, which leaves {days}."),
            (f"In all {(end - start).days} calendar days go by, and without {weekend} weekend days that is {days}."),
        ],
        [
            f"The last of the {days} working days is {day_name(end)}, {day_month(end)}, {end.year}.",
            f"Counted from {opening}, the {days} working days end on {day_name(end)}, {day_month(end)}.",
            f"The count ends on {day_name(end)}, {day_month(end)}, because weekends are skipped.",
        ],
    ]


FAMILIES: dict[str, list[Family]] = {
    "units": [conversion, carrying, temperature],
    "dates": [weekday, span, deadline],
}
