import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.pacing import FRAME_SAMPLES, RATE_HZ, Ended, Playback, Started


def ramp(start: int, count: int) -> np.ndarray:
    """Samples that can be told apart: each is its own number (never 0)."""
    return (np.arange(start, start + count) % 30_000 + 1).astype(np.int16)


def speech(playback: Playback, frames: int) -> np.ndarray:
    return np.concatenate([playback.next_frame() for _ in range(frames)])


def test_silence_when_there_is_nothing_to_say():
    playback = Playback(fade_ms=20)
    assert not playback.next_frame().any()
    assert playback.counts.line_samples == FRAME_SAMPLES
    assert playback.counts.speech_samples == 0


def test_utterances_follow_each_other_without_a_gap_in_order_of_begin():
    playback = Playback(fade_ms=20)
    playback.begin(1)
    playback.write(2, ramp(5000, 1500))
    playback.end(2)
    playback.write(1, ramp(0, 1000))
    playback.end(1)
    out = speech(playback, 3)
    assert np.array_equal(out[:2500], np.concatenate([ramp(0, 1000), ramp(5000, 1500)]))
    assert not out[2500:].any()
    assert list(playback.take_events()) == [
        Started(1),
        Ended(1, 1000, False),
        Started(2),
        Ended(2, 1500, False),
    ]


def test_sliver_waits_for_a_whole_frame_or_its_end():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 300))
    assert not playback.next_frame().any()
    playback.end(1)
    assert np.array_equal(playback.next_frame()[:300], ramp(0, 300))
    assert playback.counts.underruns == 0


def test_ended_is_reported_with_the_frame_that_holds_the_last_sample():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, FRAME_SAMPLES))
    playback.end(1)
    playback.next_frame()
    assert list(playback.take_events()) == [Started(1), Ended(1, FRAME_SAMPLES, False)]


def test_utterance_without_audio_ends_without_having_started():
    playback = Playback(fade_ms=20)
    playback.end(1)
    playback.next_frame()
    assert list(playback.take_events()) == [Ended(1, 0, False)]


def test_running_dry_is_counted_once_for_each_gap():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 1200))
    speech(playback, 5)
    playback.write(1, ramp(1200, 2000))
    playback.end(1)
    out = speech(playback, 3)
    assert playback.counts.underruns == 1
    assert np.array_equal(out[:2000], ramp(1200, 2000))


def test_stop_fades_what_sounds_and_drops_the_rest():
    playback = Playback(fade_ms=20)
    playback.write(1, np.full(48_000, 10_000, np.int16))
    speech(playback, 10)
    assert playback.stop(1) == pytest.approx(0.21)
    out = speech(playback, 5)
    assert out[0] == 10_000 and out[959] == 0
    assert (np.diff(out[:960].astype(int)) <= 0).all()
    assert not out[960:].any()
    assert playback.sent_s(1) == pytest.approx(0.22)
    assert playback.counts.dropped_samples == 48_000 - 11 * 960
    assert list(playback.take_events())[-1] == Ended(1, 11 * 960, True)


def test_stopping_again_changes_nothing():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 48_000))
    speech(playback, 10)
    first = playback.stop(1)
    speech(playback, 3)
    assert playback.stop(1) == first
    assert [e for e in playback.take_events() if isinstance(e, Ended)] == [Ended(1, 10_560, True)]


def test_waiting_utterance_is_stopped_without_a_sound_and_the_next_goes_on():
    playback = Playback(fade_ms=20)
    for number in (1, 2, 3):
        playback.write(number, ramp(number * 1000, 960))
        playback.end(number)
    playback.stop(2)
    out = speech(playback, 3)
    assert np.array_equal(out[:1920], np.concatenate([ramp(1000, 960), ramp(3000, 960)]))
    assert Ended(2, 0, True) in list(playback.take_events())


def test_audio_of_a_stopped_utterance_is_discarded_also_if_it_was_stopped_before_it_began():
    playback = Playback(fade_ms=20)
    assert playback.stop(1) == 0.0
    assert playback.write(1, ramp(0, 960)) is False
    assert not speech(playback, 2).any()
    assert playback.counts.discarded_samples == 960


def test_heard_lags_sent_by_the_playout_delay_and_catches_up():
    playback = Playback(fade_ms=0)
    playback.set_playout_delay_ms(100)
    playback.write(1, ramp(0, 48_000 // 5))
    playback.end(1)
    speech(playback, 10)
    assert playback.sent_s(1) == pytest.approx(0.2)
    assert playback.heard_s(1) == pytest.approx(0.1)
    speech(playback, 5)
    assert playback.heard_s(1) == pytest.approx(0.2)


def test_heard_does_not_count_the_silence_of_an_underrun():
    playback = Playback(fade_ms=0)
    playback.set_playout_delay_ms(40)
    playback.write(1, ramp(0, 1920))
    speech(playback, 4)  # 40 ms of speech, 40 ms of silence
    playback.write(1, ramp(0, 1920))
    speech(playback, 2)
    assert playback.heard_s(1) == pytest.approx(0.04)


@pytest.mark.parametrize(("given_ms", "used_ms"), [(-5, 0), (0, 0), (1999, 1999), (10**9, 2000)])
def test_playout_delay_is_clamped(given_ms, used_ms):
    playback = Playback(fade_ms=0)
    playback.set_playout_delay_ms(given_ms)
    playback.write(1, np.ones(RATE_HZ * 3, np.int16))
    speech(playback, 150)
    assert playback.heard_s(1) == pytest.approx(3 - used_ms / 1000)


def test_unknown_utterance_was_neither_sent_nor_heard():
    playback = Playback(fade_ms=0)
    assert playback.sent_s(4) == playback.heard_s(4) == 0.0


def test_producer_waits_while_its_bound_is_full_and_goes_on_when_frames_leave():
    async def scenario():
        playback = Playback(fade_ms=20, room_ms=40)
        playback.write(1, ramp(0, 2 * FRAME_SAMPLES))
        waiting = asyncio.create_task(playback.wait_for_room(1, 0.04))
        await asyncio.sleep(0)
        assert not waiting.done()
        await playback.wait_for_room(2, 0.0)  # Each utterance has its own bound.
        playback.next_frame()
        await waiting

    asyncio.run(scenario())


@pytest.mark.parametrize("end", [lambda p: p.stop(1), lambda p: p.close()])
def test_producer_is_released_when_its_utterance_is_stopped_or_the_line_closes(end):
    async def scenario():
        playback = Playback(fade_ms=20, room_ms=20)
        playback.write(1, ramp(0, 48_000))
        waiting = [asyncio.create_task(playback.wait_for_room(1, 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        end(playback)
        await asyncio.gather(*waiting)
        await playback.wait_for_room(1, 1.0)

    asyncio.run(scenario())


def test_audio_still_on_its_way_here_fills_the_bound():
    async def scenario():
        playback = Playback(fade_ms=20, room_ms=40)
        waiting = asyncio.create_task(playback.wait_for_room(1, 0.05))
        await asyncio.sleep(0)
        assert not waiting.done()
        playback.close()
        await waiting

    asyncio.run(scenario())


def test_closed_line_reports_every_end_and_takes_nothing_more():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 48_000))
    playback.write(2, ramp(0, 48_000))
    playback.next_frame()
    playback.close()
    assert list(playback.take_events()) == [Started(1), Ended(1, 960, True), Ended(2, 0, True)]
    assert playback.write(3, ramp(0, 960)) is False
    assert not playback.next_frame().any()


def test_what_is_held_stands_still_and_is_no_underrun():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 48_000))
    speech(playback, 5)
    playback.hold()
    speech(playback, 4)
    at_s = playback.sent_s(1)
    assert 0.12 <= at_s <= 0.15
    assert not speech(playback, 50).any()
    assert playback.sent_s(1) == playback.heard_s(1) == at_s
    assert playback.counts.underruns == 0
    assert playback.level_dbfs == -90.0


def test_after_a_hold_the_rest_follows_and_nothing_twice():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 9_600))
    playback.end(1)
    first = speech(playback, 3)
    playback.hold()
    held = speech(playback, 10)
    at = round(playback.sent_s(1) * RATE_HZ)
    playback.restore()
    rest = speech(playback, 10)
    assert np.array_equal(first, ramp(0, 2_880))
    assert np.count_nonzero(held) <= at - 2_880
    assert np.array_equal(rest[240 : 9_600 - at], ramp(at, 9_600 - at)[240:])
    assert list(playback.take_events())[-1] == Ended(1, 9_600, False)


def test_stopping_what_is_held_ends_it_where_it_is():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 48_000))
    speech(playback, 5)
    playback.hold()
    speech(playback, 10)
    sent = playback.sent_s(1)
    assert playback.stop(1) == pytest.approx(sent - 0.01)
    playback.write(2, ramp(7_000, 960))
    assert np.array_equal(playback.next_frame(), ramp(7_000, 960))
    assert playback.sent_s(1) == sent


def test_a_held_utterance_does_not_hold_the_next_one():
    playback = Playback(fade_ms=20)
    playback.write(1, ramp(0, 48_000))
    speech(playback, 5)
    playback.duck(12)
    playback.hold()
    playback.write(2, ramp(5_000, 1_920))
    playback.stop(1)
    out = speech(playback, 8)
    began = round(playback.sent_s(1) * RATE_HZ) - 5 * 960
    assert np.array_equal(out[began : began + 1_920], ramp(5_000, 1_920))


@pytest.mark.parametrize("order", ["duck", "hold", "restore"])
def test_where_nothing_sounds_nothing_is_held_or_lowered(order):
    playback = Playback(fade_ms=20)
    playback.begin(1)
    {"duck": lambda: playback.duck(12), "hold": playback.hold, "restore": playback.restore}[order]()
    playback.write(1, ramp(0, 1_920))
    assert np.array_equal(speech(playback, 2), ramp(0, 1_920))


def test_a_producer_is_still_bounded_while_its_utterance_is_held():
    async def scenario():
        playback = Playback(fade_ms=20, room_ms=100)
        playback.write(1, ramp(0, 48_000))
        playback.next_frame()
        playback.hold()
        waiting = asyncio.create_task(playback.wait_for_room(1, 1.0))
        speech(playback, 50)
        await asyncio.sleep(0)
        assert not waiting.done()
        playback.restore()
        speech(playback, 45)
        await waiting

    asyncio.run(scenario())


def test_boundaries_may_come_before_the_audio():
    playback = Playback(fade_ms=20)
    playback.boundaries(1, [0.137])
    playback.write(1, ramp(0, 48_000))
    speech(playback, 5)
    playback.hold()
    speech(playback, 4)
    assert playback.sent_s(1) == pytest.approx(0.137)


def test_the_level_is_that_of_the_frame_that_left():
    playback = Playback(fade_ms=20)
    assert playback.level_dbfs == -90.0
    playback.write(1, np.full(9_600, 3_277, np.int16))
    playback.next_frame()
    assert playback.level_dbfs == pytest.approx(-20, abs=0.1)
    playback.duck(12)
    speech(playback, 2)
    assert playback.level_dbfs == pytest.approx(-32, abs=0.1)


def test_the_recording_is_shown_what_leaves():
    playback = Playback(fade_ms=20)
    shown = []
    playback.tap = lambda pcm: shown.append(pcm.copy())
    playback.write(1, ramp(0, 48_000))
    out = [playback.next_frame() for _ in range(3)]
    playback.duck(12)
    out += [playback.next_frame() for _ in range(3)]
    playback.hold()
    out += [playback.next_frame() for _ in range(6)]
    assert np.array_equal(np.concatenate(shown), np.concatenate(out))


Deed = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 2500)),
    st.tuples(st.sampled_from(["duck", "hold", "restore"]), st.just(0)),
    st.tuples(st.just("boundaries"), st.integers(0, 4000)),
    st.tuples(st.just("frames"), st.integers(1, 3)),
)


@given(st.lists(Deed, max_size=60), st.sampled_from([0, 5, 20]), st.booleans())
def test_however_it_is_lowered_held_and_restored_every_sample_leaves_once_in_order(
    deeds, fade_ms, stops
):
    """Each sample's sign is its name: a gain changes how loud it is, never its sign."""
    signs = np.random.default_rng(1).choice(np.array([-1, 1], np.int16), 150_000)
    playback = Playback(fade_ms=fade_ms)
    written, out = 0, []
    for deed, number in deeds:
        match deed:
            case "write":
                playback.write(1, signs[written : written + number] * np.int16(20_000))
                written += number
            case "duck":
                playback.duck(12)
            case "boundaries":
                playback.boundaries(1, [(written + number) / RATE_HZ])
            case "frames":
                out += [playback.next_frame() for _ in range(number)]
            case _:
                getattr(playback, deed)()
        sent = round(playback.sent_s(1) * RATE_HZ)
        assert sent == playback.counts.speech_samples <= written
    if stops:
        heard_s = playback.stop(1)
    else:
        playback.restore()
        playback.end(1)
    out += [playback.next_frame() for _ in range(written // FRAME_SAMPLES + 2)]
    line = np.concatenate(out)
    sent = round(playback.sent_s(1) * RATE_HZ)
    assert sent == written if not stops else sent >= round(heard_s * RATE_HZ) - 1
    # A faded sample may round to nothing, so silence on the line stands for any sample there.
    entry = playback._utterances[1]
    left = np.concatenate([line[at : at + length] for at, length in entry.runs] or [line[:0]])
    assert len(left) == sent
    sounding = left != 0
    assert np.array_equal(np.sign(left)[sounding], signs[:sent][sounding])
    assert np.count_nonzero(line) == np.count_nonzero(left)


Step = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 4), st.integers(0, 2500)),
    st.tuples(st.just("end"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("stop"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("frames"), st.integers(1, 3), st.just(0)),
)


@given(st.lists(Step, max_size=60), st.sampled_from([0, 5, 20]))
def test_every_sample_is_sent_once_in_order_or_dropped_and_counted(steps, fade_ms):
    playback = Playback(fade_ms=fade_ms)
    accepted: dict[int, int] = {}
    written = 0
    out = []
    order: list[int] = []
    for action, number, count in steps:
        if action == "frames":
            out += [playback.next_frame() for _ in range(number)]
            continue
        if number not in order:
            order.append(number)
        if action == "write":
            written += count
            # The level tells the utterance, so the order can be read off the line.
            if playback.write(number, np.full(count, 1000 * (number + 1), np.int16)):
                accepted[number] = accepted.get(number, 0) + count
        elif action == "end":
            playback.end(number)
        else:
            playback.stop(number)
    for number in order:
        playback.end(number)
    out += [playback.next_frame() for _ in range(40 * 3)]
    counts = playback.counts
    assert playback.waiting_samples == 0
    assert written == counts.speech_samples + counts.dropped_samples + counts.discarded_samples
    events = list(playback.take_events())
    ended = [e for e in events if isinstance(e, Ended)]
    assert [e.utterance for e in ended] == order
    assert sum(e.sent_samples for e in ended) == counts.speech_samples
    for event in ended:
        assert event.sent_samples == round(playback.sent_s(event.utterance) * RATE_HZ)
        assert playback.heard_s(event.utterance) == playback.sent_s(event.utterance)
        if not event.stopped:
            assert event.sent_samples == accepted.get(event.utterance, 0)
    line = np.concatenate(out)
    for event in ended:
        if not event.stopped:
            sounding = int(np.count_nonzero(line == 1000 * (event.utterance + 1)))
            assert sounding >= event.sent_samples
