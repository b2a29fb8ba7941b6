"""The Chinese and English phrases (cues) by which a step of reasoning is classified.

Behaviours are listed in order of precedence. A step has the first behaviour of which it contains a cue; without a cue
it is normal writing. Reflection comes first: a step that checks itself nearly always names reasons and alternatives.
Exploration comes before reasoning: alternatives are usually weighed with reasons, but reasons rarely with alternatives.
Cues are regular expressions of Rust (as in polars) and ignore case; English cues match whole words.

Missed cues count as normal writing, so the shares of the other behaviours tend to be too low rather than too high.
"""

from __future__ import annotations

from coig.records.label import Behaviour

NORMAL: Behaviour = "normal writing"

SENTENCE = r"(?:^|[。！？.!?…\n])[\s\p{P}\d]*"  # only at the beginning of a sentence; a list's number may precede
CLAUSE = r"(?:^|[\p{P}\n])[\s\p{P}\d]*"  # only at the beginning of a clause
END = r"(?:[\p{P}\s]|$)"  # only at the end of a clause
GAP = r"[^。！？.!?\n]*"  # any text between two parts of a cue within one sentence

CHINESE: dict[Behaviour, tuple[str, ...]] = {
    "self-reflection": (
        # stops
        SENTENCE + r"(?:等等|等一下|慢着|且慢)",
        r"不对(?:[啊呀吧了]|" + END + ")|不太对|不妥",
        r"(?:想|写|弄|搞|算|记|看)(?:错|偏|岔)了",
        # checks
        r"重新(?:检查|考虑|审视|审题|想|看|读|梳理|写|组织|安排|调整|斟酌)",
        r"(?:再|逐[条项句]|最后|仔细)(?:检查|核对|确认)|检查(?:一|下|是否|有没有)|再看一[下遍]|自查|核对|验算",
        r"回头(?:看|再看|想|读|检查)|回过头|重读|通读|再读一遍|复盘|反思|审视",
        r"(?:是否|是不是|有没有|会不会)(?:都|也)?(?:符合|满足|太|漏|偏题|跑题|超字)|符合(?:要求|题目|题意|设定|字数)",
        # finds fault
        r"(?:太|有点)(?:直白|俗套|老套|刻意|突兀|煽情|生硬|啰嗦|抽象|笼统|说教|空泛|平淡)|太像" + GAP + "了",
        r"不够(?:好|自然|具体|有力|深|准确|新|细|紧凑|动人|克制|生动|清楚)",
        r"自相矛盾|前后矛盾|说不通|讲不通|跑题|离题|偏题|漏写|忘了(?:写|提|交代|要求)",
        # takes back
        r"(?:本来?|原[本先]?|起[初先]|最初|一开始|一度)我?想(?:让|写|用|把|从|安排)|后来(?:觉得|想到|一想)",
        CLAUSE + r"我?(?:本来|原本|原先|起[初先]|最初|一开始)我?(?:打算|写|让|用)|先[写想]的是|我先写",
        r"刚才(?:写|想|那样|这样|的(?:想法|写法|思路|开头|结尾|版本))",
        CLAUSE + r"(?:改成|改为|改用|换成|换掉|挪到|删掉|删去|去掉|砍掉|推翻|删" + END + ")",
        r"(?:得|要|该|必须|还是|干脆|索性)再?(?:改一|改掉|改成|改为|改" + END + "|删|换掉|重写|修改|调整)",
    ),
    "self-exploration": (
        # another way
        r"或者|或许|也许|" + CLAUSE + "要不|不妨|不如(?:从|让|用|写|把)|也可以|也行|还可以|反过来(?:想|看|写)",
        r"换个(?:角度|思路|写法|说法|方向|视角)|换一[个种](?:角度|思路|写法|说法|方式|方向|视角)",
        r"另一[个种条](?:角度|思路|写法|办法|方案|可能|方向|选择|路)|备选|方案[一二三abc]",
        r"[几两三](?:个|种|条)(?:方向|思路|方案|选择|可能|写法|路)",
        # tries
        r"先想(?:想|几|一)|试试|试一试|试着|试写|试过|尝试|设想|假如|假设|头脑风暴|考虑(?:用|让|写|从|把|加|一下)",
        # asks itself
        r"可不可以|是否可以|能不能|能否|会不会|有没有可能|从哪(?:里|儿|个)(?:写|开|切|入)",
        r"(?:如果|要是|若是)" + GAP + r"(?:呢|会怎样|会如何|怎么样)",
        r"怎么(?:写|开头|结尾|安排|处理)(?:才|呢|好|" + END + ")|" + CLAUSE + "还是" + GAP + "[？?]",
    ),
    "deep reasoning": (
        # cause
        r"因为|由于|既然|之所以|正因|原因(?:是|在于)|在于",
        # consequence
        r"所以|因此|因而|于是|从而|进而|由此|使得|意味着|这样一来|表明|" + CLAUSE + "可见",
        r"(?:让|使)读者|才(?:会|有|显得|像)|说明(?:了|他|她|它|这|读者)",
        # purpose
        r"为了|为的是|以便|以免|免得|目的(?:是|在于)|用意",
        # condition
        r"只有" + GAP + "才|(?:如果|若|要是|一旦)" + GAP + r"(?:就|便|那么|则|等于)|除非|否则|取决于",
        # what it comes to
        r"换句话说|也就是说|换言之|等于说|说到底|归根|本质上|关键(?:是|在)|要害|核心(?:是|在)",
    ),
}
ENGLISH: dict[Behaviour, tuple[str, ...]] = {
    "self-reflection": (
        # stops
        SENTENCE + r"(?:wait|actually)",
        r"(?:no|but|oh|hmm),? wait|hold on|hang on|scratch that|oops|on second thoughts?|on reflection|in hindsight",
        # checks
        r"let me (?:check|verify|make sure|see if|think again|review|fix)|double[- ]check|check (?:that|if|whether)",
        r"go(?:ing)? back and|read(?:ing)? (?:it|this) (?:over|again|back)|(?:this|that|it|which) contradicts",
        r"re-?(?:check|read|reading|examine|consider|think|thinking|visit|write|writing|work)|revis(?:e|ing|ion)",
        r"look(?:ing)? back (?:at|over)|does (?:this|that|it) (?:meet|fit|work|match|satisfy|answer|sound)",
        r"meets? (?:all )?(?:of )?the (?:requirements?|constraints?|word count|brief)",
        # finds fault
        r"(?:this|that|it)(?:['’]s| is| was| feels| sounds| seems)(?: a bit| a little)? (?:wrong|too|off|not right)",
        r"(?:this|that|it) (?:doesn['’]t|does not|didn['’]t|won['’]t) (?:work|fit|sound|feel|make sense)",
        r"too (?:clich[eé]d?|obvious|sentimental|abstract|neat|wordy|generic|vague|melodramatic|predictable|preachy)",
        r"i (?:forgot|missed|overlooked|misread|miscounted|was wrong|made a mistake)",
        # takes back
        r"my (?:first|earlier|original|initial) (?:idea|draft|version|thought|instinct|plan|line|opening|ending)",
        r"at first i|i (?:first|originally|initially) (?:thought|wrote|planned|wanted|had)",
        r"i(?: should| need to| must|['’]ll| will) (?:fix|cut|change|trim|tone|drop|replace|redo)",
    ),
    "self-exploration": (
        # another way
        r"maybe|perhaps|possibly|alternatively|could also|might also|or else|one way",
        r"another (?:option|idea|approach|angle|way|possibility|direction|thought|route)|other options",
        r"one (?:option|possibility|approach|idea)|(?:two|three|several|a few) (?:options|ideas|directions)",
        r"possible (?:titles|openings|endings)",
        # tries
        r"let(?:['’]s| me| us) (?:try|imagine|explore|brainstorm|play with|experiment|consider)|brainstorm(?:ing)?",
        r"(?:could|might) (?:try|use|start|open|begin|end|set|make|write|frame|turn|give|tell)|experiment with",
        # asks itself
        r"what if|what about|how about|suppose|i wonder|wondering (?:if|whether)|hmm+",
        r"should (?:i|we|it|the)" + GAP + r"\?",
    ),
    "deep reasoning": (
        # cause
        r"because|, since|due to|owing to|given that|the reason",
        r"since (?:the (?:prompt|user|reader|brief|task|piece|story|poem|narrator|audience)|this|it['’]s|it is|we)",
        # consequence
        r"therefore|thus|hence|consequently|as a result|it follows|implies|leads? to|(?:would|could|may) explain",
        r"(?:this|that|which) (?:means|implies|suggests|makes|allows|is why)|that['’]s why|means that|works better",
        CLAUSE + r"so (?:the|this|it|its|if|we|i)",
        # purpose
        r"so that|in order to|the purpose|serves to|ensures?",
        SENTENCE + r"to (?:keep|avoid|show|make|convey|create|build|give|balance|achieve)" + GAP + ",",
        # condition
        r"if" + GAP + r"(?:then|must|has to|have to)|otherwise|unless|depends on",
        # what it comes to
        r"in other words|the (?:key|point|crux|core|heart of it)(?: here)? is|comes down to",
    ),
}
# phrases that contain a cue but are none; they are removed from a step before cues are searched
FALSE_FRIENDS = (
    r"对不对|或者说|所以然|面试试题|[笔考口复]试试题|回头看(?:了|见|着|他|她|我|一眼)",  # 回头看了一眼: with the eyes
    r"要不(?:是|然|得|了)",
    r"[以认成作称变化改视列转沦升誉]为了|[存现正]在于",  # 成为了, 以为了不起
    r"(?-u:\b)(?:wait (?:for|until|till|on|at|in|here|there|outside)|hold on to|since then)(?-u:\b)",
)


def _pattern(behaviour: Behaviour) -> str:
    """Join all Chinese and English cues of a behaviour into one regular expression that ignores case."""
    english = [cue if cue.startswith("(?:^") else f"(?:^|[^a-z])(?:{cue})" for cue in ENGLISH[behaviour]]
    return "(?i)" + "|".join([*CHINESE[behaviour], *(f"(?:{cue})(?:[^a-z]|$)" for cue in english)])


PATTERNS = {behaviour: _pattern(behaviour) for behaviour in CHINESE}
FALSE_FRIEND = "(?i)" + "|".join(FALSE_FRIENDS)
