"""The pace at which frames leave, on a clock that only moves when everybody waits."""

import asyncio

import numpy as np

from tests.virtual_time import run
from transports.pacing import FRAME_SAMPLES, Playback
from transports.webrtc_link import PlaybackTrack


class Listener:
    def __init__(self) -> None:
        self.frames = 0

    def on_frame_sent(self) -> None:
        self.frames += 1


def make_track() -> tuple[PlaybackTrack, Playback, Listener]:
    playback, listener = Playback(fade_ms=20), Listener()
    return PlaybackTrack(playback, listener, catch_up_s=0.1), playback, listener


def test_packet_leaves_every_20_ms():
    async def scenario():
        track, playback, listener = make_track()
        begin_s = asyncio.get_running_loop().time()
        times = []
        for n in range(500):
            packet = await track.recv()
            assert packet.pts == n * FRAME_SAMPLES
            times.append(asyncio.get_running_loop().time() - begin_s)
        assert np.allclose(times, np.arange(500) * 0.02)
        assert listener.frames == 500
        assert playback.counts.line_samples == 500 * FRAME_SAMPLES

    run(scenario())


def test_speech_leaves_with_the_next_packet():
    async def scenario():
        track, playback, _ = make_track()
        await track.recv()
        await asyncio.sleep(0.015)
        playback.write(1, np.ones(FRAME_SAMPLES, np.int16))
        await track.recv()
        assert playback.counts.speech_samples == FRAME_SAMPLES

    run(scenario())


def test_short_stall_is_caught_up_without_losing_time():
    async def scenario():
        track, _, _ = make_track()
        await track.recv()
        await asyncio.sleep(0.09)
        now_s = asyncio.get_running_loop().time()
        stamps = [(await track.recv()).pts for _ in range(4)]
        assert asyncio.get_running_loop().time() == now_s  # At once.
        assert stamps == [n * FRAME_SAMPLES for n in range(1, 5)]

    run(scenario())


def test_long_stall_is_skipped_on_the_line_but_no_speech_is():
    async def scenario():
        track, playback, _ = make_track()
        playback.write(1, np.ones(20 * FRAME_SAMPLES, np.int16))
        first = (await track.recv()).pts
        await asyncio.sleep(1.0)
        now_s = asyncio.get_running_loop().time()
        second = (await track.recv()).pts
        # 1 s passed, of which 0.1 s is still sent late: the timestamp stays on the clock.
        assert second - first in (45 * FRAME_SAMPLES, 46 * FRAME_SAMPLES)
        late = 0
        while asyncio.get_running_loop().time() == now_s:
            await track.recv()
            late += 1
        assert late in (5, 6)
        assert playback.sent_s(1) == (2 + late) * 0.02

    run(scenario())
