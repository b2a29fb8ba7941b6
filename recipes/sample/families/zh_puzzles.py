"""Chinese problems about ordering and logic (see ``general`` on families)."""

from itertools import pairwise
from random import Random

from recipes.sample.families.shared import KINDS, LABELINGS, RIDDLES, Family, misfits, true_labels
from recipes.sample.families.zh_words import NAMES

# What is compared, more, less, the one at the top, the one at the bottom.
RELATIONS = (
    ("身高", "比{}高", "比{}矮", "最高", "最矮"),
    ("年龄", "比{}年长", "比{}年轻", "年纪最大", "年纪最小"),
    ("到场先后", "比{}到得早", "比{}到得晚", "最先到", "最后到"),
    ("赛跑名次", "跑在{}前面", "落在{}后面", "得第一", "跑在最后"),
    ("考试分数", "比{}分数高", "比{}分数低", "分数最高", "分数最低"),
    ("离河远近", "住得比{}离河近", "住得比{}离河远", "离河最近", "离河最远"),
    ("读书多少", "读书比{}多", "读书比{}少", "读书最多", "读书最少"),
)
LINES = (
    "排队等渡船",
    "在售票窗口前排队",
    "在面馆门口排队",
    "站成一列等着照相",
    "排队进博物馆",
    "在食堂窗口排队",
)
# A kind of person, a condition and its negation, a consequence and its negation.
RULES = (
    ("志愿者", "值夜班", "不值夜班", "带着哨子", "没带哨子"),
    ("学生", "参加了合唱队", "没参加合唱队", "有蓝色的歌本", "没有蓝色的歌本"),
    ("船员", "去过南洋", "没去过南洋", "戴着铜徽章", "没戴铜徽章"),
    ("师傅", "在老磨坊干活", "不在老磨坊干活", "会修水车", "不会修水车"),
    ("会员", "在2010年以前入会", "不是2010年以前入会", "有铜钥匙", "没有铜钥匙"),
    ("花农", "种牡丹", "不种牡丹", "订了那份园艺报", "没订那份园艺报"),
    ("琴师", "会拉二胡", "不会拉二胡", "坐前排", "不坐前排"),
    ("馆员", "懂古籍", "不懂古籍", "在二楼上班", "不在二楼上班"),
    ("学徒", "通过了春天的考核", "没通过春天的考核", "领到了工牌", "没领到工牌"),
    ("住客", "住东厢房", "不住东厢房", "在院里吃早饭", "不在院里吃早饭"),
)
# A group, its measure word, and two things that may hold for its members.
GROUPS = (
    ("登山队员", "名", "带了帐篷", "带了炉子"),
    ("客人", "位", "点了汤", "点了凉菜"),
    ("学员", "名", "会游泳", "会骑马"),
    ("住户", "户", "养猫", "养狗"),
    ("游客", "位", "看了古塔", "看了石窟"),
    ("读者", "位", "爱读侦探小说", "爱读诗"),
    ("水手", "名", "会做饭", "会补帆"),
    ("同学", "名", "报了书法课", "报了篆刻课"),
)
PRIZES = ("银币", "玉佩", "车票", "珍珠", "信", "钥匙", "印章", "邮票")
COLORS = "红绿蓝黄白黑紫"
CLAIMS = (
    "{}说假话",
    "{}说真话",
    "我和{}是同一种人",
    "我和{}不是同一种人",
    "我们两人当中至少有一个说假话",
    "我们两个都说假话",
    "我们两人当中至少有一个说真话",
)


def ranking(rng: Random) -> list[list[str]]:
    """Draw a problem about ordering four or five people from pairwise comparisons.

    Return wordings of each of its parts.
    """
    matter, more, less, top, bottom = rng.choice(RELATIONS)
    people = rng.sample(NAMES, rng.choice((4, 5)))
    pairs = list(pairwise(people))
    facts = [x + more.format(y) for x, y in pairs]
    told = [rng.choice((x + more.format(y), y + less.format(x))) for x, y in pairs]
    clues, order = ";".join(rng.sample(told, len(told))), "、".join(people)
    listed = "、".join(rng.sample(people, len(people)))
    place, label = rng.choice(((0, top), (-1, bottom)))
    found, other, size = people[place], people[-1 - place], "四" if len(people) == 4 else "五"
    return [
        [
            f"{listed}{size}个人比较{matter}。已知{clues}。",
            f"关于{listed}{size}人的{matter},有这几条线索:{clues}。",
            f"{clues}。这里说的是{listed}{size}人的{matter}。",
        ],
        [f"谁{label}?", f"{size}人当中,谁{label}?", f"请问谁{label}?"],
        [
            "每条线索只连着两个人,把它们首尾相接,就能排成一列。",
            f"要找谁{label},先把零散的线索理成一条链。",
            "先找出那个在比较中从不落下风的人,再顺着往下接。",
        ],
        [f"开头的是{people[0]}:{','.join(facts)}。", f"从{people[0]}起,{','.join(facts)}。"],
        [f"依次排好是{order},所以{found}{label}。", f"整列就是{order},可见{found}{label}。"],
        [
            f"{len(facts)}条线索逐一核对,都与这个次序相符。",
            f"回头检查,{len(facts)}条线索没有一条矛盾,也没漏掉谁。",
        ],
        [
            f"{found}{label},完整的次序是{order}。",
            f"次序为{order},因此{found}{label}。",
            f"{label}的是{found},排在另一头的是{other}。",
        ],
    ]


def queue(rng: Random) -> list[list[str]]:
    """Draw a problem about the number of people between two positions in a line, one counted from the back.

    Return wordings of each of its parts.
    """
    (x, y), count, line = rng.sample(NAMES, 2), rng.randint(14, 45), rng.choice(LINES)
    front = rng.randint(2, count - 1)
    place = rng.choice([n for n in range(2, count) if abs(n - front) > 2])
    back, between = count + 1 - place, abs(place - front) - 1
    low, high = sorted((front, place))
    ahead, behind = (x, y) if front < place else (y, x)
    return [
        [
            f"{count}个人{line},{x}从前面数是第{front}个,{y}从后面数是第{back}个。",
            f"有{count}个人{line}。从前往后数,{x}排第{front};从后往前数,{y}排第{back}。",
            f"一共{count}个人{line},{x}是正数第{front}位,{y}是倒数第{back}位。",
        ],
        ["两人之间隔着几个人?", f"谁更靠前?{x}和{y}中间有多少人?", f"{x}与{y}之间有几个人,谁在前?"],
        [
            "一个从前数,一个从后数,要先统一成从前数。",
            f"{x}的位置是从前数的,所以把{y}的位置也换成从前数。",
        ],
        [
            f"倒数第{back}就是正数第{count}+1-{back}={place}。",
            f"{y}身后有{back}-1={back - 1}人,从前数便是第{count}-{back - 1}={place}个。",
        ],
        [
            f"这样{ahead}第{low},{behind}第{high},中间有{high}-{low}-1={between}人。",
            f"第{low}位是{ahead},第{high}位是{behind},两头都不算,隔着{high}-{low}-1={between}人。",
        ],
        [
            f"验算:前面{low - 1}人,中间{between}人,后面{count - high}人,连同两人自己,共{count}人。",
            f"把各段加起来,{low - 1}+1+{between}+1+{count - high}={count},人数不多不少。",
        ],
        [
            f"{x}和{y}之间有{between}个人,{ahead}更靠前。",
            f"{ahead}在前,{behind}在后,中间隔着{between}个人。",
            f"两人之间隔{between}个人,靠前的是{ahead}。",
        ],
    ]


def rule(rng: Random) -> list[list[str]]:
    """Draw a problem about whether a conclusion follows from a rule and a fact, forward or backward.

    Return wordings of each of its parts.
    """
    name, (kind, p, not_p, q, not_q) = rng.choice(NAMES), rng.choice(RULES)
    law = f"凡是{p}的{kind}都{q}"
    fact, query, thought, end = rng.choice(
        (
            (p, q, f"规定管的是所有{p}的{kind},{name}正在其中。", f"因此{name}必定{q},没有例外。"),
            (not_q, not_p, f"假如{name}{p},按规定就该{q}。", f"可是{name}{not_q},矛盾,所以假设不成立。"),
            (q, p, "这条规定只能顺着用,不能倒过来。", f"{not_p}的{kind}也可能{q},并不违反规定。"),
            (not_p, not_q, f"规定只说了{p}的人,没有说{not_p}的人怎样。", f"{not_p}的{kind}照样可能{q}。"),
        )
    )
    if query in (q, not_p):
        checks = [f"找不到反例,{name}{query}是确定的。", f"再想想,若说不是这样,就和“{law}”冲突了。"]
        answers = [
            f"由已知条件可以断定,{name}{query}。",
            f"可以。{law},而{name}{fact},所以{name}{query}。",
            f"是的,由“{law}”可以推出{name}{query}。",
        ]
    else:
        checks = [
            f"只要有一个反例,就不能断定{name}{query}。",
            f"再检查一遍,{name}是哪种情形都说得通,所以定不下来。",
        ]
        answers = [
            f"不能断定{name}{query},已知的条件还不够。",
            f"不能。虽然{law},但这并不能说明{name}{query}。",
            f"推不出{name}{query},相反的情形也有可能。",
        ]
    return [
        [
            f"{law}。{kind}{name}{fact}。",
            f"已知{law},又知道{kind}{name}{fact}。",
            f"{name}是{kind},{fact}。另外,{law}。",
        ],
        [f"能不能断定{name}{query}?", f"由此能推出{name}{query}吗?", f"可以肯定{name}{query}吗?"],
        [
            f"要判断的是,从这两句话能不能必然得出{name}{query}。",
            f"手头只有两个条件:{law};{name}{fact}。",
            f"要说能断定{name}{query},就得保证没有别的可能。",
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
    cases = ("两人都说真话", f"只有{x}说真话", f"只有{y}说真话", "两人都说假话")
    right = next(kinds for kinds in KINDS if not misfits(riddle, kinds))
    x_kind, y_kind = ("说真话" if honest else "说假话" for honest in right)
    weighed = []
    for kinds, case in rng.sample(list(zip(KINDS, cases, strict=True)), 4):
        wrong = misfits(riddle, kinds)
        if wrong:
            who, said = (x, y)[wrong[0]], "假的" if kinds[wrong[0]] else "真的"
            weighed.append(f"若{case},{who}的话却成了{said},矛盾。")
        else:
            weighed.append(f"若{case},两句话都对得上。")
    return [
        [
            f"岛上的人要么句句真话,要么句句假话。{x}说:“{says}。”{y}说:“{replies}。”",
            f"{x}和{y}各自要么总说真话,要么总说假话。{x}说:“{says}。”{y}说:“{replies}。”",
        ],
        ["两人各是哪种人?", f"{x}和{y}分别说真话还是假话?", "谁说真话,谁说假话?"],
        ["一共四种可能,逐个试。", "我把四种情形都列出来看。", f"{x}和{y}各有两种可能,合起来四种。"],
        ["".join(weighed)],
        ["只有一种情形留下来。", "其余三种都排除了。", "所以答案是唯一的。"],
        [
            f"{x}总是{x_kind},{y}总是{y_kind}。",
            f"唯一说得通的情形是:{x}{x_kind},{y}{y_kind}。",
            f"只有{x}{x_kind}、{y}{y_kind}时,两句话才对得上。",
        ],
    ]


def overlap(rng: Random) -> list[list[str]]:
    """Draw a problem about the number of people in both of two groups; return wordings of each of its parts."""
    group, unit, p, q = rng.choice(GROUPS)
    only_p, only_q, both, none = (rng.randint(3, 19) for _ in range(4))
    a, b, count = only_p + both, only_q + both, only_p + only_q + both + none
    some = count - none
    return [
        [
            f"{count}{unit}{group}里,{a}{unit}{p},{b}{unit}{q},另有{none}{unit}两样都不占。",
            f"一共有{count}{unit}{group},其中{p}的有{a}{unit},{q}的有{b}{unit},两样都不占的有{none}{unit}。",
            f"统计{count}{unit}{group},发现{a}{unit}{p},{b}{unit}{q},{none}{unit}哪样都不占。",
        ],
        [f"既{p}又{q}的有多少{unit}?", f"两样都占的{group}有几{unit}?", f"{p}的当中,有多少{unit}也{q}?"],
        [
            "两样都占的,在相加时被算了两遍,从这里入手。",
            "求重叠的部分,要拿两数之和与实际的总数比较。",
            f"先把两样都不占的{none}{unit}放到一边。",
        ],
        [
            f"至少占一样的有{count}-{none}={some}{unit}。",
            f"{count}{unit}去掉{none}{unit},剩{some}{unit}。",
        ],
        [
            f"而{a}+{b}={a + b},多出{a + b}-{some}={both},正是重复计算的部分。",
            f"两项相加得{a}+{b}={a + b},比实际多{a + b}-{some}={both},这就是重叠的数目。",
        ],
        [
            f"验算:只占前一样{only_p},只占后一样{only_q},都占{both},都不占{none},合计{count}。",
            f"分成四块来核对,{only_p}+{only_q}+{both}+{none}={count},吻合。",
        ],
        [
            f"算下来,既{p}又{q}的有{both}{unit}。",
            f"{count}{unit}{group}里,两样都占的有{both}{unit}。",
            f"有{both}{unit}{group}既{p}又{q}。",
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
        where = "这里" if index == box else f"{colors[index]}盒里"
        said.append(f"{colors[box]}盒上写“{'' if inside else '不'}在{where}”")
    weighed = []
    for place in rng.sample(range(3), 3):
        true = true_labels(labels, place)
        subject = "、".join(f"{colors[box]}盒" for box in true)
        told = ("三句全假", f"只有{subject}那句是真的", f"{subject}两句是真的", "三句全真")[len(true)]
        weighed.append(f"若在{colors[place]}盒,{told},{'符合条件' if place == target else '不合'}。")
    wanted, found = f"恰有{'一两'[truths - 1]}句是真的", colors[target]
    return [
        [
            f"{prize}藏在三个盒子中的一个里。{','.join(said)}。三句话{wanted}。",
            f"三个盒子里只有一个放着{prize}:{','.join(said)}。已知{wanted}。",
            f"{rng.choice(NAMES)}把{prize}放进三个盒子之一,{','.join(said)},其中{wanted}。",
        ],
        [f"{prize}在哪个盒子里?", f"请问{prize}放在哪里?", f"该打开哪个盒子才能找到{prize}?"],
        [
            f"{prize}只有三处可放,逐个假设,数数有几句真话。",
            f"把三个盒子都试一遍,看哪种情形下{wanted}。",
            f"条件是三句话里{wanted},我就按盒子一个个来试。",
        ],
        ["".join(weighed)],
        [f"于是只剩{found}盒。", "另外两个盒子都排除了。", f"可见只能是{found}盒。"],
        [
            f"可以断定,{prize}在{found}色的盒子里。",
            f"{prize}放在{found}盒,这时才正好{wanted}。",
            f"应当打开{found}盒,{prize}就在里面。",
        ],
    ]


FAMILIES: dict[str, list[Family]] = {
    "ordering": [ranking, queue],
    "logic": [rule, truth_tellers, overlap, boxes],
}
