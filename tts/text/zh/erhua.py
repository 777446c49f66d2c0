"""The suffix 儿, which colours the syllable before it.

In: a word, its flag and the finals of its syllables with their tones.  Out: the finals, where 儿
takes the tone of the syllable before it.  Pure.
"""

from collections.abc import Sequence

_ALWAYS = frozenset("小院儿 胡同儿 范儿 老汉儿 撒欢儿 寻老礼儿 妥妥儿 媳妇儿".split())
# Here it is a syllable of its own: son, child, or part of a name.
_NEVER = frozenset(
    "虐儿 为儿 护儿 瞒儿 救儿 替儿 有儿 一儿 我儿 俺儿 妻儿 拐儿 聋儿 乞儿 患儿 幼儿 孤儿 婴儿 "
    "婴幼儿 连体儿 脑瘫儿 流浪儿 体弱儿 混血儿 蜜雪儿 舫儿 祖儿 美儿 应采儿 可儿 侄儿 孙儿 侄孙儿 "
    "女儿 男儿 红孩儿 花儿 虫儿 马儿 鸟儿 猪儿 猫儿 狗儿 少儿".split()
)
_NEVER_FLAGS = ("a", "j", "nr")


def coloured(word: str, flag: str, finals: Sequence[str]) -> list[str]:
    """The finals of a word with the suffix joined to what it colours."""
    said = list(finals)
    if len(said) != len(word) or not word.endswith("儿"):
        return said
    if said[-1] == "er1":
        said[-1] = "er2"
    own = word in _NEVER or flag in _NEVER_FLAGS
    if own and word not in _ALWAYS:
        return said
    if len(said) > 1 and said[-1] in ("er2", "er5") and word[-2:] not in _NEVER:
        said[-1] = "er" + said[-2][-1]
    return said
