"""After a false alarm the agent goes on where a person would: at the phrase that broke off."""

import pytest

from agent.resumption import CutOff, as_asked, go_on_in_other_words


@pytest.mark.parametrize(
    ("heard", "unheard", "says"),
    [
        # From the start of the sentence or clause that broke off.
        ("We open at nine. The doctor comes", " at ten.", "The doctor comes at ten."),
        ("If you like, I can send", " it today.", "I can send it today."),
        ("One moment — the last train", " leaves now.", "the last train leaves now."),
        ("", "We open at nine.", "We open at nine."),
        # A phrase that was heard whole is not said again.
        ("We open at nine.", " The doctor comes at ten.", "The doctor comes at ten."),
        ('She said "come in."', " Then he left.", "Then he left."),
        # Nor one of which much was heard.
        (
            "It is the largest of all the rivers that flow",
            " through this country.",
            "through this country.",
        ),
        # What looks like a phrase's end inside a word is none.
        ("It costs 1,000 euros and 50.5", " cents.", "It costs 1,000 euros and 50.5 cents."),
        # Scripts without spaces.
        ("我们九点开门。医生十点", "到。", "医生十点到。"),
        ("如果您愿意，", "我今天寄给您。", "我今天寄给您。"),
        (
            "这是我们国家里面所有的河流当中最长也是最宽的",
            "一条河。",
            "一条河。",
        ),
        # Nothing was left to say.
        ("We open at nine.", "", ""),
        ("We open at nine.", " ", ""),
    ],
)
def test_it_says_on_from_the_last_phrase_that_had_begun(
    heard: str, unheard: str, says: str
) -> None:
    assert CutOff(heard + unheard, len(heard)).from_phrase() == says


def test_no_more_than_a_phrase_is_said_twice() -> None:
    text = "One two three, four five six seven eight nine ten eleven twelve thirteen. Fourteen."
    for heard_chars in range(len(text) + 1):
        cut_off = CutOff(text, heard_chars)
        again = len(cut_off.from_phrase().split()) - len(cut_off.unheard.split())
        assert 0 <= again <= 8
        assert cut_off.from_phrase().endswith(cut_off.unheard)


def test_the_model_that_is_to_rephrase_knows_what_was_heard_and_what_was_not() -> None:
    heard = [{"role": "user", "content": "when"}, {"role": "assistant", "content": "At ten—"}]
    messages = go_on_in_other_words(list(heard), "in the morning.")
    assert messages[:2] == heard
    assert messages[2]["role"] == "user" and '"in the morning."' in messages[2]["content"]


def test_the_model_that_had_written_no_more_is_asked_to_go_on() -> None:
    heard = [{"role": "user", "content": "when"}, {"role": "assistant", "content": "At ten—"}]
    request = go_on_in_other_words(list(heard), "")[-1]["content"]
    assert "Go on from there." in request and '""' not in request


def test_what_is_asked_anew_is_asked_without_what_was_said_since() -> None:
    asked = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "when"}]
    tool = [
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "1", "content": "at ten"},
    ]
    opener = {"role": "assistant", "content": "Let me see—"}
    assert as_asked([*asked, opener]) == asked
    assert as_asked([*asked, *tool, opener]) == [*asked, *tool]
    assert as_asked(asked) == asked
