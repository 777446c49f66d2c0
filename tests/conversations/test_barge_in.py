"""Sounds over the agent's voice: it lowers it, holds it, speaks on or yields, and loses no word."""

from dataclasses import replace

import numpy as np
import pytest

from agent.persona import TurnTemperament
from tests.conversations.harness import FULL_LEVEL_SAMPLES, PERSONA, Call
from tests.fakes.llm import FakeLlm, Say
from tests.fakes.tts import FIRST_VALUE, VALUE_STEP, FakeTts
from tts.types import Mark, SpeechChunk

COUNT = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."
WORDS = COUNT.rstrip(".").split()
LOWERED = 10 ** (-12 / 20)


def counting(**options: object) -> Call:
    """A caller who asks at 1 s and is answered with a long count; the key is asked for at 3 s."""
    call = Call(llm=FakeLlm([Say(COUNT), Say("New answer.")]), **options)  # type: ignore[arg-type]
    call.says("please count to fourteen.", at=0.5)
    return call


def heard_of_the_count(call: Call) -> list[str]:
    """The words of the count that sounded, lowered or not, in order, with what was said twice."""
    words: list[str] = []
    for _, frame in call.line.heard:
        for value, count in zip(*np.unique(frame, return_counts=True), strict=True):
            lowered_from = FIRST_VALUE + VALUE_STEP * round(
                (value / LOWERED - FIRST_VALUE) / VALUE_STEP
            )
            word = call.tts.word_of(int(value)) or call.tts.word_of(lowered_from)
            # A ramp passes through other words' values, but for a few samples only.
            if count >= FULL_LEVEL_SAMPLES and word in WORDS and word != (words or [""])[-1]:
                words.append(word)
    return words


def named(call: Call, *names: str) -> list[str]:
    return [name for _, name, _ in call.log.events if name in names]


def loudest(call: Call, from_s: float, to_s: float) -> int:
    return max(int(frame.max()) for at, frame in call.line.heard if from_s <= at < to_s)


def test_the_voice_is_lower_at_the_callers_edge_within_a_tenth_of_a_second() -> None:
    call = counting()
    call.says("stop it now", at=4.0)
    call.run(until=9)
    assert loudest(call, 3.8, 4.0) >= 2000
    assert loudest(call, 4.1, 4.16) < 600


def test_a_real_interruption_finds_silence_within_a_quarter_of_a_second() -> None:
    call = counting()
    end_s = call.says("I would rather hear something else", at=4.0)
    call.run(until=9)
    assert call.sound_between(4.25, end_s) == 0
    assert call.words().endswith("New answer")
    assert named(call, "duck", "hold", "interrupt") == ["duck", "hold", "interrupt"]


def test_after_mm_hm_the_agent_speaks_on_and_every_word_was_said_once() -> None:
    call = counting()
    call.says("okay", at=4.0, word_s=0.4)
    call.run(until=12)
    assert named(call, "duck", "hold", "restore", "interrupt") == ["duck", "hold", "restore"]
    assert heard_of_the_count(call) == WORDS
    assert call.context()[-1] == ("assistant", COUNT)
    assert len(call.llm.asked) == 1


def test_while_it_is_held_the_agent_is_silent_and_its_clock_stands_still() -> None:
    plain, held = counting().run(until=12), counting()
    held.says("okay", at=4.0, word_s=0.4)
    held.run(until=12)
    [(hold_s, _)] = held.log.named("hold")
    [(restore_s, _)] = held.log.named("restore")
    ends = [call.log.named("reply_ended")[0][0] for call in (plain, held)]
    assert held.sound_between(hold_s + 0.06, restore_s) == 0
    # The break comes up to 50 ms after the hold.
    assert restore_s - hold_s - 0.08 <= ends[1] - ends[0] <= restore_s - hold_s


def test_a_longer_cough_holds_the_agent_for_a_moment_and_loses_nothing() -> None:
    call = counting()
    call.coughs(at=4.0, duration_s=0.1)
    call.run(until=12)
    assert named(call, "duck", "hold", "restore", "interrupt") == ["duck", "hold", "restore"]
    assert heard_of_the_count(call) == WORDS
    assert loudest(call, 4.4, 4.6) >= 2000


def test_a_cough_only_lowers_the_voice() -> None:
    call = counting()
    call.coughs(at=4.0, duration_s=0.06)
    call.run(until=12)
    assert named(call, "duck", "hold", "restore", "interrupt") == ["duck", "restore"]
    assert heard_of_the_count(call) == WORDS
    assert loudest(call, 4.4, 4.6) >= 2000


def test_stop_stops_the_agent_at_once_though_it_is_short() -> None:
    call = counting()
    call.says("stop", at=4.0, word_s=0.3)
    call.run(until=9)
    assert call.log.named("interrupt")[0][1]["reason"] == "objects"
    assert call.sound_between(4.25, 4.6) == 0


def test_what_was_heard_before_a_hold_and_an_interruption_is_exact() -> None:
    call = counting()
    call.says("I would rather hear something else", at=4.0)
    call.run(until=9)
    remembered = call.context()[1][1].rstrip("—").split()
    sounded = heard_of_the_count(call)
    assert remembered == sounded[: len(remembered)]
    assert len(sounded) - len(remembered) <= 1


def test_side_talk_and_television_do_not_stop_the_agent() -> None:
    call = counting()
    call.overhears(at=3.0, duration_s=6.0)
    call.run(until=12)
    assert named(call, "duck", "hold", "restore", "interrupt") == ["duck", "restore"]
    assert heard_of_the_count(call) == WORDS
    assert loudest(call, 4.0, 4.2) >= 2000


def test_the_caller_is_heard_over_the_television() -> None:
    call = counting()
    call.overhears(at=3.0, duration_s=1.5)
    call.says("I would rather hear something else", at=4.5)
    call.run(until=10)
    assert named(call, "interrupt") == ["interrupt"]
    assert call.sound_between(4.8, 5.9) == 0


class LivelyTts(FakeTts):
    """A voice as loud and as quiet as voices are; its words cannot be told from its samples."""

    def _word(self, text: str, span: tuple[int, int], index: int) -> SpeechChunk:
        chunk = super()._word(text, span, index)
        count = len(chunk.pcm) // 2
        rng = np.random.default_rng(len(self.words))
        at = np.arange(count) / count
        loudness = rng.uniform(1_500, 6_000) * np.sin(np.pi * at) ** 1.5 + 100
        return replace(chunk, pcm=(loudness * np.sign(np.sin(at * 400))).astype("<i2").tobytes())


@pytest.mark.parametrize("delay_s", [0.06, 0.14, 0.24])
def test_the_echo_of_its_greeting_stops_no_agent(delay_s: float) -> None:
    persona = PERSONA.model_copy(update={"greeting": COUNT})
    call = Call(persona=persona, tts=LivelyTts())
    call.line.echo_delay_s = delay_s
    call.run(until=9)
    assert named(call, "hold", "interrupt") == []
    assert call.context()[-1] == ("assistant", COUNT)
    assert call.llm.asked == []


def test_the_caller_is_heard_over_the_echo() -> None:
    persona = PERSONA.model_copy(update={"greeting": COUNT})
    call = Call(persona=persona, tts=LivelyTts(), llm=FakeLlm([Say("Sure.")]))
    call.line.echo_delay_s = 0.1
    call.says("I would rather hear something else", at=4.0)
    call.run(until=9)
    assert named(call, "interrupt") == ["interrupt"]
    assert call.log.named("interrupt")[0][0] < 5.2
    assert call.context()[-2] == ("user", "I would rather hear something else")


def test_with_push_to_talk_only_the_key_interrupts() -> None:
    persona = PERSONA.model_copy(update={"turns": TurnTemperament(interruption="push-to-talk")})
    call = counting(persona=persona)
    call.says("you may go on", at=3.0)
    call.holds_talk_key(4.5, until=5.6)
    call.says("something else please", at=4.6)
    call.run(until=10)
    assert named(call, "duck", "hold", "interrupt") == ["interrupt"]
    assert call.sound_between(4.6, 5.6) == 0
    assert call.context()[-2:] == [("user", "something else please"), ("assistant", "New answer.")]


def test_letting_the_talk_key_go_ends_the_turn_at_once() -> None:
    persona = PERSONA.model_copy(update={"turns": TurnTemperament(interruption="push-to-talk")})
    call = counting(persona=persona)
    call.holds_talk_key(4.0, until=5.0)
    call.says("what is um", at=4.1)
    call.run(until=9)
    [_, (ended_s, _)] = call.log.named("end_turn")
    assert ended_s <= 5.0 + 0.16


def test_a_caller_who_talks_for_seconds_over_a_persona_that_nobody_interrupts_is_not_answered() -> (
    None
):
    persona = PERSONA.model_copy(update={"turns": TurnTemperament(interruption="never")})
    call = counting(persona=persona)
    call.says("well I would like to say something about this now okay", at=3.0)
    call.run(until=12)
    assert named(call, "duck", "hold", "restore", "interrupt") == []
    assert call.words().split() == WORDS
    assert len(call.llm.asked) == 1


class PhonedTts(FakeTts):
    """A voice that tells where its phones end: ten in each word."""

    def _word(self, text: str, span: tuple[int, int], index: int) -> SpeechChunk:
        chunk = super()._word(text, span, index)
        [word] = chunk.marks
        phone_s = self.word_s / 10
        phones = [
            Mark(*span, word.start_s + k * phone_s, word.start_s + (k + 1) * phone_s, kind="phone")
            for k in range(10)
        ]
        return replace(chunk, marks=(word, *phones))


def test_a_voice_with_phones_breaks_off_between_two_of_them() -> None:
    call = counting(tts=PhonedTts())
    call.says("I would rather hear something else", at=4.0)
    call.run(until=9)
    assert call.tts.requests[0].marks == ("phone",)
    # Half of the fade before the break does not count as heard.
    broke_off_s = call.log.named("reply_ended")[0][1]["heard_s"] + 0.01
    assert broke_off_s / 0.03 == pytest.approx(round(broke_off_s / 0.03), abs=0.03)
