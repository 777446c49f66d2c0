from typing import Any

import pytest

from tts.text.ja_accent import accented, unread


def word(string: str, pos: str, accent: int, moras: int, **fields: str) -> dict[str, Any]:
    kinds = {f"pos_group{n}": "*" for n in (1, 2, 3)} | {"cform": "*", "pron": ""}
    size = {"acc": accent, "mora_size": moras, "chain_rule": "*", "chain_flag": -1}
    return {"string": string, "pos": pos} | kinds | size | fields


def said(words: list[dict[str, Any]], morphemes: list[str] | None = None) -> list[tuple[int, int]]:
    return [(one["chain_flag"], one["acc"]) for one in accented(words, morphemes or [])]


def test_a_particle_joins_and_moves_the_accent_of_a_flat_verb() -> None:
    particle = word("の", "助詞", 0, 1, chain_rule="動詞%F2@0/形容詞%F1")
    assert said([word("行く", "動詞", 0, 2), particle]) == [(-1, 2), (1, 0)]
    assert said([word("見る", "動詞", 1, 2), particle]) == [(-1, 1), (1, 0)]


@pytest.mark.parametrize(
    ("rule", "accent"), [("C1", 5), ("C2", 4), ("C3", 3), ("C4", 0), ("P2", 5), ("*", 1)]
)
def test_a_noun_after_a_noun_gives_the_accent_by_its_rule(rule: str, accent: int) -> None:
    words = [word("電話", "名詞", 1, 3), word("番号", "名詞", 2, 4, chain_rule=rule)]
    assert said(words)[0] == (-1, accent)


def test_adverbs_and_verbs_after_particles_begin_a_phrase() -> None:
    words = [
        word("住ん", "動詞", 1, 2, cform="連用タ接続"),
        word("で", "助詞", 1, 1, pos_group1="接続助詞"),
        word("い", "動詞", 0, 1, pos_group1="非自立"),
        word("とても", "副詞", 0, 3),
    ]
    assert [flag for flag, _ in said(words)] == [-1, 1, 0, 0]


def test_a_numeral_is_hidden_from_the_front_end_and_known_again() -> None:
    numeral = "五,名詞,数,*,*,*,*,五,ゴ,ゴ,1/1,C3"
    assert unread(numeral) == "五,名詞,unread,*,*,*,*,五,ゴ,ゴ,1/1,C3"
    assert (
        unread("数,名詞,一般,*,*,*,*,数,カズ,カズ,1/2,*")
        == "数,名詞,一般,*,*,*,*,数,カズ,カズ,1/2,*"
    )
    hidden = word("五", "名詞", 0, 1, pos_group1="unread", pron="ゴ")
    assert accented([hidden], [numeral])[0]["pos_group1"] == "数"


def test_the_parts_of_an_entry_of_several_words_stand_apart() -> None:
    entry = "生麦生米,感動詞,*,*,*,*,*,生麦:生米,ナマムギ:ナマゴメ,ナマムギ:ナマゴメ,2/4:3/4,*"
    words = [word("生麦", "感動詞", 0, 4), word("生米", "感動詞", 0, 4)]
    assert said(words, [entry]) == [(-1, 2), (0, 3)]
