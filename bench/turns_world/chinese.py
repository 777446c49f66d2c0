"""What Chinese callers say: customer service, games, children with a robot, small talk.

In: nothing.  Out: `CHINESE`, a grammar in the notation of `bench.turns_world.grammar`, its words
with spaces between them.  Data and the functions that fill its slots.  Pure.
"""

import random

from bench.turns_world.grammar import Family, Grammar, Prompt
from bench.turns_world.scripts import Half

DIGITS = ("零", "一", "二", "三", "四", "五", "六", "七", "八", "九")


def _digits(rng: random.Random, count: int) -> str:
    """`count` digits; on the telephone one is "yāo"."""
    one = rng.choice(("一", "幺"))
    return " ".join(one if d == 1 else DIGITS[d] for d in (rng.randrange(10) for _ in range(count)))


def _phone(rng: random.Random, half: Half) -> str:
    """A mobile number of eleven digits, in groups."""
    if half == "calibrate":
        start = rng.choice(("一 三 八", "一 三 九", "一 五 零"))
        return f"{start} - {_digits(rng, 4)} - {_digits(rng, 4)}"
    start = rng.choice(("幺 八 六", "幺 七 七", "幺 九 九"))
    return f"{start} {_digits(rng, 2)} - {_digits(rng, 3)} - {_digits(rng, 3)}"


def _code(rng: random.Random, half: Half) -> str:
    letters = " ".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(2))
    if half == "calibrate":
        return f"{letters} - {_digits(rng, 3)} = {_digits(rng, 3)}"
    return f"{_digits(rng, 4)} - {letters} = {_digits(rng, 2)}"


def _spelled(rng: random.Random, half: Half) -> str:
    """A name, then which characters it is written with."""
    name, first, second = rng.choice(
        (("张伟", "弓长 张", "伟大 的 伟"), ("李静", "木子 李", "安静 的 静"))
        if half == "calibrate"
        else (("陈晨", "耳东 陈", "早晨 的 晨"), ("章勇", "立早 章", "勇敢 的 勇"))
    )
    return f"{name} = {first} - {second}"


def _email(rng: random.Random, half: Half) -> str:
    name, domain = rng.choice(_WORDS[half]["pinyin"]), rng.choice(_WORDS[half]["domain"])
    if half == "calibrate":
        return f"{name} - {_digits(rng, 3)} - 艾特 {domain} - 点 com"
    return f"{name} 下划线 {_digits(rng, 2)} - 艾特 {domain} 点 com"


def _address(rng: random.Random, half: Half) -> str:
    district, road = rng.choice(_WORDS[half]["district"]), rng.choice(_WORDS[half]["road"])
    number = rng.choice(_WORDS[half]["number"])
    if half == "calibrate":
        return f"{district} - {road} {number} 号 = {_digits(rng, 3)} 室"
    return f"{road} {number} 号 = {district} - {rng.choice(DIGITS[1:7])} 单元"


_FILLS = {
    "phone": _phone,
    "code": _code,
    "spelled": _spelled,
    "email": _email,
    "address": _address,
}

_WORDS: dict[Half, dict[str, tuple[str, ...]]] = {
    "calibrate": {
        "thing": ("台灯", "电饭锅", "吹风机", "书桌", "地毯", "水壶"),
        "fault": ("坏 了", "有 划痕", "少 一个 零件", "颜色 不对", "一直 响"),
        "ago": ("上 周", "前天", "三月份", "半个月 前"),
        "pinyin": ("zhangwei", "lijing", "wangfang"),
        "domain": ("qq", "163"),
        "district": ("朝阳区", "海淀区", "浦东新区", "天河区"),
        "road": ("建国路", "中山路", "花园街"),
        "number": ("十八", "三十六", "二百零二"),
        "date": ("五月 二号", "这个 周五", "后天", "下个 星期六"),
        "hour": ("七 点", "六 点半", "晚上 八 点"),
        "people": ("两 位", "四 个 人", "六 位"),
        "food": ("花生", "海鲜", "牛奶"),
        "weapon": ("长剑", "盾牌", "弓箭", "头盔"),
        "metal": ("玄铁", "白银", "龙骨"),
        "place": ("北门", "老 矿洞", "河边 营地"),
        "sum": ("十二", "十五", "十八"),
        "toy": ("苹果", "弹珠", "贴纸"),
        "hobby": ("下棋", "做 面包", "看 老 电影"),
    },
    "held_out": {
        "parcel": ("快递", "包裹", "快件", "箱子"),
        "mishap": ("被 雨 淋 湿", "被 人 拆开", "送 到 邻居 家"),
        "since": ("从 周二 开始", "等 了 十 天", "一个 月"),
        "pinyin": ("chenchen", "zhouyang", "liuyue"),
        "domain": ("sina", "foxmail"),
        "district": ("江宁区", "武侯区", "鼓楼区", "南山区"),
        "road": ("解放大道", "人民南路", "桂花巷"),
        "number": ("四十七", "一百零五", "九"),
        "day": ("九号 星期三", "二十三号", "明天 上午", "十二月初"),
        "time": ("十点 一刻", "四点 以后", "一大早"),
        "ache": ("膝盖", "腰", "嗓子", "牙"),
        "doctor": ("刘 大夫", "皮肤科", "值班 医生"),
        "ship": ("货船", "飞船", "巡洋舰"),
        "port": ("木星 港", "外环", "小行星 码头"),
        "cargo": ("药品", "燃料", "种子"),
        "animal": ("章鱼", "大象", "企鹅", "长颈鹿", "蝙蝠"),
        "part": ("翅膀", "长 鼻子", "大 耳朵"),
        "country": ("葡萄牙", "冰岛", "摩洛哥"),
        "sport": ("游泳", "攀岩", "乒乓球"),
        "pet": ("一 只 鹦鹉", "两 只 猫", "一 条 老 狗"),
    },
}

_SHOP = Family(
    "退货",
    "calibrate",
    (
        Prompt(
            "您好，北木家居，请问有什么可以帮您？",
            (
                "S 你好 / 嗯 ~ 我 想 退 一个 | {thing} / {ago} 买 的 / {fault}",
                "S 喂 / 我 {ago} 在 你们 网站 上 | 买 了 个 {thing} / 结果 & 收到 的 时候 |"
                " {fault}",
                "S 是 这样 的 / 那个 ~ {thing} 用 了 两天 | 就 {fault} / 我 自己 修 过 / 但是 &"
                " 没 修 好",
                "Q 请问 | 没有 发票 | 还 能 退 吗",
                "T 我 买 的 那个 {thing} 吧 / 它 现在 有点 | 就是",
                "S 我 想 % 我 要 换 一个 | {thing}",
            ),
            (
                "非常抱歉给您添麻烦了。三十天之内都可以退，退款会在五天左右回到您付款的卡上。",
                "不好意思，这种情况确实不应该发生。我可以给您退款，也可以换一个新的。",
            ),
        ),
        Prompt(
            "麻烦您说一下订单号。",
            (
                "L 好 / {code}",
                "L 嗯 ~ 我 看看 @ {code}",
                "L 等 一下 啊 @ 我 找 一下 @ 是 {code}",
                "L 订单号 是 {code}",
                "S 我 没 记 下来 / 可不可以 | 用 手机号 查",
            ),
            ("谢谢，我查到了，这个订单是我们自己的车送的，现在还在可以退货的时间里面。",),
            uses_tool=True,
        ),
        Prompt(
            "请问您的联系电话是多少？",
            (
                "L {phone}",
                "L 我 的 号码 是 {phone}",
                "L 嗯 ~ {phone}",
                "L {phone} / 这 是 我 老公 的",
            ),
            ("好的，已经记下来了。司机到之前半个小时会给您打电话，请您保持手机畅通。",),
        ),
        Prompt(
            "请问上门取件的地址是哪里？",
            ("L {address}", "L 在 公司 / {address}", "L 地址 是 {address}"),
            ("好的，我们的车每周四和周六去您那边，一般在中午之前到。",),
        ),
        Prompt(
            "您是想退款还是换新的？",
            (
                "Y 退款",
                "Y 退 吧",
                "Y 换 新 的",
                "S 要 看 | 换 新 的 要 多久 / 太 慢 的话 | 就 退款",
            ),
            ("好的，已经帮您登记好了。",),
            uses_tool=True,
        ),
        Prompt(
            "请问还有别的需要吗？",
            ("Y 没有 了", "Y 没有", "Y 不用 了 谢谢", "Q 有 / 那个 水壶 | 有没有 红色 的"),
            ("不客气。",),
        ),
    ),
    "感谢您的来电，祝您生活愉快，再见。",
)

_TABLE = Family(
    "订餐厅",
    "calibrate",
    (
        Prompt(
            "晚上好，翠园餐厅，请问有什么可以为您服务？",
            (
                "S 你好 / 我 想 订 个 位子 / {date} 的",
                "S 嗯 ~ 我 老婆 生日 / {date} 想 过来 | 吃 饭",
                "Q {date} 晚上 | 还 有 位子 吗",
                "C 帮 我 订 | {date} 的 包间",
            ),
            ("好的，我帮您看一下。我们除了周二每天都营业，厨房晚上十点关门，周末请您准时到。",),
            uses_tool=True,
        ),
        Prompt(
            "请问几点过来？",
            ("Y {hour}", "Y 大概 {hour}", "S {hour} 吧 / 要是 & 没有 位子 | 晚 一点 也 行"),
            ("没问题，给您留靠窗的位子，位子只能保留十五分钟。",),
        ),
        Prompt(
            "请问一共几位？",
            ("Y {people}", "Y {people} 吧", "S 嗯 ~ {people} / 不对 % 五 个 人"),
            ("好的，我们有儿童椅，也有儿童菜单，人多的话建议您点套餐。",),
        ),
        Prompt(
            "有没有什么忌口？",
            ("Y 没有", "Y {food}", "S 有 / 我 女儿 不能 吃 | {food} / 然后 & 我 不 吃 {food}"),
            ("好的，我会告诉厨师，服务员也会提醒您哪些菜可以吃。",),
        ),
        Prompt(
            "请问您贵姓？",
            ("L {spelled}", "L 我 叫 {spelled}", "Y 姓 张", "Y 姓 李"),
            ("好的，位子给您订好了，期待您的光临。",),
            uses_tool=True,
        ),
        Prompt(
            "方便留一个邮箱吗？",
            ("L {email}", "L 可以 / {email}", "L 嗯 ~ {email}"),
            ("好的，确认信马上发给您。",),
        ),
    ),
    "谢谢，再见。",
)

_SMITH = Family(
    "铁匠",
    "calibrate",
    (
        Prompt(
            "欢迎来到我的铁匠铺，旅行者，你需要什么？",
            (
                "S 我 需要 一把 新 的 {weapon} / 我 的 | 打 怪 的 时候 断 了",
                "Q 你 能不能 用 {metal} | 给 我 做 一个 {weapon}",
                "C 给 我 看看 | 你 最好 的 {weapon}",
                "S 那个 ~ {place} 有 人 说 | 你 可以 帮 我",
            ),
            ("哈哈，你来对地方了。我打铁打了三十年，从来没有一把剑让人失望过，不过好东西不便宜。",),
        ),
        Prompt(
            "那你拿什么来换？",
            ("Y 金币", "S 我 有 六十 个 金币 / 还有 & 一枚 戒指", "T 我 其实 没有 多少 | 但是"),
            ("嗯，不算多，不过我看你顺眼。再给我带一袋煤回来，我们就成交。",),
        ),
        Prompt(
            "你知道去矿洞的路吗？",
            ("Y 知道", "Y 不 知道", "S 应该 知道 / 过 了 {place} | 然后 & 往 左 拐"),
            ("听好了，沿着河走，看到三块黑石头就往北，路上不要跟那个老太婆说话。",),
        ),
        Prompt(
            "你愿意接受这个任务吗？",
            ("Y 愿意", "Y 好", "Y 行", "S 等 我 | 休息 一下 / 再 说 吧"),
            ("勇敢的人！",),
        ),
    ),
    "愿你的剑永远锋利，再会。",
)

_MATHS = Family(
    "数学机器人",
    "calibrate",
    (
        Prompt(
            "你好呀！我是数学机器人皮皮，准备好和我一起数数了吗？",
            (
                "Y 准备 好 了",
                "Y 好 了",
                "Y 嗯",
                "S 我 只 会 数 到 | {sum}",
                "Q 可以 用 {toy} 玩 吗",
            ),
            ("太棒了！我这里有一个大袋子，袋子里有好多好多的弹珠，我们一起来数一数。",),
        ),
        Prompt(
            "你有七个，我再给你五个，一共有几个？",
            (
                "Y {sum}",
                "Y {sum} 个",
                "S 嗯 ~ 八 九 十 - 十一 - 十二 = 是 {sum}",
                "S 等等 @ 我 要 用 手指 | 数 一下 @ {sum}",
                "T 是 | 嗯 ~ 我 觉得 是",
            ),
            ("你算得真好！我们一起看一看，从七开始，再往前走五步，就到了十二。",),
        ),
        Prompt(
            "你是怎么算出来的呀？",
            (
                "S 我 用 手指 数 的 / 然后 & 还 剩下 | 两个",
                "S 因为 & 五 加 五 | 等于 十 / 再 加 两个",
                "Y 不 知道",
                "S 妈妈 教 我 的 / 她 说 | 先 凑 成 十",
            ),
            ("这个办法真聪明，很多人都是这样算的，大的数字也可以用这个办法。",),
        ),
        Prompt(
            "我们再来一道题好吗？",
            (
                "Y 好",
                "Y 不要",
                "Y 再 来 一个",
                "S 我 想 做 | 难 一点 的",
                "S 我 累 了 / 我 想 | 画 画",
            ),
            ("好的！你今天真棒。",),
        ),
    ),
    "拜拜！下次见。",
    children=True,
)

_HOME = Family(
    "在家闲聊",
    "calibrate",
    (
        Prompt(
            "又见面了！今天过得怎么样？",
            (
                "S 还 可以 / 外面 下雨 / 所以 & 我 一直 | 待 在 家里",
                "Y 挺 好 的",
                "S 一般 吧 / 昨天 没 睡 好 / 然后 & 跟 我 姐 | 吵 了 一架",
                "T 就 那样 吧 / 就是",
            ),
            ("谢谢你告诉我。这样的日子最适合泡一杯热茶，慢慢看一本书，什么都不用着急。",),
        ),
        Prompt(
            "今天晚上打算做什么？",
            (
                "Y {hobby}",
                "Y 不 知道",
                "S 可能 {hobby} / 或者 & 看 | 一会儿 电视",
                "S 朋友 叫 我 出去 / 可是 & 我 想 | 在家 休息",
            ),
            ("听起来不错，有点期待总是好事。要不要我提前一个小时提醒你？",),
        ),
    ),
    "跟你聊天很开心，再见。",
)

_PARCEL = Family(
    "查快递",
    "held_out",
    (
        Prompt(
            "飞燕速递客服，请讲。",
            (
                "S 呃 ~ 我 有 个 {parcel} 一直 没到 / {since} 就 没 动静",
                "S 软件 上 显示 | {parcel} 已经 签收 / 可是 & 根本 没人 | 敲门",
                "S {parcel} {mishap} / 我 拍 了 照片 / 这个 ~ 你们 得 | 赔 给 我",
                "Q 我 的 {parcel} | 到底 在 哪儿",
                "T 门口 贴 了 张 纸条 / 说 什么 | 关于",
            ),
            ("您别着急，我来查一下。有时候是车坏了，有时候是面单湿了，分拣的机器就会先放到一边。",),
        ),
        Prompt(
            "运单上的编号是什么？",
            ("L {code}", "L 稍等 @ {code}", "L 呃 ~ 开头 是 {code}", "L {code} / 听清 了 吧"),
            ("有了，屏幕上显示今天早上出的仓，后来因为找不到大门又退回去了。",),
            uses_tool=True,
        ),
        Prompt(
            "寄到什么地方的？",
            ("L {address}", "L 呃 ~ {address}", "L 给 我 妈 的 / {address}"),
            ("跟面单一致，我让快递员走侧门，再备注一下不要放在外面。",),
        ),
        Prompt(
            "什么时候家里有人？",
            (
                "Y {time}",
                "Y {day}",
                "S {day} 吧 / 要么 & 放 到 | 物业 那里",
                "S 我 上 夜班 / 上午 不行 / {time} | 没 问题",
            ),
            ("行，给您约好了，到时候会收到一个链接，可以在地图上看到车。",),
            uses_tool=True,
        ),
        Prompt(
            "留个号码给快递员吧？",
            ("L {phone}", "L 行 / {phone}", "L 我 手机 坏 了 / 打 我 爱人 的 / {phone}"),
            ("记好了，找不到您才会打。",),
        ),
        Prompt("还有其他问题吗？", ("Y 就 这些", "Y 没 事 了", "Q 那 有没有 | 补偿"), ("好嘞。",)),
    ),
    "感谢来电，回见。",
)

_CLINIC = Family(
    "挂号",
    "held_out",
    (
        Prompt(
            "江滨医院前台，您哪里不舒服？",
            (
                "S 我 {ache} 疼 / {since} 的 / 想 挂 | {doctor}",
                "S 姑娘 啊 / 昨天 孙子 送 我 回来 / 打 那 以后 | {ache} 就 难受",
                "Q {day} | {doctor} 还 有 号 没",
                "S 我 约 的 是 {day} / 呃 ~ 想 改 | 另外 一天 / 因为 & 火车 晚点",
                "T 说 出来 不好意思 / 我 这个 | 呃",
            ),
            ("您受累了。每天早上都有值班医生，急的话八点可以直接来，不急就排到下个星期。",),
            uses_tool=True,
        ),
        Prompt(
            "是怎么个疼法？",
            (
                "S 像 针 扎 一样 / 弯腰 的 时候 | 更 厉害",
                "S 一阵 一阵 的 / 夜里 严重 / 不过 & 这两天 | 好些",
                "Y 酸 疼",
                "Y 特别 疼",
            ),
            ("我写下来给大夫看。要是来之前更严重，请直接打急救电话，千万别拖着。",),
        ),
        Prompt(
            "您的姓名怎么写？",
            ("L {spelled}", "L 呃 ~ {spelled}", "L 我 是 {spelled} / 老 有人 写错"),
            ("找到您的档案了，上回是秋天来的，还备注了换眼镜。",),
            uses_tool=True,
        ),
        Prompt(
            "那给您约上午可以吗？",
            (
                "Y 可以",
                "Y 行",
                "Y 不行",
                "S 我 翻翻 日历 @ 我 要 | {time}",
                "S 恐怕 不行 / 闺女 | 有 演出",
            ),
            ("好，请带上医保卡和正在吃的药，提前十分钟过来填表。",),
        ),
        Prompt(
            "预约单发到邮箱行吗？",
            ("L 发 到 {email}", "L 行 / {email}", "Y 不用 发"),
            ("一会儿就能收到。",),
        ),
    ),
    "祝您早日康复。",
)

_DOCK = Family(
    "太空码头",
    "held_out",
    (
        Prompt(
            "这里是码头控制台，船长，请报告来意。",
            (
                "S 请求 降落 / 一艘 {ship} / 船上 装 着 | {cargo}",
                "S 听 着 / 引擎 在 {port} 附近 | 爆炸 / 而且 & 正在 | 漏气",
                "Q 有 空 的 泊位 吗",
                "C 快 | 开 舱门",
                "T 我们 运 的 是 {cargo} 还有 | 一些",
            ),
            ("收到。舰队刚进港，今天特别拥挤，请减速并打开全部灯光，跟着绿色光束走。",),
        ),
        Prompt(
            "报一下你的注册编号。",
            ("L {code}", "L 编号 {code}", "L 别 挂 @ 领航员 在 查 @ {code}"),
            ("核对无误。记录上说你们上个季度欠了一笔停泊费，带个乘客就可以免掉。",),
            uses_tool=True,
        ),
        Prompt(
            "船上有危险品吗？",
            (
                "Y 绝对 没有",
                "Y 只有 {cargo}",
                "S 看 谁 问 / 后舱 有 点 | {cargo} / 外加 & 一只 会 咬人 的 猫",
            ),
            ("真幽默。写成书面的，按上手印，医务官检查之前不要靠近隔离甲板。",),
        ),
        Prompt(
            "需要顺便维修吗？",
            ("Y 需要", "Y 免 了", "S 左边 推进器 / 一 转弯 | 就 抖"),
            ("我派最好的机械师。",),
        ),
    ),
    "祝航行顺利，完毕。",
)

_ANIMALS = Family(
    "动物机器人",
    "held_out",
    (
        Prompt(
            "嘀嘀！我是动物专家摩摩，想聊哪一种动物？",
            (
                "Y {animal}",
                "S 我 喜欢 | {animal} / 它 长 着 | {part}",
                "S 呃 ~ 最 喜欢 {animal} / 不是 % 是 {animal}",
                "Q {animal} 都 吃 | 什么 呀",
            ),
            ("哇，选得真妙！它住在很远很远的地方，会一种别人都不会的本领，白天倒挂着睡觉。",),
        ),
        Prompt(
            "它长什么样子？",
            (
                "S 大大 的 / 灰色 / 有 {part} / 还 有 | 牙齿",
                "S 长 着 {part} / 跟 | 毛",
                "Y 忘 了",
                "T 它 那个 | 特别",
            ),
            ("观察得真仔细！天热的时候血流到那里，风一吹就凉快了。",),
        ),
        Prompt(
            "猜猜它在哪里睡觉？",
            ("Y 树上", "Y 水底", "S 山洞 里面 / 跟 宝宝 一块儿 / 不然 & 宝宝 | 害怕"),
            ("好主意！有的会用叶子搭个小窝，转三圈才躺下。",),
        ),
        Prompt(
            "你家养宠物吗？",
            (
                "Y 养",
                "Y 没 养",
                "S 养 了 {pet} / 叫 | 饼干 / 可 调皮 了",
                "S 爸爸 不让 养 / 嫌 它 | 臭",
            ),
            ("真可爱。",),
        ),
    ),
    "嘀！我要充电啦。",
    children=True,
)

_TRAVEL = Family(
    "旅行闲聊",
    "held_out",
    (
        Prompt(
            "嗨，好久没听到你的声音，最近忙什么呢？",
            (
                "S 刚 从 {country} 回来 / 说 实话 | 吃 的 太 香 了",
                "S 净 加班 / 周日 试 了 下 {sport} / 再也 | 不去 了",
                "Y 瞎 忙",
                "Y 老 样子",
                "S 学 开车 呢 / 教练 | 成天 吼 我 / 好在 & 有 进步",
            ),
            ("厉害！据说最难忘的时刻，往往是迷路以后有陌生人给你指路。",),
        ),
        Prompt(
            "明年夏天最想去哪儿？",
            (
                "Y {country}",
                "Y 肯定 {country}",
                "S 凉快 点 的 地方 / {country} 兴许 | 行 / 我 讨厌 沙滩",
            ),
            ("眼光不错，春天机票便宜，博物馆人也少，运气好还能看到极光。",),
        ),
        Prompt(
            "还坚持锻炼吗？",
            ("Y {sport}", "Y 很少", "S 念书 那会儿 练 {sport} / 后来 崴 了 | 脚 / 就 算 了"),
            ("一点一点来，每天十分钟比周末两小时强。",),
        ),
    ),
    "回头聊！",
)

CHINESE = Grammar(
    language="zh",
    families=(
        _SHOP,
        _TABLE,
        _SMITH,
        _MATHS,
        _HOME,
        _PARCEL,
        _CLINIC,
        _DOCK,
        _ANIMALS,
        _TRAVEL,
    ),
    words=_WORDS,
    fills=_FILLS,
    tails={
        "calibrate": (
            "可以 吗",
            "所以 & 我 才 | 打 电话 过来",
            "我 之前 跟 你们 同事 | 说 过 了",
            "那 接下来 | 怎么 弄",
            "不好意思 / 我 在 开车 / 有点 吵",
            "是 给 我 妈 | 用 的 / 她 不太 会 弄",
            "麻烦 你 | 快 一点",
            "就是 ~ 也 不 急",
            "因为 & 我 {date} | 就要 用",
        ),
        "held_out": (
            "能 听懂 吧",
            "{day} 起 | 我 就 出差 了",
            "真 是 | 挺 烦人 的",
            "反正 & 大概 | 就 这么 个 事儿",
            "也 可能 | 是 我 记错 了",
            "你 看 | 能 办 不",
            "平常 都 是 我 爱人 | 管 这些",
            "不然 & 我 还 得 | 再 打 一次",
            "这个 ~ 差不多 | 就 这样",
        ),
    },
    interruptions={
        "calibrate": (
            "等 一下",
            "不 是",
            "停",
            "等等 等等",
            "不好意思 / 我 想 | 问 一下",
            "不对 不对 / 我 不是 这个 | 意思",
            "那 要 | 多少 钱",
            "我 只 要 第一个 / 不要 两个 / 而且 & 五月 之前 | 要 到",
            "你 刚才 说 的 是 | 周五 吗",
            "麻烦 你 | 再 说 一遍",
        ),
        "held_out": (
            "等 一下",
            "别 说 了",
            "慢着",
            "打住",
            "我 打断 一下 / 这个 我 试 过 | 两回 了",
            "你 弄 错 了 / 是 {day}",
            "得 花 | 多长 时间",
            "算 了 / 取消 吧",
            "什么 意思",
            "慢点 讲 / 我 记 | 不过来",
            "知道 知道 / 直接 讲 | 结果",
        ),
    },
    interruption_acks={
        "calibrate": ("好的，您请说。", "抱歉，我马上帮您改过来。"),
        "held_out": ("嗯，请讲。", "是我弄错了，已经更正，其余的不变。"),
    },
    side_talk={
        "calibrate": ("去 开 一下 门", "别 闹 / 我 在 打 电话", "把 那个 | 放下"),
        "held_out": ("鞋 脱 在 外面", "谁 把 窗户 打开 的", "汤 在 锅里 | 热 着"),
    },
    television={
        "calibrate": (
            "下面 请 看 天气 预报 明天 东部 晴 到 多云 沿海 地区 有 小雨 气温 略 有 下降",
        ),
        "held_out": (
            "加 一勺 黄油 然后 转 小火 慢慢 收汁 直到 汤汁 变 稠 再 翻炒 几下 就 可以 出锅",
        ),
    },
    backchannels=("嗯", "嗯嗯", "对", "好的", "哦", "是", "对对", "好"),
    fillers=("嗯", "呃", "那个", "就是", "这个"),
    repeatable=frozenset("我 你 他 它 是 在 就 要 想 这 有 不".split()),
)
