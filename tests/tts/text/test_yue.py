from tts.text import yue


def test_syllables_are_two_phones_and_marks_are_one() -> None:
    phones, counts = yue.phones(yue.normalise("你好，呢度。"))
    assert phones == "Yn Yei5 Yh You2 , Yn Yei1 Yd You6 .".split()
    assert counts == [2, 2, 1, 2, 2, 1]


def test_syllables_without_a_consonant_are_cut_after_their_vowel() -> None:
    assert yue.phones("牙鴨唔")[0] == "Yng Yaa4 Yaa Yp3 Ym Ym4".split()


def test_quotation_marks_are_no_phones_and_several_marks_stay() -> None:
    assert yue.normalise("「好」！？") == "好!?"


def test_of_a_character_of_two_syllables_only_the_beginning_is_known() -> None:
    assert yue.phones("卅日") == ("Ys UNK Yj Yat6".split(), [2, 2])
