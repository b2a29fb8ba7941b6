"""Chinese problems about units and dates (see ``general`` on families)."""

from datetime import date, timedelta
from random import Random

from recipes.sample.families.shared import Family, tenths, words
from recipes.sample.families.zh_words import NAMES

# A scene, its unit, the other unit, how many tenths of the other make one, and the range of whole amounts.
SCALES = (
    ("山路长{}", "公里", "里", 20, 3, 60),
    ("渡口到县城有{}", "公里", "里", 20, 5, 80),
    ("这筐橘子重{}", "公斤", "斤", 20, 4, 45),
    ("这袋面粉重{}", "斤", "克", 5000, 2, 50),
    ("那包茶叶重{}", "斤", "两", 100, 2, 30),
    ("村里的稻田有{}", "公顷", "亩", 150, 2, 60),
    ("这匹布长{}", "米", "尺", 30, 6, 70),
    ("河堤长{}", "丈", "尺", 100, 12, 90),
    ("从家到集市有{}", "里", "米", 5000, 2, 30),
    ("仓里存了{}米", "石", "斤", 1200, 2, 15),
)
# A thing, its measure word, a verb, the large unit, the small one, how many make a large one, the most.
PIECES = (
    ("包裹", "件", "重", "斤", "两", 10, 12),
    ("戏", "出", "演", "小时", "分钟", 60, 3),
    ("布料", "块", "长", "丈", "尺", 10, 6),
    ("篱笆", "段", "长", "米", "厘米", 100, 9),
    ("培训", "期", "办", "周", "天", 7, 5),
    ("绳子", "根", "长", "丈", "尺", 10, 9),
)
CITIES = words("昆明 成都 西安 兰州 武汉 长沙 青岛 杭州 苏州 沈阳 大连 厦门 桂林 贵阳 太原 洛阳 南京 福州")
READINGS = (
    "{}的天气预报报出{}。",
    "{}街头的温度计指着{}。",
    "有人从{}打来电话,说当地是{}。",
    "{}气象站中午测得{}。",
)
EVENTS = (
    "陶艺展开幕",
    "夜市开张",
    "乐团启程巡演",
    "象棋赛开赛",
    "灯塔开始检修",
    "新茶上市",
    "剧团首演",
    "书店搬进新址",
    "渔船出海",
    "图书馆重新开放",
)
WEEKDAYS = "一二三四五六日"
ZODIAC = "鼠牛虎兔龙蛇马羊猴鸡狗猪"


def weekday_name(day: date) -> str:
    """Return the day's weekday in Chinese: 星期一."""
    return f"星期{WEEKDAYS[day.weekday()]}"


def day_month(day: date) -> str:
    """Format a date as month and day in Chinese: 5月3日."""
    return f"{day.month}月{day.day}日"


def zodiac(year: int) -> str:
    """Return the Chinese zodiac animal of a year."""
    # The year 4 was the first of a cycle of twelve.
    return ZODIAC[(year - 4) % 12]


def conversion(rng: Random) -> list[list[str]]:
    """Draw a problem about converting an amount to a larger or smaller unit; return wordings of each of its parts."""
    scene, coarse, fine, factor, low, high = rng.choice(SCALES)
    value, down = rng.randint(low, high), rng.random() < 0.5
    number, rate = tenths(value * factor), tenths(factor)
    large, small = f"{value}{coarse}", f"{number}{fine}"
    multiplied, divided = f"{value}×{rate}={number}", f"{number}÷{rate}={value}"
    if down:
        given, result, asked, sums, check = large, small, fine, multiplied, divided
        rule = f"{coarse}换成{fine},单位变小,数就变大,要乘{rate}"
    else:
        given, result, asked, sums, check = small, large, coarse, divided, multiplied
        rule = f"{fine}换成{coarse},单位变大,数就变小,要除以{rate}"
    told = scene.format(given)
    return [
        [
            f"{told},按1{coarse}等于{rate}{fine}计。",
            f"已知1{coarse}合{rate}{fine},{told}。",
            f"{rng.choice(NAMES)}听说{told},又知道1{coarse}是{rate}{fine}。",
            f"账上记着:{told}。1{coarse}折{rate}{fine}。",
        ],
        [f"这相当于多少{asked}?", f"折合多少{asked}?", f"换算成{asked}是多少?"],
        [
            f"要把{given}换成{asked},先看清换算关系:1{coarse}是{rate}{fine}。",
            f"题目给的是{given},问的是多少{asked},换算率是{rate}。",
            f"换算最怕弄反方向,先想好{coarse}和{fine}哪个大。1{coarse}有{rate}{fine}。",
        ],
        [f"{rule}。", f"由{rule}。"],
        [f"{sums},也就是{result}。", f"列式{sums},所以是{result}。"],
        [
            f"倒着验算,{check},与原数相同。",
            f"反算回去,{check},说明没有弄反。",
        ],
        [
            f"算下来,{given}相当于{result}。",
            f"按1{coarse}等于{rate}{fine}换算,{given}就是{result}。",
            f"把{given}换算成{asked},结果是{result}。",
        ],
    ]


def carrying(rng: Random) -> list[list[str]]:
    """Draw a problem about multiplying an amount in two units, with a carry from the smaller one.

    Return wordings of each of its parts.
    """
    thing, measure, verb, big, small, size, most = rng.choice(PIECES)
    pairs = [(n, part) for n in range(3, 10) for part in range(1, size) if n * part > size and n * part % size]
    (count, part), whole = rng.choice(pairs), rng.randint(1, most)
    extra, one = count * part, whole * size + part
    each, result = f"{whole}{big}{part}{small}", f"{count * one // size}{big}{count * one % size}{small}"
    carried = f"{extra // size}{big}{extra % size}{small}"
    return [
        [
            f"有{count}{measure}{thing},每{measure}{verb}{each}。",
            f"{rng.choice(NAMES)}那里有{count}{measure}同样的{thing},每{measure}都{verb}{each}。",
            f"一{measure}{thing}{verb}{each},这样的{thing}共有{count}{measure}。",
        ],
        [
            f"合起来是几{big}几{small}?",
            f"总共多少{big}多少{small}?",
            f"加在一起是多少?用{big}和{small}表示。",
        ],
        [
            f"要算{each}的{count}倍,可以两个单位分开乘,再进位。",
            f"{big}和{small}分别乘{count},满{size}{small}就进1{big}。",
            f"先各算各的,最后把多出的{small}并进{big}里。",
        ],
        [
            f"{big}的部分是{whole}×{count}={whole * count},{small}的部分是{part}×{count}={extra}。",
            f"{whole}×{count}={whole * count}{big},{part}×{count}={extra}{small}。",
        ],
        [
            f"{size}{small}为1{big},{extra}{small}合{carried},总计{result}。",
            f"而{extra}{small}就是{carried},并进去得{result}。",
        ],
        [
            f"全部用{small}来验算:{one}×{count}={one * count}{small},结果相同。",
            f"验算:每{measure}{one}{small},{count}{measure}共{one * count}{small},折回去正是{result}。",
        ],
        [
            f"{count}{measure}{thing}合起来是{result}。",
            f"总共{result},也就是{one * count}{small}。",
            f"这{count}{measure}{thing}加在一起,共{result}。",
        ],
    ]


def temperature(rng: Random) -> list[list[str]]:
    """Draw a problem about converting between Celsius and Fahrenheit; return wordings of each of its parts."""
    place, celsius, up = rng.choice(CITIES), rng.choice([n for n in range(-15, 39) if n]), rng.random() < 0.5
    number, product = tenths(18 * celsius + 320), tenths(18 * celsius)
    c, f = f"{celsius}℃", f"{number}℉"
    if up:
        given, result, scale = c, f, "华氏度"
        sums, rule = f"{celsius}×1.8={product},{product}+32={number}", "先乘1.8,再加32"
    else:
        given, result, scale = f, c, "摄氏度"
        sums, rule = f"{number}-32={product},{product}÷1.8={celsius}", "先减32,再除以1.8"
    side = "以上" if celsius > 0 else "以下"
    return [
        [reading.format(place, given) for reading in READINGS],
        [f"换成{scale}是多少?", f"这相当于多少{scale}?", f"用{scale}来说,应是多少?"],
        [
            f"要把{given}换成{scale}。",
            f"两种温标的起点和刻度都不同,这里要求的是{scale}。",
            f"题目给出{given},要用另一种温标表示。",
        ],
        [
            f"冰点是0℃,也是32℉,而1摄氏度的间隔等于1.8华氏度,因此{rule}。",
            f"华氏温标从32起算,每1摄氏度又合1.8华氏度,所以{rule}。",
        ],
        [f"列式:{sums}。", f"算下来,{sums}。"],
        [
            f"{given}在冰点{side},{result}也在冰点{side},两边相合。",
            f"看一眼冰点:两个读数都在冰点{side},方向没有错。",
        ],
        [
            f"{place}的{given}相当于{result}。",
            f"换算成{scale},{given}就是{result}。",
            f"用{scale}表示,{place}的气温是{result}。",
        ],
    ]


def weekday(rng: Random) -> list[list[str]]:
    """Draw a problem about the weekday some days before or after a date; return wordings of each of its parts."""
    day, event, back = date(rng.randint(2019, 2031), 1, 1), rng.choice(EVENTS), rng.random() < 0.3
    day += timedelta(rng.randrange(365))
    weeks, rest = rng.randint(2, 28), rng.randint(1, 6)
    gap, start, short = 7 * weeks + rest, weekday_name(day), 7 - rest
    found = weekday_name(day - timedelta(gap) if back else day + timedelta(gap))
    side, way, other = ("之前", "往前", "往后") if back else ("之后", "往后", "往前")
    return [
        [
            f"{day.year}年{day_month(day)}是{start},那天{event}。",
            f"{event}定在{day.year}年{day_month(day)},是个{start}。",
            f"{rng.choice(NAMES)}在日历上记下:{day.year}年{day_month(day)},{start},{event}。",
        ],
        [f"{gap}天{side}是星期几?", f"那一天的{gap}天{side}是星期几?", f"请推算{gap}天{side}是星期几。"],
        [
            f"星期每7天一轮,只要看{gap}除以7的余数。",
            f"具体日期用不上,要紧的是{start}和{gap}这个天数。",
            f"要推{gap}天{side}的星期,先去掉整周。",
        ],
        [
            f"{gap}÷7={weeks}……{rest},过满{weeks}周仍是{start},还差{rest}天。",
            f"{gap}={weeks}×7+{rest},{weeks}个整周不改变星期,只剩{rest}天要数。",
        ],
        [f"从{start}{way}数{rest}天,落在{found}。", f"由{start}{way}推{rest}天,便是{found}。"],
        [
            f"验算:{gap + short}天正好{weeks + 1}周,应是{start},再{other}数{short}天,也是{found}。",
            f"反过来,从{found}{other}数{rest}天,又回到{start},对得上。",
        ],
        [
            f"{day_month(day)}是{start},{gap}天{side}是{found}。",
            f"{day_month(day)}的{gap}天{side}是{found}。",
            f"所求的日子是{found},因为{gap}天等于{weeks}周零{rest}天。",
        ],
    ]


def span(rng: Random) -> list[list[str]]:
    """Draw a problem about the number of days between two dates of a year; return wordings of each of its parts."""
    start = date(rng.randint(2019, 2031), rng.randint(1, 8), rng.randint(2, 27))
    end = start + timedelta(rng.randint(32, 118))
    year, first, last, gap = start.year, day_month(start), day_month(end), (end - start).days
    ends = [date(year, month + 1, 1) - timedelta(1) for month in range(start.month, end.month)]
    parts = [ends[0].day - start.day, *(month.day for month in ends[1:]), end.day]
    listed = "、".join(f"{month}月{days}天" for month, days in enumerate(parts, start.month))
    added = "+".join(map(str, parts))
    serial, serial_end = start.timetuple().tm_yday, end.timetuple().tm_yday
    name, event = rng.choice(NAMES), rng.choice(EVENTS)
    return [
        [
            f"{name}{year}年{first}动手写一部小说,当年{last}写完。",
            f"今天是{year}年{first},{event}的日子定在同年{last}。",
            f"{name}在{year}年的日历上圈了{first}和{last}两天。",
        ],
        [
            "头一天不算,到后一个日子共多少天?",
            "两个日子相隔多少天?(起始那天不计入)",
            "从前一个日子到后一个日子要过多少天?起始日不算。",
        ],
        [
            f"从{first}数到{last},首日不计,按月分段来数最清楚。",
            f"要求的是{first}到{last}的间隔,把它拆成几个月份。",
            "相隔天数就是两个日期之差,逐月相加即可。",
        ],
        [f"各月分别是{listed}。", f"拆开来看:{listed}。"],
        [f"{added}={gap}天。", f"相加得{added}={gap}。"],
        [
            f"验算:{first}是全年第{serial}天,{last}是第{serial_end}天,{serial_end}-{serial}={gap},一致。",
            f"换个算法,{year}年{last}排在第{serial_end}天,{first}排在第{serial}天,相差也是{gap}。",
        ],
        [
            f"从{first}到{last}共{gap}天(首日不计)。",
            f"{year}年{first}与{last}相隔{gap}天。",
            f"{first}到{last}相隔{gap}天,也就是{added}。",
        ],
    ]


def zodiac_year(rng: Random) -> list[list[str]]:
    """Draw a problem about the zodiac animal of an earlier or later year; return wordings of each of its parts."""
    base, gap = rng.randint(1950, 2010), rng.choice([n for n in range(14, 75) if n % 12])
    later, name = rng.random() < 0.4, rng.choice(NAMES)
    year = base + gap if later else base - gap
    sign, found, rounds, rest = zodiac(base), zodiac(year), gap // 12, gap % 12
    way, back = ("往后", "往前") if later else ("往前", "往后")
    high, low = max(base, year), min(base, year)
    far = f"{rounds + 1}轮是{12 * (rounds + 1)}年,又到{sign}年,再{back}数{12 - rest}年"
    return [
        [
            f"{base}年是农历{sign}年。",
            f"已知{base}年的生肖是{sign}。",
            f"{name}属{sign},生在{base}年(按农历年算)。",
            f"{name}查到{base}年属{sign}。",
        ],
        [
            f"那么{year}年的生肖是什么?",
            f"按十二生肖推算,{year}年是什么年?",
            f"{year}年出生的人属什么?(都按农历年算)",
        ],
        [
            "十二生肖十二年一轮,看相差年数除以12的余数就行。",
            f"从{base}年{way}推到{year}年,整轮可以不管,只数零头。",
            f"生肖每12年重复一次,先求{base}和{year}差多少年。",
        ],
        [
            f"{high}-{low}={gap},{gap}={rounds}×12+{rest},去掉{rounds}轮还剩{rest}年。",
            f"两年相差{high}-{low}={gap}年,够{rounds}轮,余{rest}。",
        ],
        [
            f"生肖的次序是{ZODIAC},从{sign}{way}数{rest}个,是{found}。",
            f"按{ZODIAC}的顺序,由{sign}{way}推{rest}位,落在{found}上。",
        ],
        [f"验算:{far},也是{found}。", f"再从{found}{back}数{rest}个,回到{sign},没有数错。"],
        [
            f"{year}年是{found}年,那年出生的人属{found}。",
            f"按农历年算,{year}年的生肖是{found}。",
            f"{year}年属{found},与{base}年相差{rounds}轮零{rest}年。",
        ],
    ]


FAMILIES: dict[str, list[Family]] = {
    "units": [conversion, carrying, temperature],
    "dates": [weekday, span, zodiac_year],
}
