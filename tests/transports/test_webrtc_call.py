import asyncio
import gc
import re
import socket
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from pipecat.frames.frames import (
    EndFrame,
    InterruptionFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
)

from tests.transports.calls import (
    SETTINGS,
    Call,
    level,
    nothing_left,
    open_call,
    run,
    run_call,
    start_pipeline,
    tone,
)
from transports import aiortc_compat
from transports.caller import Caller, Impairment
from transports.frames import PlaybackEndedFrame, PlaybackStartedFrame
from transports.webrtc import IceServer, OfferRefused, WebRtcPeer

pytestmark = pytest.mark.real


def test_tone_arrives_at_its_level_in_both_directions():
    async def scenario(call: Call) -> None:
        speech = call.caller.speak(tone(440, 16_000, 1.0))
        await call.agent_says(1, tone(700, 24_000, 1.0, 6000))
        await call.until(lambda: len(call.witness.playback) == 2 and speech.said.is_set())
        await asyncio.sleep(0.6)
        heard = call.witness.heard.astype(float)
        start = int(np.flatnonzero(np.abs(heard) > 800)[0])
        assert level(heard[start + 3200 : start + 12_800], 440, 16_000) == pytest.approx(
            8000, rel=0.05
        )
        right = call.caller.recording(48_000)[:, 1].astype(float)
        start = int(np.flatnonzero(np.abs(right) > 600)[0])
        assert level(right[start + 9600 : start + 38_400], 700, 48_000) == pytest.approx(
            6000, rel=0.05
        )
        voiced = np.flatnonzero(np.abs(right) > 600)
        assert (voiced[-1] - voiced[0]) / 48_000 == pytest.approx(1.0, abs=0.02)

    run_call(scenario)


def test_playback_is_reported_upstream_with_what_was_sent():
    async def scenario(call: Call) -> None:
        await call.agent_says(1, tone(700, 24_000, 0.3))
        await call.agent_says(2, tone(700, 16_000, 0.2), 16_000)
        await call.until(lambda: len(call.witness.playback) == 4)
        kinds = [(type(f), f.utterance) for f in call.witness.playback]
        assert kinds == [
            (PlaybackStartedFrame, 1),
            (PlaybackEndedFrame, 1),
            (PlaybackStartedFrame, 2),
            (PlaybackEndedFrame, 2),
        ]
        ends = [f for f in call.witness.playback if isinstance(f, PlaybackEndedFrame)]
        assert [f.sent_s for f in ends] == pytest.approx([0.3, 0.2], abs=1e-4)
        assert not any(f.stopped for f in ends)
        assert call.peer.playback.counts.underruns == 0

    run_call(scenario)


def test_one_lost_packet_adds_no_lasting_delay():
    """aiortc's own buffer would deliver 200 ms later for the rest of the call."""

    async def scenario(call: Call) -> None:
        lost = asyncio.Event()
        sent = 0

        async def lose_one(packet, send):
            nonlocal sent
            sent += 1
            if sent == 40:
                lost.set()
            else:
                await send(packet)

        aiortc_compat.tap_outgoing_rtp(call.caller._audio.sender, lose_one)
        lags: list[int] = []
        call.witness.on_chunk = lambda: lags.append(
            call.caller.microphone.position // 3 - 320 * len(call.witness.chunks)
        )
        await lost.wait()
        before = len(lags)
        await call.until(lambda: len(lags) >= before + 60)
        # The least lag of a second is the delay of the path, whatever else the machine does.
        assert min(lags[before + 10 :]) - min(lags[:before]) <= 320
        assert call.peer.voice.jitter.counts.skipped >= 1

    run_call(scenario)


def test_speech_survives_loss_and_jitter():
    async def scenario(call: Call) -> None:
        speech = await call.caller.say(tone(440, 16_000, 2.0))
        await asyncio.sleep(0.3)
        heard = call.witness.heard.astype(float)
        voiced = np.flatnonzero(np.abs(heard) > 800)
        length_s = (voiced[-1] - voiced[0]) / 16_000
        assert length_s == pytest.approx(speech.end_s - speech.start_s, abs=0.07)

    run_call(scenario, impairment=Impairment(loss=0.01, jitter_ms=40, seed=3))


def test_after_an_interruption_nothing_is_heard_beyond_the_fade_and_one_packet():
    async def scenario(call: Call) -> None:
        await call.agent_says(1, tone(700, 24_000, 3.0))
        await call.until(lambda: call.peer.playback.sent_s(1) >= 0.4)
        sent_s = call.peer.playback.sent_s(1)
        call.peer.playback.stop(1)
        await call.agent_says(2, tone(300, 24_000, 0.2))
        await call.until(lambda: len(call.witness.playback) == 4)
        await asyncio.sleep(0.6)
        first_end = call.witness.playback[1]
        assert isinstance(first_end, PlaybackEndedFrame)
        assert first_end.stopped and first_end.sent_s == pytest.approx(sent_s + 0.02)
        right = call.caller.recording(48_000)[:, 1].astype(float)
        steps = right[: len(right) // 960 * 960].reshape(-1, 960)
        old = [level(step, 700, 48_000) > 300 for step in steps]
        assert sum(old) * 0.02 <= sent_s + 0.02 + 0.02
        # And the old voice never comes back once it was silent.
        assert np.count_nonzero(np.diff(np.array(old, int)) == 1) == 1

    run_call(scenario)


def test_interruption_frame_stops_every_utterance():
    async def scenario(call: Call) -> None:
        await call.agent_says(1, tone(700, 24_000, 3.0))
        await call.until(lambda: call.peer.playback.sent_s(1) > 0)
        await call.worker.queue_frame(InterruptionFrame())
        await call.until(lambda: len(call.witness.playback) == 2)
        assert call.witness.playback[1].stopped
        assert call.peer.playback.waiting_samples == 0

    run_call(scenario)


def test_pipeline_ends_once_what_was_said_has_left():
    async def scenario(call: Call) -> None:
        await call.agent_says(1, tone(700, 24_000, 0.5))
        await call.worker.queue_frame(EndFrame())
        await call.running
        assert call.peer.playback.sent_s(1) == pytest.approx(0.5, abs=1e-4)

    run_call(scenario)


def test_messages_pass_both_ways_and_foreign_ones_are_counted():
    async def scenario(call: Call) -> None:
        await call.worker.queue_frame(OutputTransportMessageUrgentFrame(message={"n": 1}))
        await call.worker.queue_frame(OutputTransportMessageFrame(message={"n": 2}))
        await call.caller.wait_for_message(lambda m: m.get("n") == 2)
        assert [m.content for m in call.caller.messages] == [{"n": 1}, {"n": 2}]
        call.caller._channel.send("{")
        call.caller._channel.send(b"\x00")
        call.caller.send({"type": "hello"})
        await call.until(lambda: {"type": "hello"} in call.witness.messages)
        assert [m["type"] for m in call.witness.messages] == ["client-ready", "hello"]
        assert call.peer.counts.ignored_messages == 2

    run_call(scenario)


def test_heard_clock_contains_the_delay_that_the_client_reports():
    async def scenario(call: Call) -> None:
        delay = {"t": "playout-delay", "d": {"delay_ms": 300}}
        call.caller.send({"type": "client-message", "data": delay})
        await call.agent_says(1, tone(700, 24_000, 2.0))
        await call.until(lambda: call.peer.playback.sent_s(1) >= 0.6)
        playback = call.peer.playback
        lag_s = playback.sent_s(1) - playback.heard_s(1)
        assert lag_s == pytest.approx(0.3 + call.peer._round_trip_ms / 2000, abs=1e-3)

    run_call(scenario)


def test_page_that_also_offers_video_is_answered():
    async def scenario() -> None:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver("video", "sendrecv")
        pc.addTransceiver("audio", "sendrecv")
        pc.addTransceiver("video", "recvonly")
        channel = pc.createDataChannel("chat")
        opened = asyncio.Event()
        channel.on("open", opened.set)
        await pc.setLocalDescription(await pc.createOffer())
        peer = await WebRtcPeer.accept(pc.localDescription.sdp, "offer", SETTINGS)
        answer = peer.answer
        assert answer["type"] == "answer" and answer["pc_id"] == peer.pc_id
        directions = re.findall(r"a=(sendrecv|sendonly|recvonly|inactive)", answer["sdp"])
        assert directions == ["inactive", "sendrecv", "inactive"]
        await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await opened.wait()
        await pc.close()
        assert await peer.wait_closed() == "hung up"

    run(scenario())


def test_call_goes_on_over_a_new_connection():
    async def scenario(call: Call) -> None:
        async def reconnect(offer):
            return await call.peer.renegotiate(offer["sdp"], offer["type"], restart_pc=True)

        before = call.peer.pc_id
        other = await Caller.connect(reconnect)
        assert other.pc_id == before
        await other.say(tone(440, 16_000, 0.5))
        await call.agent_says(1, tone(700, 24_000, 0.3))
        await other.wait_for_voice(0.0)
        assert level(call.witness.heard[-4800:], 440, 16_000) > 4000
        await other.hang_up()
        assert await call.peer.wait_closed() == "hung up"

    run_call(scenario)


def test_renegotiation_keeps_the_connection():
    async def scenario() -> None:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver("audio", "sendrecv")
        channel = pc.createDataChannel("chat")
        opened = asyncio.Event()
        channel.on("open", opened.set)
        await pc.setLocalDescription(await pc.createOffer())
        peer = await WebRtcPeer.accept(pc.localDescription.sdp, "offer", SETTINGS)
        await pc.setRemoteDescription(RTCSessionDescription(peer.answer["sdp"], "answer"))
        await opened.wait()
        await pc.setLocalDescription(await pc.createOffer())
        answer = await peer.renegotiate(pc.localDescription.sdp, "offer")
        await pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        assert pc.connectionState == "connected" and channel.readyState == "open"
        await peer.close("done")
        await pc.close()

    run(scenario())


def test_refused_renegotiation_leaves_the_call_as_it_was():
    async def scenario(call: Call) -> None:
        for sdp, kind in (("nonsense", "offer"), ("v=0", "answer")):
            with pytest.raises(OfferRefused):
                await call.peer.renegotiate(sdp, kind, restart_pc=True)
        count = len(call.witness.chunks)
        await call.until(lambda: len(call.witness.chunks) > count + 10)

    run_call(scenario)


@pytest.mark.parametrize(
    ("sdp", "kind", "code"),
    [
        ("nonsense", "offer", "malformed_sdp"),
        ("v=0\r\n", "answer", "wrong_type"),
        ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "offer", "no_audio"),
    ],
)
def test_refused_offer_leaves_nothing_open(sdp, kind, code):
    async def scenario() -> None:
        with pytest.raises(OfferRefused) as caught:
            await WebRtcPeer.accept(sdp, kind, SETTINGS)
        assert caught.value.code == code
        await nothing_left()

    run(scenario())


async def raw_offer() -> str:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio", "sendrecv")
    pc.createDataChannel("chat")
    await pc.setLocalDescription(await pc.createOffer())
    sdp = pc.localDescription.sdp
    await pc.close()
    return sdp


def test_servers_that_do_not_answer_do_not_delay_the_answer():
    async def scenario() -> None:
        offer = await raw_offer()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            servers = (
                IceServer((f"stun:{address}",)),
                IceServer((f"turn:{address}?transport=udp",), "user", "secret"),
            )
            settings = replace(SETTINGS, ice_servers=servers, gather_timeout_ms=200)
            async with asyncio.timeout(3.0):  # aioice by itself waits 5 s.
                peer = await WebRtcPeer.accept(offer, "offer", settings)
        assert "typ host" in peer.answer["sdp"]
        await peer.close("done")
        await nothing_left()

    run(scenario())


def test_name_that_cannot_be_resolved_does_not_delay_the_answer():
    async def scenario() -> None:
        offer = await raw_offer()
        name = (
            "a=candidate:1 1 udp 2113937151 aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee.local 9 typ host"
        )
        offer = re.sub(r"(a=mid:0\r\n)", rf"\1{name}\r\n", offer, count=1)
        peer = await WebRtcPeer.accept(offer, "offer", SETTINGS)
        assert "aaaaaaaa" not in peer._link._pc.remoteDescription.sdp
        await peer.close("done")
        await nothing_left()

    run(scenario())


def test_trickled_candidates_connect_a_call():
    async def scenario() -> None:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver("audio", "sendrecv")
        await pc.setLocalDescription(await pc.createOffer())
        sdp = pc.localDescription.sdp
        lines = re.findall(r"a=(candidate:[^\r\n]*)", sdp)
        bare = re.sub(r"a=(candidate:|end-of-candidates)[^\r\n]*\r\n", "", sdp)
        peer = await WebRtcPeer.accept(bare, "offer", SETTINGS)
        await peer.add_candidates([{"candidate": c, "sdp_mid": "0"} for c in lines])
        await peer.add_candidates([{"candidate": "", "sdp_mid": "0"}])
        connected = asyncio.Event()
        pc.on(
            "connectionstatechange",
            lambda: connected.set() if pc.connectionState == "connected" else None,
        )
        await pc.setRemoteDescription(RTCSessionDescription(peer.answer["sdp"], "answer"))
        await connected.wait()
        with pytest.raises(OfferRefused):
            await peer.add_candidates([{"candidate": "nonsense"}])
        await pc.close()
        assert await peer.wait_closed() == "hung up"

    run(scenario())


def test_caller_who_never_connects_is_given_up():
    async def scenario() -> None:
        settings = replace(SETTINGS, connect_timeout_s=0.2)
        peer = await WebRtcPeer.accept(await raw_offer(), "offer", settings)
        assert await peer.wait_closed() == "never connected"
        await nothing_left()

    run(scenario())


def test_caller_who_vanishes_is_noticed():
    async def scenario(call: Call) -> None:
        async def nothing_is_sent(packet, send):
            return

        aiortc_compat.tap_outgoing_rtp(call.caller._audio.sender, nothing_is_sent)
        call.caller._pings.cancel()
        assert await call.peer.wait_closed() == "silent"

    run_call(scenario, silence_timeout_s=1.0)


def test_stray_datagrams_do_not_end_the_call():
    async def scenario(call: Call) -> None:
        candidates = re.findall(r"udp \d+ ([\d.]+) (\d+) typ host", call.peer.answer["sdp"])
        junk = [b"", b"\x80", b"\x80\x60" + bytes(40), b"\x16\xfe\xfd" + bytes(20), b"\xff" * 100]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for host, port in candidates:
                for datagram in junk:
                    stranger.sendto(datagram, (host, int(port)))
        assert candidates
        await asyncio.sleep(0.2)
        speech = await call.caller.say(tone(440, 16_000, 0.5))
        assert speech.end_sample - speech.start_sample == 24_000
        await asyncio.sleep(0.2)
        assert level(call.witness.heard[-8000:], 440, 16_000) > 2000

    run_call(scenario)


def test_first_reason_for_the_end_stays():
    async def scenario() -> None:
        peer = await WebRtcPeer.accept(await raw_offer(), "offer", SETTINGS)
        await asyncio.gather(peer.close("first"), peer.close("second"), peer.close("third"))
        assert await peer.wait_closed() == "first"
        assert peer.playback.write(1, np.ones(960, np.int16)) is False

    run(scenario())


def test_ids_cannot_be_guessed_and_carry_their_prefix():
    async def scenario() -> None:
        offer = await raw_offer()
        peers = [await WebRtcPeer.accept(offer, "offer", SETTINGS, "w3-") for _ in range(3)]
        ids = {peer.pc_id for peer in peers}
        assert len(ids) == 3
        assert all(re.fullmatch(r"w3-[0-9a-f]{32}", pc_id) for pc_id in ids)
        for peer in peers:
            await peer.close("done")

    run(scenario())


def test_twenty_calls_leave_no_task_no_thread_and_no_memory():
    async def one_call() -> weakref.ref[WebRtcPeer]:
        call = await open_call()
        await call.agent_says(1, tone(700, 24_000, 0.1))
        await call.until(lambda: len(call.witness.playback) == 2)
        await call.end_pipeline()
        await call.peer.close("done")
        await call.caller.hang_up()
        return weakref.ref(call.peer)

    async def scenario() -> None:
        await one_call()
        threads = {thread.name for thread in threading.enumerate()}
        peers = [await one_call() for _ in range(20)]
        await nothing_left()
        gc.collect()
        assert [peer for peer in peers if peer() is not None] == []
        assert {thread.name for thread in threading.enumerate()} <= threads

    run(scenario(), 180.0)


def test_caller_without_a_pipeline_yet_keeps_its_first_messages():
    async def scenario() -> None:
        peers = []

        async def signal(offer):
            peers.append(await WebRtcPeer.accept(offer["sdp"], offer["type"], SETTINGS))
            return peers[0].answer

        caller = await Caller.connect(signal)
        caller.send({"type": "early"})
        await asyncio.sleep(0.3)
        _, witness, running = await start_pipeline(peers[0])
        while len(witness.messages) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert [m["type"] for m in witness.messages] == ["client-ready", "early"]
        await caller.hang_up()
        await peers[0].wait_closed()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(scenario())
