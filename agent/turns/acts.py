"""What a turn of the caller does: ask, request, complain, greet.

In: its text and language.  Out: an `Act`, by which an opener is chosen ("Let me check that for
you." fits no complaint).  Rules on words: a wrong one costs an opener that fits less well.  Pure.
"""

import re
from collections.abc import Mapping
from typing import Literal

Act = Literal["question", "open question", "request", "complaint", "statement", "small"]
"""An "open question" wants thought ("why", "how come"); "small" is what one answers at once: a
greeting, a yes or no, thanks."""

_ENGLISH = {
    "small": r"^(?:(?:hi|hello|hey|yes|yeah|yep|yup|no|nope|okay|ok|sure|thanks?|thank you|bye|"
    r"good ?bye|right|great|perfect|fine|good (?:morning|afternoon|evening)|correct|exactly|"
    r"please|there|very much|so much|i see|got it|that's (?:right|all|it|fine))\W*)+$",
    "complaint": r"\b(?:broken|broke down|damaged|faulty|complain\w*|terrible|awful|horrible|"
    r"disappointed|unacceptable|stolen|passed away|died|accident|overcharged|"
    r"charged (?:me )?twice|still waiting|lost my|wrong (?:item|order|size|colou?r|one|"
    r"address|thing)|(?:do|does|did|is|was|has|have)(?:n't|nt| not) (?:\w+ )?(?:work|"
    r"turn on|arrive|come|show up|working|arrived|come|shown up|received)\w*|"
    r"never (?:arrived|came|got|showed)|stopped working)\b",
    "open question": r"\b(?:why|how come|what do you think|what would you|how (?:do|does|did|"
    r"can|could|should|would)|explain|difference between|recommend|suggest|should i|what if|"
    r"tell me (?:about|a story))\b",
    "request": r"\b(?:please|(?:can|could|would|will) you|i'd like|i would like|i want|i need|"
    r"look (?:it |that )?up|check|book|cancel|change|send|track|status|order number|"
    r"where(?:'s| is) my|when (?:will|does) my|do you have)\b",
    "question": r"\?\s*$|^(?:and |so |well |um |uh )*(?:what|who|whose|when|where|which|how|is|"
    r"are|was|were|do|does|did|can|could|will|would|has|have|should|may)\b",
}
_CHINESE = {
    "small": r"^(?:(?:喂|你好|您好|是的?|对的?|不是|不用了?|不|好的?|行|可以|没有|有|"
    r"谢谢[你您]?|再见|拜拜|嗯|啊|呀|吧|早上好|下午好|晚上好|没事了?|知道了|明白了?|"
    r"没问题)\W*)+$",
    "complaint": r"坏了|坏的|不能用|用不了|打不开|没收到|没有收到|还没[到来收]|没到|投诉|太慢|"
    r"太差|生气|失望|丢了|被偷|去世|过世|[弄发寄搞]错|多扣|扣了两次|破了|裂了|漏水|不满意|"
    r"等了很久|难过",
    "open question": r"为什么|为啥|怎么[会回办做用样弄]|如何|解释|区别|[你您]觉得|推荐|建议|"
    r"该不该|要是.*呢|讲个?故事",
    "request": r"帮[我忙]|请[你您帮]|麻烦|我想|我要|我需要|查一?下|查查|看一?下|能不能|可不可以|"
    r"能.*吗|可以.*吗|预[订约]|取消|订单|什么时候[到送发]",
    "question": r"[吗呢嘛么？?]\W*$|什么|[哪谁几]|多少|是不是|有没有|怎么",
}
_CANTONESE = {
    "small": r"^(?:(?:喂|你好|係|唔係|好|得|冇|有|唔使|唔該|多謝|拜拜|再見|早晨|午安|晚安|嗯|呀|"
    r"啊|啦|晒|知道|明白|冇問題)\W*)+$",
    "complaint": r"壞咗|用唔到|開唔到|未收到|收唔到|仲未[到嚟收]|投訴|嬲|失望|唔見咗|[寄整搞]錯|"
    r"爛咗|過咗身|太慢|好差|等咗好耐|唔滿意",
    "open question": r"點解|點樣|點先|點做|解釋|分別|你覺得|推薦|建議|講個?故仔|講個故事",
    "request": r"幫[我手]|唔該你|麻煩|我想|我要|可唔可以|得唔得|[查睇]一?下|[查睇]吓|取消|訂單|"
    r"預約",
    "question": r"[嗎呢？?]\W*$|咩|乜|邊|幾|係咪|係唔係|有冇|點",
}
_JAPANESE = {
    "small": r"^(?:(?:はい|いいえ|いえ|うん|ええ|もしもし|こんにちは|おはよう(?:ございます)?|"
    r"こんばんは|ありがとう(?:ございます|ございました)?|どうも|大丈夫です|さようなら|"
    r"失礼します|結構です|そうです|わかりました|了解です|お願いします)\W*)+$",
    "complaint": r"壊れ|動かな|動きませ|使えな|使えませ|届かな|届いてな|届いていな|届いていませ|"
    r"届きませ|困って|苦情|ひどい|間違[いっえ]|違う(?:もの|商品)|傷が|盗まれ|亡くな|"
    r"がっかり|遅すぎ",
    "open question": r"なぜ|どうして|なんで|説明|違い|おすすめ|お勧め|どう思|どうすれば|"
    r"どうやって|どうしたら|お話(?:し)?して",
    "request": r"[てで](?:ください|下さい|ほしい|もらえ|いただけ|くれ)|お願い|調べ|確認し|予約|"
    r"キャンセル|たいの?です|たいんです|注文",
    "question": r"[か？?]\W*$|何|なに|いつ|どこ|誰|だれ|いくら|どの|どれ",
}
_KOREAN = {
    "small": r"^(?:(?:네|예|응|아니요|아니오|아뇨|안녕(?:하세요|히 계세요)?|여보세요|감사합니다|"
    r"고마워요|고맙습니다|괜찮아요|괜찮습니다|됐어요|좋아요|맞아요|알겠습니다|알겠어요|"
    r"그래요)\W*)+$",
    "complaint": r"고장|안 ?(?:돼|되|됩|나와|켜|왔|와요|열려)|못 받|아직 안|불만|최악|실망|잘못|"
    r"파손|깨졌|깨져|잃어버|도난|돌아가셨|너무 늦|속상",
    "open question": r"왜|어떻게|설명|차이|추천|어떨까|이야기 ?해",
    "request": r"주세요|주실|줄래|부탁|싶어|싶은|필요해|확인|조회|예약|취소|주문",
    "question": r"\?\s*$|(?:까요?|나요|인가요|는지요)\W*$|무엇|뭐|언제|어디|누구|얼마|몇|어느",
}
_RULES: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    language: {act: re.compile(pattern, re.IGNORECASE) for act, pattern in rules.items()}
    for language, rules in {
        "en": _ENGLISH,
        "zh": _CHINESE,
        "yue": _CANTONESE,
        "ja": _JAPANESE,
        "ko": _KOREAN,
    }.items()
}


def act_of(text: str, language: str) -> Act:
    """What a turn does; a "statement" when no rule knows it.

    The first that fits of: small, complaint, open question, request, question.
    """
    text = text.strip().replace("’", "'")
    rules = _RULES.get(language, {})
    acts: tuple[Act, ...] = ("small", "complaint", "open question", "request", "question")
    return next((act for act in acts if act in rules and rules[act].search(text)), "statement")
