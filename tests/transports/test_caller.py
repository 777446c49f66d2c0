import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from aiohttp import web

from tests.transports.calls import SETTINGS, Call, level, nothing_left, run, run_call, tone
from transports.caller import Caller, CallRefused, Loudspeaker
from transports.codecs import OpusEncoder
from transports.jitter_buffer import Packet
from transports.webrtc import WebRtcPeer


class AgentVoice:
    """Packets of a steady tone, as the agent would send them."""

    def __init__(self) -> None:
        encoder = OpusEncoder()
        frames = tone(440, 48_000, 2.0).reshape(-1, 960)
        self.packets = [
            Packet(n, n * 960, 1, encoder.encode(frame)) for n, frame in enumerate(frames)
        ]


def test_agent_is_placed_where_a_loudspeaker_would_have_played_it():
    clock = 0
    speaker = Loudspeaker(60, lambda: clock)
    for n, packet in enumerate(AgentVoice().packets[:50]):
        clock = 10_000 + n * 960
        speaker.receive(packet)
    assert speaker.first_sample == 10_000 + 2880
    assert sum(map(len, speaker.frames)) == 50 * 960
    assert speaker.late_samples == 0


def test_jitter_below_the_playout_delay_changes_nothing():
    clock = 0
    smooth, rough = Loudspeaker(60, lambda: clock), Loudspeaker(60, lambda: clock)
    delays = [0, 1900, 300, 2800, 10] * 10
    for n, packet in enumerate(AgentVoice().packets[:50]):
        clock = n * 960
        smooth.receive(packet)
        clock = n * 960 + delays[n]
        rough.receive(packet)
    assert rough.late_samples == 0
    assert np.array_equal(np.concatenate(smooth.frames), np.concatenate(rough.frames))


def test_what_comes_too_late_is_silent_and_counted():
    clock = 0
    speaker = Loudspeaker(60, lambda: clock)
    for n, packet in enumerate(AgentVoice().packets[:50]):
        clock = n * 960 + (2880 + 500 if n == 20 else 0)
        speaker.receive(packet)
    assert speaker.late_samples == 500
    line = np.concatenate(speaker.frames)
    assert not line[20 * 960 : 20 * 960 + 500].any()
    assert len(line) == 50 * 960


@pytest.mark.real
def test_recording_has_what_was_said_exactly_where_it_was_said():
    async def scenario(call: Call) -> None:
        pcm = tone(440, 48_000, 0.5)
        first = await call.caller.say(pcm, 48_000)
        second = await call.caller.say(tone(440, 16_000, 0.25))
        third = await call.caller.say(tone(440, 8_000, 0.25), 8_000)
        left = call.caller.recording()[:, 0]
        assert np.array_equal(left[first.start_sample : first.end_sample], pcm)
        assert [s.end_sample - s.start_sample for s in (second, third)] == [12_000, 12_000]
        for speech in (second, third):
            part = left[speech.start_sample : speech.end_sample].astype(float)
            assert level(part[2000:-2000], 440, 48_000) == pytest.approx(8000, rel=0.03)
        assert not left[: first.start_sample].any()
        assert len(call.caller.recording(16_000)) == pytest.approx(
            len(call.caller.recording()) / 3, abs=2
        )

    run_call(scenario)


@pytest.mark.real
def test_voice_and_quiet_are_told_by_the_callers_clock():
    async def scenario(call: Call) -> None:
        asked_s = call.caller.now_s
        await call.agent_says(1, tone(700, 24_000, 0.5))
        voice_s = await call.caller.wait_for_voice(asked_s)
        quiet_s = await call.caller.wait_for_quiet(0.3)
        assert asked_s < voice_s <= quiet_s < call.caller.now_s - 0.29

    run_call(scenario)


@pytest.mark.real
def test_waiting_ends_when_the_call_does():
    async def scenario(call: Call) -> None:
        waits = [
            asyncio.create_task(call.caller.say(np.zeros(160_000, np.int16))),
            asyncio.create_task(call.caller.wait_for_voice(0.0)),
            asyncio.create_task(call.caller.wait_for_message(lambda m: False)),
        ]
        await asyncio.sleep(0.1)
        await call.peer.close("done")
        results = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(r) for r in results] == [ConnectionError] * 3
        assert await call.caller.wait_ended() == "closed"

    run_call(scenario)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(handler: Handler) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_post("/api/offer", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.mark.real
def test_dialling_sends_persona_and_token():
    async def scenario() -> None:
        peers, seen = [], []

        async def offer(request: web.Request) -> web.Response:
            body = await request.json()
            seen.append((request.headers["Authorization"], body["request_data"]))
            peers.append(await WebRtcPeer.accept(body["sdp"], body["type"], SETTINGS))
            return web.json_response(peers[0].answer)

        server, url = await serve(offer)
        caller = await Caller.dial(url, persona="tutor-en", token="secret")
        assert seen == [("Bearer secret", {"persona": "tutor-en"})]
        assert caller.pc_id == peers[0].pc_id
        await caller.hang_up()
        assert await peers[0].wait_closed() == "hung up"
        await server.cleanup()
        await nothing_left()

    run(scenario())


@pytest.mark.real
def test_refusal_carries_status_and_reason_and_leaves_nothing_open():
    async def scenario() -> None:
        async def offer(request: web.Request) -> web.Response:
            return web.Response(status=503, text="every line is taken")

        server, url = await serve(offer)
        with pytest.raises(CallRefused, match="503: every line is taken") as caught:
            await Caller.dial(url)
        assert caught.value.status == 503
        await server.cleanup()
        with pytest.raises(OSError):
            await Caller.dial(url)
        await nothing_left()

    run(scenario())
