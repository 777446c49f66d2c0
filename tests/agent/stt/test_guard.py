from dataclasses import replace

import pytest

from agent.stt import guard
from agent.stt.decoder import Decoded, Segment
from agent.stt.guard import Voiced

VOICED = Voiced(first_s=0.2, last_s=2.2, total_s=1.8)


def segment(text: str, start_s: float = 0.0) -> Segment:
    """A segment with one token a word."""
    return Segment(start_s, f" {text}", tuple(hash(word) for word in text.split()))


def heard(*segments: Segment) -> Decoded:
    return Decoded(segments, mean_logprob=-0.3, no_speech=0.05, cut_short=False)


def test_a_plain_sentence_is_believed() -> None:
    believed = guard.judge(heard(segment("Why is the sky blue?")), VOICED)
    assert (believed.text, believed.doubt) == ("Why is the sky blue?", None)


def test_two_sentences_keep_their_space_and_chinese_gets_none() -> None:
    both = heard(segment("Yes.", 0.0), segment("Go on.", 1.0))
    assert guard.judge(both, VOICED).text == "Yes. Go on."
    chinese = heard(Segment(0.0, "你好。", (1, 2)), Segment(1.0, "请问", (3, 4)))
    assert guard.judge(chinese, VOICED).text == "你好。请问"


def test_what_starts_after_the_voice_ended_is_cut_off_and_the_rest_believed() -> None:
    """Short windows made the model say a sentence again in the silence after it."""
    again = heard(segment("Why is the sky blue?", 0.0), segment("Why is the sky", 2.3))
    believed = guard.judge(replace(again, cut_short=True), VOICED)
    assert (believed.text, believed.doubt) == ("Why is the sky blue?", None)


@pytest.mark.parametrize(
    ("decoded", "why"),
    [
        (heard(), "nothing"),
        (heard(segment("in the silence", 2.5)), "nothing"),
        (replace(heard(segment("on and on it goes")), cut_short=True), "endless"),
        (heard(segment("so we went so we went home")), "loop"),
        (heard(segment("no no no no")), "loop"),
        (heard(segment(" ".join(str(n * 7919 % 10007) for n in range(60)))), "too_fast"),
        (replace(heard(segment("folding")), mean_logprob=-1.2), "unsure"),
    ],
)
def test_doubtful_passes_say_why(decoded: Decoded, why: str) -> None:
    assert guard.judge(decoded, VOICED).doubt == why


def test_text_that_compresses_too_well_is_a_loop_even_without_equal_tokens() -> None:
    text = "abcabcabcabc" * 8
    assert guard.judge(heard(segment(text)), VOICED).doubt == "loop"


@pytest.mark.parametrize("text", ["no no no", "five five", "I see, I see", "ten of clubs"])
def test_people_may_repeat_themselves_a_little(text: str) -> None:
    assert guard.judge(heard(segment(text)), VOICED).doubt is None


def test_a_full_pass_that_is_unsure_and_hears_no_speech_said_nothing() -> None:
    unsure = replace(heard(segment("Thank you.")), mean_logprob=-1.1, no_speech=0.8)
    assert guard.nothing_said(unsure)
    assert not guard.nothing_said(replace(unsure, no_speech=0.2))
    assert not guard.nothing_said(replace(unsure, mean_logprob=-0.4))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I don't know, I don't know", "I don't know, I don't know"),
        ("well " + "thank you so much " * 3, "well thank you so much"),
        ("you " * 6, "you"),
        ("you you you", "you you you"),
        ("", ""),
    ],
)
def test_only_long_loops_are_taken_out_of_a_full_pass(text: str, kept: str) -> None:
    assert guard.unlooped(text).strip() == kept


def test_the_token_limit_grows_with_the_audio() -> None:
    assert guard.most_tokens(0.0) == 12
    assert guard.most_tokens(2.0) == 36
