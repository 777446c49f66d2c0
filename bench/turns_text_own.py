"""Our own utterances for training the words' model: what callers say to agents.

Out: `Own` utterances in English and Chinese, made from templates; "/" marks where people pause
while they look for words.  Written for training alone: no bench of turn taking uses them.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

_EN_WORDS = {
    "item": "jacket|pair of shoes|phone case|laptop|blue sweater|coffee machine|book|"
    "set of headphones|"
    "mattress|bike|washing machine|desk lamp|birthday present|gift card|keyboard|printer",
    "time": "three|half past five|nine thirty|noon|eight o'clock|quarter to seven|"
    "six in the evening|"
    "ten in the morning|two fifteen|midnight|seven pm",
    "day": "tomorrow|monday|next tuesday|this weekend|friday|the twelfth|the third of june|"
    "march ninth|"
    "today|saturday morning|the end of the month|next week|sunday evening",
    "name": "john smith|maria garcia|peter|anna lee|david cohen|mister brown|sarah jones|omar|"
    "wei zhang|"
    "julia roberts|tom baker|miss kelly|hannah|michael o'brien",
    "place": "chicago|the airport|the main station|berlin|downtown|the hospital|my office|"
    "san francisco|"
    "the store on fifth street|my mother's house|london|the city centre|boston|home",
    "thing": "my order|the delivery|my account|the invoice|my subscription|the refund|"
    "the internet|my card|"
    "the booking|the payment|my phone|the app|my password|the heating|the router|my reservation",
    "trouble": "doesn't work anymore|hasn't arrived|keeps failing|is broken|was charged twice|"
    "is too slow|"
    "still doesn't show up|stopped working yesterday|is the wrong size|got lost|was damaged|"
    "won't turn on|keeps disconnecting",
    "food": "a large pizza|two burgers|a salad without onions|a cappuccino|fried rice|some sushi|"
    "a sandwich|"
    "three tacos|a vegan wrap|chicken soup",
    "topic": "dinosaurs|black holes|how rainbows are made|football|the weather|the moon|"
    "multiplication|"
    "a story about a dragon|volcanoes|ancient rome|my homework|penguins",
    "num": "two|three|four|five|six|a couple|ten|one|twelve|eight",
    "quest": "the old castle|the blacksmith|the hidden treasure|the forest|the king|"
    "the missing sword|"
    "the village|the dragon's cave|the bridge|the merchant",
}
_ZH_WORDS = {
    "item": "外套|鞋子|手机壳|笔记本电脑|毛衣|咖啡机|书|耳机|床垫|自行车|洗衣机|台灯|生日礼物|"
    "键盘|打印机|充电器",
    "time": "三点|五点半|九点|中午|八点|六点四十|晚上七点|上午十点|下午两点|半夜|一点钟",
    "day": "明天|星期一|下周二|这个周末|周五|十二号|六月三号|今天|周六早上|月底|下个星期|周日晚上|"
    "后天",
    "name": "张伟|李娜|王先生|陈女士|刘洋|小明|赵丽|周老师|黄小姐|吴强|林芳|孙建国",
    "place": "上海|机场|火车站|公司|市中心|医院|办公室|深圳|五道口|我妈家|广州|学校|成都|家里|西湖",
    "thing": "我的订单|快递|账户|发票|会员|退款|网络|银行卡|预订|付款|手机|那个软件|密码|暖气|"
    "路由器|座位",
    "trouble": "不能用了|一直没到|老是失败|坏了|扣了两次钱|太慢了|显示不出来|昨天开始就不行了|"
    "尺码不对|丢了|有破损|打不开|总是断线",
    "food": "一个大披萨|两个汉堡|一份沙拉不要洋葱|一杯拿铁|蛋炒饭|一碗牛肉面|三明治|宫保鸡丁|"
    "酸辣汤|一份饺子",
    "topic": "恐龙|黑洞|彩虹是怎么来的|足球|天气|月亮|乘法|龙的故事|火山|古罗马|作业|企鹅",
    "num": "两|三|四|五|六|几|十|一|八",
    "quest": "老城堡|铁匠|宝藏|森林|国王|丢失的宝剑|村子|龙洞|桥|商人",
}

_EN = """
hi / i'd like to ask about / {thing}
hello / i'm calling because / {thing} / {trouble}
hi there / my name is / {name} / and i have a question about / {thing}
i ordered a / {item} / last week / and it still hasn't arrived
i ordered / a {item} / and it / {trouble}
good morning / could you tell me / when / {thing} / will be ready
can you help me with / {thing}
could you check / {thing} / please
i want to / cancel / {thing}
i'd like to return / the {item} / because it / {trouble}
i need to change / {thing} / to / {day}
can i / book a table for / {num} / at / {time}
i'd like to book / an appointment / for / {day} / at / {time} / please
is it possible to / come / {day} / instead
{day} / at / {time} / would be great
{day} / works for me
how about / {day} / around / {time}
at {time} / please
{num} people / please
for {num} / i think
my name is / {name}
it's / {name}
this is / {name} / speaking
{name}
i live in / {place}
i'm going to / {place} / with / {num} / friends
from / {place} / to / {place}
i need a taxi / to / {place} / at / {time}
i'd like / {food} / please
i'll have / {food} / and / {food} / please
can i get / {food} / and maybe / {food}
{food}
that's all / thank you
no / that's all
no thanks
yes please
yes / that's right
yes / that's correct
no / that's not right
no / i don't think so
yeah
yep
yes
no
okay
okay / thank you
sure
sure / go ahead
of course
maybe
i don't know
i'm not sure
i'm not sure / what it's called
i don't have it / with me
i don't remember
neither
both
the first one
the second one / please
the cheaper one
the red one / i think
all of them
none of them
not really
not yet
that would be great
that's fine
that's perfect / thanks
sounds good
thank you / very much
thanks / bye
goodbye
bye bye
have a nice day
never mind
could you repeat that / please
sorry / what did you say
say that again
what do you mean
what does that mean
how much / does it cost
how much is / the {item}
how long / will it take
how long does the delivery / take / to / {place}
when / do you open
what time / do you close / on / {day}
what time do you close
what time do you open / tomorrow
are you open / on sundays
which one / is better
the red one
the big one / please
the one / in the middle
a black one
just one
two more / please
thank you so much
thanks a lot / for your help
that's very kind / of you
can i pay / by card
do you take / cash
is there / parking
is it / free
how far / is it
how do i / get there
who am i / talking to
where is / my order
what's the / status of / my order
i need / some help
i'd like / a refund
i changed / my mind
it's / urgent
it's / a present
i'll / think about it
i'll / wait
let's / do that
let's go / with / the first one
i don't / like that
i have / another question
my phone / is / broken
my screen / is / black
my card / was / stolen
it says / error / on / the screen
there's / something / wrong / with / {thing}
somebody / stole / my bag
i lost / my keys
i forgot / my password
i can't / log in
i can't / find / the {item}
i can't / come / {day}
we are / {num} / adults / and / two children
where / are you located
where can i / find / the {item}
what / should i do / if / {thing} / {trouble}
if / {thing} / {trouble} / can i / get my money back
i was wondering / if you could / help me with / {thing}
i was wondering / whether / the {item} / is still available
do you have / the {item} / in / a different color
do you have any / rooms / for / {day}
can you tell me / about / {topic}
tell me a story / about / {topic}
tell me / something about / {topic}
why / is / the sky / blue
what is / the capital of / france
who / are you
what's / your name
can you / sing a song
let's play / a game
i want to learn / about / {topic}
i don't understand / the question
can you / explain / {topic} / again
what's / seven times / eight
is it / forty two
i think / it's / {num}
i think / the answer is / {num}
where can i find / {quest}
what do you know / about / {quest}
i'm looking for / {quest}
i will go to / {quest} / and / bring you / the sword
how do i get to / {quest}
tell me / how to get to / {quest}
give me / {num} / arrows / and / a shield
i'm here / to kill / the dragon
who / lives in / {quest}
so basically / {thing} / {trouble} / and i / don't know / what to do
well / i tried to / restart it / but it / still / {trouble}
i tried / everything / but / {thing} / {trouble}
the problem is / that / {thing} / {trouble}
the thing is / i already paid / for / {thing}
first / it said / payment failed / and then / it charged me / anyway
i called yesterday / and somebody told me / that / {thing} / would be fixed / {day}
my wife / ordered / a {item} / and she / wants to / return it
i bought it / {num} / weeks ago / at / {place}
i paid / with / my credit card
i think / i'll take / the {item}
i'd rather / have / the other one
actually / can we make it / {time}
actually / i'd like to / change that / to / {day}
no wait / i meant / {day}
can i / speak to / a human
can i talk to / somebody / about / {thing}
please / connect me / to / the billing department
it's / for / my mother
it's about / {thing}
it was / {day} / i think
a week ago
about / {num} / days ago
since / {day}
every time / i open it / it / crashes
every time i try / to log in / it says / wrong password
what happens / if i / cancel / before / {day}
do i have to / pay for / that
how do i / reset / my password
can you / send it / to / my email
can you send me / a link
should i / wait / or / call back later
i'll / call back / later
let me / call you back
turn on / the lights / in / the kitchen
set / a timer / for / {num} / minutes
play / some music
what's / the weather / like / in / {place}
remind me / to / call / {name} / {day}
i feel / a bit sad / today
i had / a fight / with / my best friend / at school
my day / was / pretty good
i went to / {place} / with / my family
my favorite / animal is / the / elephant
i have / {num} / cats / and / a dog
i like / {topic}
i'm {num} / years old
i'd say / about / {num}
around / {time}
it depends / on / the price
that's / too expensive
i don't want / that
i don't need / it / anymore
i want / my money back
it's / not / what i ordered
it / {trouble}
{thing} / {trouble}
the {item} / {trouble}
the {item} / i ordered / {day} / {trouble}
i have / two questions / first / when / {thing} / will be ready
hello / is anybody there
hello
hi
hey
good evening
can you hear me
are you / still there
yes / i'm still here
just / a normal one
either / is fine
whatever / is cheaper
the one / on / {place}
near / {place}
window seat / please
one way
return / please
cash
by card
paypal
tomorrow
{day}
{time}
{place}
{num}
"""
_ZH = """
你好 / 我想问一下 / {thing} / 的事情
喂 / 你好 / 我的{item} / {trouble}
你好 / 我叫 / {name} / 我想咨询一下 / {thing}
我上周 / 买了一个 / {item} / 到现在 / 还没收到
我买的 / {item} / {trouble}
我想 / 取消 / {thing}
我要 / 退货 / 因为 / {item} / {trouble}
我想把 / {thing} / 改到 / {day}
请帮我 / 查一下 / {thing}
麻烦你 / 帮我看一下 / {thing} / 到哪里了
能不能 / 帮我 / 订一张 / {day} / 去 / {place} / 的票
我想订 / {day} / {time} / 的位子
帮我预约 / {day} / {time} / 可以吗
{day} / {time} / 吧
{day} / 可以
{day} / 行不行
{day} / {time} / 左右
{num}个人
我们 / {num}个人
就 / {num}位
我叫 / {name}
我是 / {name}
{name}
我姓 / 张
我住在 / {place}
我要去 / {place}
从 / {place} / 到 / {place}
我要 / {food}
来 / {food} / 再来 / {food}
我想点 / {food} / 还有 / {food}
{food} / 谢谢
{food}
没有了 / 谢谢
就这些
就这样吧
不用了 / 谢谢
不用了
好的 / 谢谢
好的
好
好吧
行
可以
可以的
对
对的
是的
是
嗯
没错
不是
不对
没有
没有啊
还没有
不知道
我不知道
我不太清楚
我不记得了
我忘了
我现在 / 没带在身上
都可以
都行
随便
第一个
第二个吧
要便宜的那个
红色的
两个都要
都不要
谢谢 / 再见
再见
拜拜
没关系
算了
你再说一遍
你说什么
什么意思
什么
多少钱
这个{item} / 多少钱
要多久
要多长时间 / 才能到
你们 / 几点开门
你们{day} / 几点关门
你们店 / 在哪里
怎么走
怎么办
如果 / {thing} / {trouble} / 怎么办
如果 / 我想退款 / 需要 / 什么手续
因为 / {thing} / {trouble} / 所以 / 我想退款
请问一下 / {thing} / 什么时候 / 能好
请问 / 有没有 / {day} / 的房间
你们有没有 / {item}
有没有 / 别的颜色
可以 / 便宜一点吗
能 / 寄到 / {place} / 吗
能不能 / 发到 / 我的邮箱
可以 / 换一个 / {item} / 吗
给我讲讲 / {topic}
给我讲个 / 关于 / {topic} / 的故事
讲个故事吧
讲个笑话
唱首歌吧
我想学 / {topic}
{topic} / 是什么
为什么 / 天 / 是蓝色的
你 / 叫什么名字
你是谁
你今年 / 几岁了
我们 / 玩个游戏吧
我 / 听不懂
这道题 / 我不会
你能 / 再讲一遍 / 吗
七乘八 / 等于 / 多少
是 / 四十二 / 吗
我觉得 / 是 / {num}个
我觉得 / 答案是 / {num}
{quest} / 在哪里
你知道 / {quest} / 吗
我在找 / {quest}
我要去 / {quest} / 把 / 宝剑 / 拿回来
怎么去 / {quest}
告诉我 / 怎么去 / {quest}
给我 / {num}支箭 / 和 / 一面盾
我是来 / 杀龙的
谁 / 住在 / {quest} / 里面
其实 / {thing} / {trouble} / 我 / 不知道 / 该怎么办
我试过 / 重启 / 但是 / 还是 / {trouble}
问题是 / {thing} / {trouble}
我昨天 / 打过电话 / 他们说 / {day} / 会修好
我之前 / 已经付过钱了 / 可是 / {thing} / {trouble}
我老婆 / 买了 / {item} / 她 / 想退
我是在 / {place} / 买的
我用 / 信用卡 / 付的
我想 / 还是 / 要那个 / {item} / 吧
我改主意了 / 我要 / {food}
不对 / 我说的是 / {day}
还是改成 / {day} / 吧
能不能 / 转人工
我要找 / 人工客服
帮我转到 / 财务部门
是给 / 我妈妈 / 买的
是关于 / {thing} / 的
大概 / {num}天前
从{day} / 开始的
上个星期
昨天
每次 / 打开 / 就 / 闪退
每次登录 / 都说 / 密码错误
密码 / 怎么 / 重置
要不要 / 另外收费
我 / 晚点 / 再打过来
等会儿 / 再说吧
打开 / 客厅的灯
定 / 一个 / {num}分钟 / 的闹钟
放 / 一首歌
{place} / 明天 / 天气 / 怎么样
提醒我 / {day} / 给 / {name} / 打电话
我今天 / 有点 / 不开心
我跟 / 我最好的朋友 / 吵架了
我今天 / 过得 / 挺好的
周末 / 我跟家人 / 去了 / {place}
我最喜欢的 / 动物 / 是 / 大象
我家有 / {num}只猫 / 还有 / 一只狗
我喜欢 / {topic}
我今年 / {num}岁
差不多 / {time}
看 / 价格吧
太贵了
我不要 / 这个
我不想要了
我要 / 退钱
跟我 / 订的 / 不一样
{thing} / {trouble}
{item} / {trouble}
喂
喂 / 你好
你好
您好
早上好
听得到吗
你还在吗
我还在
普通的 / 就行
哪个便宜 / 就要 / 哪个
靠窗的 / 座位
单程
往返的
现金
刷卡
微信支付
明天
{day}
{time}
{place}
你们这个 / 会员 / 是怎么收费的
我不太明白 / 你的意思
那 / 我需要 / 准备 / 什么材料
那好吧
那就 / {day} / 吧
那我 / 再想想 / 吧
你好 / 我要 / 投诉
我想 / 投诉 / 你们的 / 快递员
我要 / 报修
我家 / {thing} / {trouble} / 能不能 / 派个人 / 来看看
师傅 / 什么时候 / 能来
{day} / 能来吗
{day} / 上午 / 方便吗
我 / {day} / 不在家 / 能不能 / 换个时间
改到 / {day} / 行不行
这样 / 可不可以
能不能 / 快一点
我 / 有点急
帮我 / 叫一辆车 / 去 / {place}
我在 / {place} / 门口 / 等你
我 / 已经到 / {place} / 了
我 / 没听清楚
你 / 说慢一点
声音 / 太小了 / 听不见
信号 / 不太好
我 / 已经 / 付过钱了
钱 / 已经扣了 / 但是 / {thing} / {trouble}
为什么 / 扣了我 / 两次钱
这个月的 / 账单 / 怎么 / 这么多
我的话费 / 还剩 / 多少
套餐 / 怎么 / 办理
最便宜的 / 是哪个
有 / 优惠吗
会员 / 有什么 / 好处
需要 / 带 / 身份证吗
你们 / 支持 / 货到付款吗
发票 / 能不能 / 开公司的 / 抬头
地址 / 写错了 / 要 / 改一下
收件人 / 改成 / {name}
帮我 / 转给 / {name}
{name} / 在吗
他 / 什么时候 / 回来
麻烦 / 让他 / 给我 / 回个电话
我 / 想听 / 故事
再讲 / 一个
我们来 / 猜谜语 / 吧
你 / 会不会 / 画画
老师 / 今天 / 教我们 / 写字
我 / 作业 / 写完了
妈妈 / 不让我 / 玩手机
我 / 肚子饿了
因为 / 下雨 / 所以 / 我们 / 没出去
我觉得 / 这个 / 挺好的
我觉得 / 不太 / 合适
我 / 不喜欢 / 这个颜色
有 / 大一号的 / 吗
这个 / 能用 / 多久
用了 / 不到 / 一个月 / 就 / {trouble}
重启 / 也 / 没用
你说的 / 那个 / 方法 / 我试过了
登录 / 不上去
验证码 / 一直 / 收不到
从{place} / 坐地铁 / 过去 / 要多久
附近 / 有没有 / 好吃的
有没有 / {num}个人的 / 包间
少放点 / 辣椒
打包 / 带走
我有 / {num}个问题 / 第一个 / 是 / {thing} / 怎么办
就是 / 我上次 / 问的 / 那件事
我 / 打电话 / 是想 / 问一下 / {thing}
我 / 之前 / 跟你们 / 说过了
把 / 宝剑 / 给我
我 / 接受 / 这个任务
卖给我 / {num}瓶 / 药水
你 / 见过 / {quest} / 吗
村长 / 让我 / 来找你
"""


@dataclass(frozen=True, slots=True)
class Own:
    """One utterance."""

    family: str
    """The template; what comes of it stays on one side of any split."""
    parts: tuple[str, ...]
    """What is said between the places where people pause."""
    siblings: int
    """How many utterances came of the template."""


def utterances(language: str, each: int = 12) -> Iterator[Own]:
    """Every template, up to `each` times with other words; the same on every run."""
    templates, words = (_EN, _EN_WORDS) if language == "en" else (_ZH, _ZH_WORDS)
    for template in templates.split("\n"):
        if not template:
            continue
        made = {_filled(template, words, random.Random(f"{template}{n}")) for n in range(each)}
        for text in sorted(made):
            parts = tuple(part.strip() for part in text.split("/"))
            yield Own(template, parts, len(made))


def _filled(template: str, words: dict[str, str], choice: random.Random) -> str:
    for name, listed in words.items():
        while "{" + name + "}" in template:
            template = template.replace("{" + name + "}", choice.choice(listed.split("|")), 1)
    return template
