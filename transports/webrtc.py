"""A caller's line over WebRTC: implements `base.CallTransport`.

In: an offer and later signalling, pipecat frames from the agent.  Out: an answer, the caller's
voice as pipecat frames, the heard clock, and the end of the line.  Speaks pipecat's SmallWebRTC
contract (offer, renegotiation, `restart_pc`, trickled candidates, data channel), without its
connection class.  Knows nothing about HTTP, sessions or the agent; called from the event loop's
thread.

The peer belongs to whoever accepted it and is closed with `close`; frames that end the pipeline
only end the two processors.
"""

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass

import numpy as np
from aiortc import RTCIceServer, RTCSessionDescription
from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from transports import data_channel
from transports.clocked_input import OUTPUT_HZ, ClockedInput
from transports.codecs import OpusDecoder, StreamResampler
from transports.frames import (
    PlaybackEndedFrame,
    PlaybackStartedFrame,
    SpeechAudioFrame,
    SpeechEndFrame,
)
from transports.jitter_buffer import Packet
from transports.offer import OfferRefused, read_candidates, read_offer
from transports.pacing import RATE_HZ, Playback, Started
from transports.webrtc_link import WebRtcLink

__all__ = ["IceServer", "OfferRefused", "WebRtcPeer", "WebRtcSettings"]

TICK_S = 0.02
ROUND_TRIP_EVERY_TICKS = 50
# Microphone chunks not yet taken by the pipeline; the oldest is dropped (2 s).
MAX_WAITING_CHUNKS = 100
# Messages not yet taken by the pipeline; the newest is dropped.
MAX_WAITING_MESSAGES = 200
# What EndFrame waits for speech still to leave, beyond its own length.
DRAIN_GRACE_S = 1.0
MIN_SPEECH_HZ, MAX_SPEECH_HZ = 8_000, 192_000


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True)
class WebRtcSettings:
    """How lines behave; the fields mean what they mean in `[webrtc]` of the configuration."""

    ice_servers: tuple[IceServer, ...]
    gather_timeout_ms: int
    connect_timeout_s: float
    silence_timeout_s: float
    look_ahead_ms: int
    """Frames that a stall of the loop delayed are sent at once afterwards, up to this much."""
    fade_ms: int
    reorder_packets: int


@dataclass
class WebRtcCounts:
    """What went wrong on a line and was survived."""

    dropped_chunks: int = 0
    """20 ms chunks of the caller's voice that the pipeline did not take in time."""
    dropped_messages: int = 0
    """Messages for the agent that the pipeline did not take in time."""
    ignored_messages: int = 0
    """Data-channel messages that mean nothing here."""


class WebRtcInput(FrameProcessor):
    """Pushes the caller's voice and messages, from StartFrame until EndFrame or CancelFrame."""

    def __init__(self, counts: WebRtcCounts) -> None:
        super().__init__(name="webrtc-input")
        self._counts = counts
        self._chunks: deque[bytes] = deque()
        self._messages: deque[dict[str, object]] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether frames are pushed; what arrives before is not kept."""
        return self._task is not None

    def put_audio(self, chunks: list[bytes]) -> None:
        """Hand over chunks of 20 ms."""
        if self.running and chunks:
            self._chunks.extend(chunks)
            while len(self._chunks) > MAX_WAITING_CHUNKS:
                self._chunks.popleft()
                self._counts.dropped_chunks += 1
            self._arrived.set()

    def put_message(self, message: dict[str, object]) -> None:
        """Hand over a message.  Messages that come before StartFrame wait for it."""
        if len(self._messages) >= MAX_WAITING_MESSAGES:
            self._counts.dropped_messages += 1
            return
        self._messages.append(message)
        self._arrived.set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Start and stop with the pipeline; pass everything on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, CancelFrame):
            await self._stop()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._task = self._task or self.create_task(self._push_arrived(), "webrtc-input")
        elif isinstance(frame, EndFrame):
            await self._stop()

    async def cleanup(self) -> None:
        """Release what is still running."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await self.cancel_task(task)

    async def _push_arrived(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._messages:
                message = self._messages.popleft()
                # Both ways: RTVI's processor stands before the line, the agent behind it.
                await self.broadcast_frame(InputTransportMessageFrame, message=message)
            while self._chunks:
                await self.push_frame(InputAudioRawFrame(self._chunks.popleft(), OUTPUT_HZ, 1))


class WebRtcOutput(FrameProcessor):
    """Takes the agent's speech into the playback, and messages to the data channel.

    Speech and messages end here; all other frames are passed on.  An `InterruptionFrame` stops
    every utterance: the frames that would have ended them may just have been dropped.  An
    `EndFrame` is passed on once what was said has left.
    """

    def __init__(self, playback: Playback, outbox: data_channel.Outbox) -> None:
        super().__init__(name="webrtc-output")
        self._playback = playback
        self._outbox = outbox
        # One filter an utterance, from its first audio to its end or stop.
        self._resamplers: dict[int, StreamResampler] = {}
        self._played = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def frame_sent(self) -> None:
        """Say that a frame was taken from the playback."""
        self._played.set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play speech, send messages, pass the rest on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, SpeechAudioFrame):
            await self._play(frame)
        elif isinstance(frame, SpeechEndFrame):
            self._end(frame.utterance)
        elif isinstance(frame, OutputTransportMessageFrame | OutputTransportMessageUrgentFrame):
            self._outbox.put(frame.message)
        elif isinstance(frame, OutputAudioRawFrame):
            await self.push_error("Audio without an utterance cannot be played; it was dropped")
        else:
            await self._lifecycle(frame, direction)

    async def cleanup(self) -> None:
        """Release what is still running."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._stop()

    async def _lifecycle(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame):
            self._playback.stop_all()
            self._resamplers.clear()
        elif isinstance(frame, EndFrame):
            await self._drain()
        if isinstance(frame, EndFrame | CancelFrame):
            await self._stop()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._task = self._task or self.create_task(self._push_events(), "webrtc-output")

    async def _play(self, frame: SpeechAudioFrame) -> None:
        if frame.num_channels != 1 or not MIN_SPEECH_HZ <= frame.sample_rate <= MAX_SPEECH_HZ:
            await self.push_error(
                f"Speech of {frame.num_channels} channels at {frame.sample_rate} Hz was dropped; "
                f"it must be mono, {MIN_SPEECH_HZ} to {MAX_SPEECH_HZ} Hz"
            )
            return
        utterance = frame.utterance
        resampler = self._resamplers.get(utterance)
        if resampler is None or resampler.from_hz != frame.sample_rate:
            if resampler is not None:
                self._playback.write(utterance, resampler.flush())
            resampler = StreamResampler(frame.sample_rate, RATE_HZ)
            self._resamplers[utterance] = resampler
        self._playback.boundaries(utterance, frame.phone_ends_s)
        pcm = np.frombuffer(frame.audio, np.int16, count=len(frame.audio) // 2)
        if not self._playback.write(utterance, resampler.feed(pcm)):
            self._resamplers.pop(utterance, None)

    def _end(self, utterance: int) -> None:
        resampler = self._resamplers.pop(utterance, None)
        if resampler is not None:
            self._playback.write(utterance, resampler.flush())
        self._playback.end(utterance)

    async def _drain(self) -> None:
        """Wait until what was said has left, but not much longer than it takes to say."""
        limit_s = self._playback.waiting_samples / RATE_HZ + DRAIN_GRACE_S
        try:
            await asyncio.wait_for(self._playback.wait_drained(), limit_s)
        except TimeoutError:
            logger.warning("Speech was still waiting when the pipeline ended")
        await self._push_taken_events()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await self.cancel_task(task)

    async def _push_events(self) -> None:
        while True:
            await self._played.wait()
            self._played.clear()
            await self._push_taken_events()

    async def _push_taken_events(self) -> None:
        for event in self._playback.take_events():
            frame: Frame
            if isinstance(event, Started):
                frame = PlaybackStartedFrame(utterance=event.utterance)
            else:
                frame = PlaybackEndedFrame(
                    utterance=event.utterance,
                    sent_s=event.sent_samples / RATE_HZ,
                    stopped=event.stopped,
                )
            await self.push_frame(frame, FrameDirection.UPSTREAM)


class WebRtcPeer:
    """One caller's line; outlives its peer connection when the caller reconnects.

    Made by `accept`.  Ends by itself when the caller leaves ("hung up"), cannot be reached
    ("never connected", "lost") or falls silent on the network ("silent").
    """

    def __init__(self, settings: WebRtcSettings, pc_id: str) -> None:
        self.pc_id = pc_id
        self.counts = WebRtcCounts()
        self.playback = Playback(fade_ms=settings.fade_ms)
        self.voice = ClockedInput(OpusDecoder().decode, reorder_packets=settings.reorder_packets)
        self._settings = settings
        self._outbox = data_channel.Outbox()
        self._input = WebRtcInput(self.counts)
        self._output = WebRtcOutput(self.playback, self._outbox)
        self._answer: RTCSessionDescription | None = None
        self._client_delay_ms = 0.0
        self._round_trip_ms = 0.0
        self._loop = asyncio.get_running_loop()
        self._connected = False
        self._heard_s = self._loop.time()  # When the caller last gave a sign of life.
        self._link = self._new_link()
        self._signalling = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[str] | None = None

    @classmethod
    async def accept(
        cls, offer_sdp: object, offer_type: object, settings: WebRtcSettings, id_prefix: str = ""
    ) -> "WebRtcPeer":
        """Answer an offer; the answer is in `answer`.

        `pc_id` is `id_prefix` and 128 random bits: who knows it may renegotiate the call.  Raises
        `OfferRefused`, and then nothing stays open.  Cancelling leaves nothing open either.
        """
        offer = read_offer(offer_sdp, offer_type)
        peer = cls(settings, id_prefix + secrets.token_hex(16))
        try:
            peer._answer = await peer._link.answer(offer)
        except BaseException:
            await peer._link.close()
            raise
        peer._watch = asyncio.create_task(peer._watch_line(), name="webrtc-watch")
        return peer

    # CallTransport

    @property
    def input(self) -> FrameProcessor:
        """See `base.CallTransport`."""
        return self._input

    @property
    def output(self) -> FrameProcessor:
        """See `base.CallTransport`."""
        return self._output

    async def wait_closed(self) -> str:
        """Return once the line is down, with the reason.  Cancelling leaves the line as it is."""
        while self._closing is None:
            assert self._watch is not None
            await asyncio.wait([self._watch])
        return await asyncio.shield(self._closing)

    async def close(self, reason: str) -> None:
        """Take the line down; the first reason stays.  Cancelling does not stop the closing."""
        await asyncio.shield(self._close_soon(reason))

    # Signalling

    @property
    def answer(self) -> dict[str, str]:
        """The newest answer, as the caller expects it: `sdp`, `type`, `pc_id`."""
        assert self._answer is not None
        return {"sdp": self._answer.sdp, "type": self._answer.type, "pc_id": self.pc_id}

    async def renegotiate(
        self, offer_sdp: object, offer_type: object, *, restart_pc: bool = False
    ) -> dict[str, str]:
        """Answer a later offer of the same caller; with `restart_pc` over a new connection.

        Input, output and playback go on.  Raises `OfferRefused`; the call then stays as it was,
        unless aiortc failed half-way, which ends it.
        """
        offer = read_offer(offer_sdp, offer_type)
        async with self._signalling:
            if self._closing is not None:
                raise OfferRefused("closed", "the call is over")
            if restart_pc:
                await self._link.close()
                self._link = self._new_link()
                self._connected = False
                self._heard_s = self._loop.time()
            try:
                self._answer = await self._link.answer(offer)
            except OfferRefused:
                self._close_soon("refused")
                raise
        return self.answer

    async def add_candidates(self, items: object) -> None:
        """Take trickled candidates: objects with `candidate`, `sdp_mid`, `sdp_mline_index`.

        An empty `candidate` says that no more follow.  Raises `OfferRefused`.
        """
        candidates, complete = read_candidates(items)
        if self._closing is None:
            self._link.add_candidates(candidates, complete)

    # LinkListener

    def on_packet(self, packet: Packet) -> None:
        """See `LinkListener`."""
        self._heard_s = self._loop.time()
        self._start_clock()
        self._input.put_audio(self.voice.packet(packet, self._heard_s))

    def on_frame_sent(self) -> None:
        """See `LinkListener`."""
        self._output.frame_sent()

    def on_state(self, state: str) -> None:
        """See `LinkListener`."""
        if state == "connected":
            self._connected = True
            self._heard_s = self._loop.time()
        elif state == "failed":
            self._close_soon("lost" if self._connected else "never connected")
        elif state == "closed":
            self._close_soon("hung up")

    def on_message(self, message: str | bytes) -> None:
        """See `LinkListener`."""
        self._heard_s = self._loop.time()
        meaning = data_channel.read_message(message)
        if isinstance(meaning, data_channel.AgentMessage):
            self._input.put_message(meaning.content)
        elif isinstance(meaning, data_channel.PlayoutDelay):
            self._client_delay_ms = meaning.delay_ms
            self._set_playout_delay()
        elif isinstance(meaning, data_channel.PeerLeft):
            self._close_soon("hung up")
        elif isinstance(meaning, data_channel.Ignored) and meaning.fault is not None:
            self.counts.ignored_messages += 1
            if self.counts.ignored_messages % data_channel.WARN_EVERY == 1:
                logger.warning(
                    "A message of a caller was ignored ({} so far): {}",
                    self.counts.ignored_messages,
                    meaning.fault,
                )

    # Inside

    def _new_link(self) -> WebRtcLink:
        servers = tuple(
            RTCIceServer(urls=list(s.urls), username=s.username, credential=s.credential)
            for s in self._settings.ice_servers
        )
        return WebRtcLink(
            self.playback,
            self._outbox,
            self,
            ice_servers=servers,
            gather_timeout_s=self._settings.gather_timeout_ms / 1000,
            catch_up_s=self._settings.look_ahead_ms / 1000,
        )

    def _start_clock(self) -> None:
        if not self.voice.started and self._connected and self._input.running:
            self.voice.start(self._loop.time())

    async def _watch_line(self) -> None:
        """Keep the caller's clock running and end the line when the caller is gone."""
        try:
            await self._tick_until_closing()
        except Exception:  # A line that nobody watches must not look alive.
            logger.exception("Watching a WebRTC line failed")
            self._close_soon("failed")

    async def _tick_until_closing(self) -> None:
        ticks = 0
        while self._closing is None:
            await asyncio.sleep(TICK_S)
            ticks += 1
            now_s = self._loop.time()
            self._start_clock()
            self._input.put_audio(self.voice.tick(now_s))
            if ticks % ROUND_TRIP_EVERY_TICKS == 0:
                await self._measure_round_trip()
            if not self._connected and now_s - self._heard_s > self._settings.connect_timeout_s:
                self._close_soon("never connected")
            elif self._connected and now_s - self._heard_s > self._settings.silence_timeout_s:
                self._close_soon("silent")

    async def _measure_round_trip(self) -> None:
        round_trip_s = await self._link.round_trip_s()
        if round_trip_s is not None:
            self._round_trip_ms = round_trip_s * 1000
            self._set_playout_delay()

    def _set_playout_delay(self) -> None:
        self.playback.set_playout_delay_ms(self._client_delay_ms + self._round_trip_ms / 2)

    def _close_soon(self, reason: str) -> asyncio.Task[str]:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(reason), name="webrtc-close")
        return self._closing

    async def _close(self, reason: str) -> str:
        self._outbox.put({"type": "signalling", "message": {"type": "peerLeft"}})
        self.playback.close()
        self._output.frame_sent()  # The ends of the utterances that were cut off.
        if self._watch is not None:
            await asyncio.wait([self._watch])
        async with self._signalling:
            await self._link.close()
        logger.info("A WebRTC line is down: {}", reason)
        return reason
