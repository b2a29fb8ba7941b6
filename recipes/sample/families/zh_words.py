"""Chinese word problems: money, work, pursuit, ages, recipes, averages, mixtures (see ``general`` on families)."""

from random import Random

from recipes.sample.families.shared import JOB_TIMES, Family, tenths, words

NAMES = words(
    "林晓 周远 陈默 苏禾 方舟 许言 沈青 陆遥 顾盼 程野 叶澜 唐棠 韩松 梁栋 何田 吕夏 丁宁 夏冰 白露 温良 "
    "齐悦 秦川 罗曼 石磊 孟春 邹凯 卢芳 贺新 崔莹 俞静 田甜 范成 江小屿 赵小满 钱多多 孙立秋 李知夏 王一鸣 "
    "张若谷 刘念慈 杨柳依 黄梅生 马向东 朱明月 高一帆 严冬生 郭子墨 曹雨桐 潘家兴 邓海棠"
)
# Goods with measure word and lowest price in tenths of a yuan.
SHOPS = {
    "菜市场": (("番茄", "斤", 35), ("茄子", "斤", 30), ("鲫鱼", "条", 150), ("豆腐", "块", 25)),
    "文具店": (("笔记本", "本", 65), ("中性笔", "支", 25), ("橡皮", "块", 15), ("文件夹", "个", 40)),
    "水果摊": (("苹果", "斤", 60), ("香蕉", "斤", 45), ("西瓜", "个", 220), ("柚子", "个", 95)),
    "早点铺": (("肉包", "个", 25), ("豆浆", "杯", 30), ("油条", "根", 20), ("茶叶蛋", "个", 20)),
    "书店": (("明信片", "张", 30), ("小说", "本", 320), ("地图", "张", 150), ("书签", "枚", 35)),
    "五金店": (("灯泡", "只", 85), ("挂钩", "个", 25), ("卷尺", "把", 180), ("插座", "个", 260)),
    "花店": (("玫瑰", "枝", 60), ("百合", "枝", 90), ("绿萝", "盆", 150), ("陶盆", "个", 120)),
    "杂货铺": (("酱油", "瓶", 95), ("挂面", "把", 70), ("蜡烛", "支", 20), ("毛巾", "条", 85)),
}
JOBS = (
    ("粉刷礼堂", "小时"),
    ("校对一部书稿", "天"),
    ("清理老仓库", "小时"),
    ("修补石墙", "天"),
    ("誊抄一套族谱", "天"),
    ("缝制演出服装", "天"),
    ("给旧照片编目", "小时"),
    ("采完这片茶园", "天"),
    ("组装一批书架", "小时"),
    ("翻译一份说明书", "小时"),
)
# A slow way to travel with its range of speeds, and a fast one.
PURSUITS = (
    ("步行", 3, 6, "骑车", 9, 18),
    ("骑车", 10, 16, "骑摩托车", 28, 46),
    ("开货车", 42, 60, "开轿车", 64, 96),
    ("赶马车", 6, 9, "骑马", 12, 20),
)
PLACES = words("县城 渡口 古镇 学校 客栈 车站 村口 码头 林场 茶馆 粮站 山脚")
# A dish and two ingredients, each with its unit and the least amount for one serving.
DISHES = (
    ("腊八粥", ("糯米", "克", 35), ("红豆", "克", 10)),
    ("饺子馅", ("猪肉", "克", 80), ("白菜", "克", 100)),
    ("酸梅汤", ("乌梅", "克", 10), ("水", "毫升", 250)),
    ("红烧肉", ("五花肉", "克", 120), ("冰糖", "克", 5)),
    ("豆浆", ("黄豆", "克", 20), ("水", "毫升", 240)),
    ("葱油饼", ("面粉", "克", 90), ("温水", "毫升", 50)),
    ("绿豆沙", ("绿豆", "克", 40), ("冰糖", "克", 10)),
    ("鸡蛋羹", ("蛋液", "克", 50), ("清汤", "毫升", 75)),
)
# A counted occasion, its short form, a verb, a unit, and the range of the mean.
RECORDS = (
    ("次测验", "次", "考", "分", 62, 84),
    ("天", "天", "背", "个单词", 20, 45),
    ("场比赛", "场", "得", "分", 11, 26),
    ("个晚上", "晚", "读", "页书", 18, 50),
    ("天", "天", "摘", "筐橘子", 8, 24),
    ("个班次", "班", "送", "件包裹", 25, 60),
)
# A scene, two kinds of things, their measure word, what is counted on them, and how much each has.
MIXTURES = (
    ("院子里养着", "鸡", "兔", "只", "只脚", 2, 4),
    ("停车场停着", "三轮车", "小汽车", "辆", "个轮子", 3, 4),
    ("草丛里有", "蜻蜓", "蜘蛛", "只", "条腿", 6, 8),
    ("公园租出", "小船", "大船", "条", "个座位", 4, 6),
    ("盒子里装着", "三角形卡片", "五边形卡片", "张", "个角", 3, 5),
    ("餐厅里摆着", "双人桌", "六人桌", "张", "个座位", 2, 6),
)


def change(rng: Random) -> list[list[str]]:
    """Draw a problem about the change from a purchase of two kinds of goods; return wordings of each of its parts."""
    name, shop = rng.choice(NAMES), rng.choice(list(SHOPS))
    (a, u, low_a), (b, v, low_b) = rng.sample(SHOPS[shop], 2)
    n, m, price_a, price_b = (
        rng.randint(2, 6),
        rng.randint(2, 6),
        *(x + 5 * rng.randint(-1, 6) for x in (low_a, low_b)),
    )
    total = n * price_a + m * price_b
    note = next(note for note in (10, 20, 50, 100, 200, 300, 400) if 10 * note > total)
    p, q, cost, rest = tenths(price_a), tenths(price_b), tenths(total), tenths(10 * note - total)
    cost_a, cost_b = tenths(n * price_a), tenths(m * price_b)
    return [
        [
            f"{name}在{shop}买了{n}{u}{a}和{m}{v}{b},{a}每{u}{p}元,{b}每{v}{q}元。",
            f"{shop}里{a}{p}元一{u},{b}{q}元一{v},{name}要了{n}{u}{a}、{m}{v}{b}。",
            f"{name}路过{shop},挑了{n}{u}{a}(每{u}{p}元),又添了{m}{v}{b}(每{v}{q}元)。",
        ],
        [
            f"付{note}元,应找回多少元?",
            f"拿出{note}元结账,还能剩多少钱?",
            f"要是递过去{note}元,对方该找多少钱?",
        ],
        [
            "要知道找回多少,得先弄清一共花了多少。",
            "找回的钱等于付出的钱减去总价,所以先算总价。",
            f"题目问{note}元结账之后还剩多少,关键在两样东西的总价。",
        ],
        [
            f"{a}是{n}×{p}={cost_a}元,{b}是{m}×{q}={cost_b}元,合计{cost}元。",
            f"买{a}用去{n}×{p}={cost_a}元,买{b}用去{m}×{q}={cost_b}元,加起来是{cost}元。",
        ],
        [
            f"从{note}元里减去这笔钱,{note}-{cost}={rest},应找{rest}元。",
            f"于是{note}-{cost}={rest},还剩{rest}元。",
        ],
        [
            f"倒过来验算,{cost}+{rest}={note},正好对上。",
            f"再把{rest}和{cost}加起来,又是{note},没有差错。",
        ],
        [
            f"{name}一共花了{cost}元,付{note}元,应找回{rest}元。",
            f"应找回{rest}元,因为{a}和{b}合计{cost}元。",
            f"付了{note}元,扣掉{cost}元的货款,{name}还剩{rest}元。",
        ],
    ]


def shared_work(rng: Random) -> list[list[str]]:
    """Draw a problem about the time that two people need together for a job; return wordings of each of its parts."""
    (x, y), (job, unit), (a, b) = rng.sample(NAMES, 2), rng.choice(JOBS), rng.choice(JOB_TIMES)
    t = a * b // (a + b)
    return [
        [
            f"{x}独自{job}要{a}{unit},换成{y}要{b}{unit}。",
            f"同样是{job},{x}一个人要做{a}{unit},{y}一个人要做{b}{unit}。",
            f"有人请{x}和{y}{job}。{x}单干需要{a}{unit},{y}单干需要{b}{unit}。",
        ],
        [
            f"两人一起做,需要多少{unit}?",
            f"如果两人同时动手,各按各的速度,几{unit}能完成?",
            f"两人合作,要用多少{unit}?",
        ],
        [
            f"时间不能直接相加,能相加的是每{unit}完成的份额。",
            f"把全部活计看作1,先看每人每{unit}做多少。",
            "合作问题要从效率入手,设总工作量为1。",
        ],
        [
            f"{x}每{unit}做1/{a},{y}每{unit}做1/{b}。",
            f"{x}的效率是1/{a},{y}的效率是1/{b}。",
        ],
        [
            f"合起来每{unit}做({a}+{b})/({a}×{b})={a + b}/{a * b}=1/{t},所以做完要{t}{unit}。",
            f"两者之和是{a + b}/{a * b},约分得1/{t},也就是{t}{unit}刚好做完。",
        ],
        [
            f"验算一下:{t}{unit}里{x}做了{t}/{a},{y}做了{t}/{b},加起来正好是1。",
            f"{t}{unit}比其中快的一人单干的{min(a, b)}{unit}还短,合乎常理。",
        ],
        [
            f"{x}和{y}一起{job},需要{t}{unit}。",
            f"两人合作每{unit}完成1/{t},所以{t}{unit}可以做完。",
            f"如果{x}与{y}合作,{t}{unit}就能完成。",
        ],
    ]


def pursuit(rng: Random) -> list[list[str]]:
    """Draw a problem about when a faster traveller catches up with a slower one.

    Return wordings of each of its parts.
    """
    (x, y), place = rng.sample(NAMES, 2), rng.choice(PLACES)
    slow, low, high, fast, low_fast, high_fast = rng.choice(PURSUITS)
    v, w, lead = rng.choice(
        [
            (v, w, lead)
            for v in range(low, high + 1)
            for w in range(low_fast, high_fast + 1)
            for lead in (1, 2, 3)
            if 2 * v * lead % (w - v) == 0 and v * lead <= 6 * (w - v)
        ]
    )
    ahead, gain = v * lead, w - v
    time, road = tenths(10 * ahead // gain), tenths(10 * w * ahead // gain)
    return [
        [
            f"{x}{slow}从{place}出发,每小时{v}千米;{lead}小时后,{y}{fast}从同一处去追,每小时{w}千米。",
            (f"{x}{slow}离开{place},时速{v}千米。过了{lead}小时,{y}也从{place}动身,{fast}沿原路追赶,时速{w}千米。"),
        ],
        [
            f"{y}几小时能追上{x}?",
            f"{y}出发后多久追上{x}?",
            f"{y}要追多少小时,才能赶上{x}?",
        ],
        [
            "追及问题要看先走的那段路,以及每小时缩短多少。",
            f"先算{y}动身时两人相距多远,再看差距缩得多快。",
            "两人方向相同,差距按速度之差缩小。",
        ],
        [
            f"{x}先走了{v}×{lead}={ahead}千米,{y}每小时追近{w}-{v}={gain}千米。",
            f"起初相差{v}×{lead}={ahead}千米,速度差是{w}-{v}={gain},即每小时缩短{gain}千米。",
        ],
        [
            f"{ahead}÷{gain}={time},所以要追{time}小时。",
            f"差距归零需要{ahead}÷{gain}={time}小时。",
        ],
        [
            f"验算:{y}走了{w}×{time}={road}千米,{x}走了{ahead}千米再加{v}×{time}千米,也是{road}千米。",
            (
                f"这时{y}已走{w}×{time}={road}千米,{x}前后共走{tenths(10 * lead + 10 * ahead // gain)}小时,"
                f"路程也是{road}千米。"
            ),
        ],
        [
            f"{y}出发{time}小时后追上{x},那里距{place}{road}千米。",
            f"{y}要追{time}小时,因为{ahead}千米的差距每小时缩短{gain}千米。",
            f"追上要用{time}小时,这时两人离{place}都是{road}千米。",
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
    share = f"{gap}÷{times - 1}={then}" if times > 2 else str(then)
    return [
        [f"{x}比{y}大{gap}岁。", f"{x}和{y}相差{gap}岁,{x}年长。", f"{y}比{x}小{gap}岁。"],
        [
            f"再过{wait}年,{x}的年龄恰好是{y}的{times}倍。{y}今年几岁?",
            f"{wait}年以后,{x}的岁数正好等于{y}的{times}倍。两人今年各多少岁?",
            f"等到{wait}年后,{x}的年龄会是{y}的{times}倍。问两人现在的年龄。",
        ],
        [
            f"年龄差始终不变,现在差{gap}岁,{wait}年后还是差{gap}岁,这是突破口。",
            f"两个人的岁数同时增长,只有{gap}岁的差距不动,就从它想起。",
            f"抓住不变的量:无论过多少年,两人都相差{gap}岁。",
        ],
        [
            f"到那时{y}算1份,{x}算{times}份,差{times - 1}份,所以1份是{share}岁。",
            f"画线段来看,那时{y}占1段,{x}占{times}段,多出的{times - 1}段是{gap}岁,1段就是{share}岁。",
        ],
        [
            f"退回{wait}年,{y}今年{then}-{wait}={young}岁,{x}是{young}+{gap}={young + gap}岁。",
            f"现在{y}就是{then}-{wait}={young}岁,{x}比这多{gap},是{young + gap}岁。",
        ],
        [
            f"验算:那时{x}{then + gap}岁,{then}×{times}={times * then},相符。",
            f"{young + gap}+{wait}={then + gap},恰是{then}的{times}倍,答案成立。",
        ],
        [
            f"{y}今年{young}岁,{x}今年{young + gap}岁。",
            f"现在{x}{young + gap}岁、{y}{young}岁,{wait}年后分别是{then + gap}岁和{then}岁。",
            f"今年{y}是{young}岁,{x}比{y}大{gap}岁,是{young + gap}岁。",
        ],
    ]


def recipe(rng: Random) -> list[list[str]]:
    """Draw a problem about scaling a recipe to another number of people; return wordings of each of its parts."""
    name, (dish, (a, g, base_a), (b, h, base_b)) = rng.choice(NAMES), rng.choice(DISHES)
    few, many = rng.sample(range(2, 13), 2)
    each_a, each_b = base_a + 5 * rng.randint(0, 6), base_b + 5 * rng.randint(0, 4)
    old_a, old_b, new_a, new_b = few * each_a, few * each_b, many * each_a, many * each_b
    return [
        [
            f"{name}做{few}人份的{dish},用{a}{old_a}{g}、{b}{old_b}{h}。",
            f"一张{dish}的方子写着:{few}人份,{a}{old_a}{g},{b}{old_b}{h}。",
            f"照老方子做{dish},{few}个人吃要放{old_a}{g}{a}和{old_b}{h}{b}。",
        ],
        [
            f"改做{many}人份,两样各要多少?",
            f"今天有{many}个人吃,按同样的比例该怎么配?",
            f"如果要够{many}个人吃,两样配料各备多少?",
        ],
        [
            f"比例不变,先求1人份,再乘{many}最稳妥。",
            f"从{few}人份到{many}人份,不妨先退到1人份。",
            "味道要一样,每个人分到的配料就不能变,所以先算1人份。",
        ],
        [
            f"1人份是{a}{old_a}÷{few}={each_a}{g},{b}{old_b}÷{few}={each_b}{h}。",
            f"除以{few},每人合{each_a}{g}{a}和{each_b}{h}{b}。",
        ],
        [
            f"{many}人份就是{a}{each_a}×{many}={new_a}{g},{b}{each_b}×{many}={new_b}{h}。",
            f"再乘{many}:{each_a}×{many}={new_a},{each_b}×{many}={new_b}。",
        ],
        [
            f"反过来{new_a}÷{many}={each_a},{new_b}÷{many}={each_b},每人的分量没变。",
            f"人数变{'多' if many > few else '少'}了,用量也跟着变{'多' if many > few else '少'},方向是对的。",
        ],
        [
            f"做{many}人份的{dish},需要{a}{new_a}{g}、{b}{new_b}{h}。",
            f"{many}个人吃,应备{new_a}{g}{a}和{new_b}{h}{b}。",
            f"{name}要准备{a}{new_a}{g}、{b}{new_b}{h},才够{many}人份。",
        ],
    ]


def average(rng: Random) -> list[list[str]]:
    """Draw a problem about the next value that raises an average to a goal; return wordings of each of its parts."""
    name, (turn, one, do, unit, low, high) = rng.choice(NAMES), rng.choice(RECORDS)
    count, mean, lift = rng.randint(3, 6), rng.randint(low, high), rng.randint(1, 2)
    goal, after = mean + lift, count + 1
    old, new = count * mean, after * goal
    return [
        [
            f"{name}前{count}{turn}平均每{one}{do}{mean}{unit}。",
            f"算下来,{name}这{count}{turn}平均每{one}{do}{mean}{unit}。",
            f"{count}{turn}过去,{name}平均每{one}{do}{mean}{unit}。",
        ],
        [
            f"想让平均数提高到{goal},第{after}{turn}要{do}多少{unit}?",
            f"第{after}{turn}至少{do}多少{unit},平均数才能达到{goal}?",
            f"要使{after}{turn}的平均数正好是{goal},第{after}{turn}应{do}多少{unit}?",
        ],
        [
            "平均数背后是总数,比较两个总数就行。",
            f"平均要从{mean}升到{goal},我先把平均数还原成总数。",
            "最后这一次的数目,正是前后两个总数之差。",
        ],
        [
            f"前{count}{turn}一共{mean}×{count}={old}{unit}。",
            f"目前的总数是{count}×{mean}={old}{unit}。",
        ],
        [
            f"{after}{turn}平均{goal},总数要有{goal}×{after}={new},还差{new}-{old}={new - old}{unit}。",
            f"目标总数是{after}×{goal}={new},{new}-{old}={new - old},这就是第{after}{turn}要补上的。",
        ],
        [
            f"验算:({old}+{new - old})÷{after}={goal},没有问题。",
            f"换个角度,{mean}再加上{after}份{lift},{mean}+{lift * after}={new - old},结果一致。",
        ],
        [
            f"第{after}{turn}要{do}{new - old}{unit},平均数才到{goal}。",
            f"{name}第{after}{turn}需要{do}{new - old}{unit}。",
            f"只要第{after}{turn}{do}到{new - old}{unit},平均数就正好是{goal}。",
        ],
    ]


def mixture(rng: Random) -> list[list[str]]:
    """Draw a problem about the numbers of two kinds of things, from the number of things and of their parts.

    Return wordings of each of its parts.
    """
    start, a, b, measure, part, few, many = rng.choice(MIXTURES)
    n, m = rng.randint(3, 25), rng.randint(3, 25)
    count, parts = n + m, few * n + many * m
    base, step = few * count, many - few
    return [
        [
            f"{start}{a}和{b}共{count}{measure},合计{parts}{part}。",
            f"{start}{a}和{b},数起来共有{count}{measure}、{parts}{part}。",
            f"{rng.choice(NAMES)}数了数:{start}{a}与{b}共{count}{measure},总计{parts}{part}。",
        ],
        [
            f"每{measure}{a}有{few}{part},每{measure}{b}有{many}{part},两种各多少{measure}?",
            f"已知{a}每{measure}{few}{part},{b}每{measure}{many}{part},问{a}和{b}各几{measure}。",
        ],
        [
            f"这是鸡兔同笼一类的题,先假设全是{a}。",
            f"两种混在一起不好算,我先当作{count}{measure}都是{a}。",
            f"用假设法:设{b}一{measure}也没有。",
        ],
        [
            f"那么只有{count}×{few}={base}{part},比实际少{parts}-{base}={parts - base}。",
            f"这样应有{few}×{count}={base}{part},实际却多出{parts}-{base}={parts - base}。",
        ],
        [
            (
                f"每换进一{measure}{b}就多{step}{part},所以{b}有{parts - base}÷{step}={m}{measure},"
                f"{a}有{count}-{m}={n}{measure}。"
            ),
            (
                f"一{measure}{b}比一{measure}{a}多{step}{part},{parts - base}÷{step}={m},即{b}{m}{measure},"
                f"其余{n}{measure}是{a}。"
            ),
        ],
        [
            f"代回去,{n}×{few}+{m}×{many}={parts},正确。",
            f"验算:{few * n}+{many * m}={parts},与题目相符。",
        ],
        [
            f"算下来,{a}有{n}{measure},{b}有{m}{measure}。",
            f"一共是{n}{measure}{a}和{m}{measure}{b},合起来正好{parts}{part}。",
            f"其中{a}{n}{measure}、{b}{m}{measure},总数{count}{measure}。",
        ],
    ]


FAMILIES: dict[str, list[Family]] = {"word problem": [change, shared_work, pursuit, ages, recipe, average, mixture]}
