"""The calling side: one real WebRTC call to a daemon, as a person with a headset would make it.

In: an address, speech to say.  Out: both directions on one timeline, the data-channel messages
with their times, and the end of the call.  For `parley talk`, benches and tests.  Knows nothing
about the agent; called from the event loop's thread.

Time is the caller's own: sample n of the microphone is captured n / 48000 s after the media
connected.  A microphone frame leaves when its last sample has been captured.  What the agent says
is placed where a loudspeaker behind a fixed jitter buffer would have played it: `playout_ms` after
its packet came, so the recording contains that delay (60 ms unless set otherwise).
"""

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import aiohttp
import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from transports import aiortc_compat
from transports.codecs import OPUS_FRAME_SAMPLES, OPUS_HZ, OpusDecoder, OpusEncoder, StreamResampler
from transports.concealment import Concealer
from transports.data_channel import Outbox
from transports.impairment import ImpairedPath, Impairment
from transports.jitter_buffer import JitterBuffer, Packet

__all__ = ["CallRefused", "Caller", "Impairment", "Message", "Speech"]

Pcm = NDArray[np.int16]
Signal = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

FRAME_S = OPUS_FRAME_SAMPLES / OPUS_HZ
REORDER_PACKETS = 2
PING_EVERY_S = 1.0
RTVI_VERSION = "2.0.0"
HTTP_TIMEOUT_S = 30.0
VOICED_PEAK = 300  # A frame whose loudest sample reaches this (-41 dBFS) counts as voice.
MAX_GAP_SAMPLES = 10 * OPUS_HZ
MAX_MESSAGES = 10_000  # Of a call; the oldest is dropped.


class CallRefused(Exception):
    """The daemon did not take the call; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Message:
    """A data-channel message and when it came, in seconds of the caller's clock."""

    at_s: float
    content: dict[str, Any]


class Speech:
    """Something the caller says.  Positions are samples at 48 kHz of the caller's clock."""

    def __init__(self, pcm: Pcm) -> None:
        self.start_sample: int | None = None
        self.end_sample: int | None = None
        self.said = asyncio.Event()
        self._pcm = pcm

    @property
    def start_s(self) -> float:
        """When its first sample was captured.  Only once it has begun."""
        assert self.start_sample is not None, "it has not begun"
        return self.start_sample / OPUS_HZ

    @property
    def end_s(self) -> float:
        """When its last sample was captured.  Only once it was said."""
        assert self.end_sample is not None, "it has not been said"
        return self.end_sample / OPUS_HZ

    def take(self, count: int, position: int) -> Pcm:
        """Return up to `count` samples that are captured from `position` on."""
        if self.start_sample is None:
            self.start_sample = position
        run, self._pcm = self._pcm[:count], self._pcm[count:]
        if not len(self._pcm):
            self.end_sample = position + len(run)
            self.said.set()
        return run


class Microphone(MediaStreamTrack):
    """Sends what there is to say, else silence, and keeps all of it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Pcm] = []
        self.pending: deque[Speech] = deque()
        self.tick = asyncio.Event()  # Set after every frame.
        self._encoder = OpusEncoder()
        self._started_s: float | None = None

    @property
    def position(self) -> int:
        """Samples captured by now; 0 until the media connected."""
        if self._started_s is None:
            return 0
        elapsed_s = asyncio.get_running_loop().time() - self._started_s
        return round(elapsed_s * OPUS_HZ)

    async def recv(self) -> Any:
        """Return the next `av.Packet` once its last sample was captured."""
        if self.readyState != "live":
            raise MediaStreamError
        now_s = asyncio.get_running_loop().time()
        if self._started_s is None:
            self._started_s = now_s
        due_s = self._started_s + (len(self.frames) + 1) * FRAME_S
        if due_s > now_s:
            await asyncio.sleep(due_s - now_s)
        pcm = self._next_frame()
        packet = av.Packet(self._encoder.encode(pcm))
        packet.pts = len(self.frames) * OPUS_FRAME_SAMPLES
        packet.time_base = Fraction(1, OPUS_HZ)
        self.frames.append(pcm)
        self.tick.set()
        return packet

    def _next_frame(self) -> Pcm:
        frame = np.zeros(OPUS_FRAME_SAMPLES, np.int16)
        start = len(self.frames) * OPUS_FRAME_SAMPLES
        filled = 0
        while self.pending and filled < len(frame):
            run = self.pending[0].take(len(frame) - filled, start + filled)
            frame[filled : filled + len(run)] = run
            filled += len(run)
            if self.pending[0].said.is_set():
                self.pending.popleft()
        return frame


class Loudspeaker:
    """Places what the agent says on the caller's timeline, behind a fixed jitter buffer."""

    def __init__(self, playout_ms: int, clock: Callable[[], int]) -> None:
        self.late_samples = 0
        """Came too late to be played (48 kHz); silent in the recording."""
        self.last_voice_sample: int | None = None
        self.first_sample = 0
        """Where the recording of the agent begins."""
        self.frames: list[Pcm] = []
        self.jitter = JitterBuffer(REORDER_PACKETS)
        self.concealer = Concealer()
        self._clock = clock
        self._playout_samples = playout_ms * OPUS_HZ // 1000
        self._placed = 0
        self._decoder = OpusDecoder()

    def receive(self, packet: Packet) -> None:
        """Take a packet that has just come."""
        for ordered in self.jitter.add(packet):
            pcm = self._decoder.decode(ordered.packet.payload)
            if pcm is not None:
                self._place(pcm, ordered.packet.timestamp, ordered.restarted)

    def _place(self, pcm: Pcm, timestamp: int, restarted: bool) -> None:
        now = self._clock()
        if not self.frames:
            self.first_sample = now + self._playout_samples
        jumped = restarted or self.concealer.offset(timestamp) > MAX_GAP_SAMPLES
        if (
            jumped and self.frames
        ):  # A new stream begins where it would be played, not where the old one was.
            gap = now + self._playout_samples - (self.first_sample + self._placed)
            self._keep(self.concealer.fill(max(0, gap)))
        if jumped:
            self.concealer.rebase(timestamp)
        placed = self.concealer.feed(pcm, timestamp)
        late = min(max(0, now - (self.first_sample + self._placed)), len(placed))
        if late:
            self.late_samples += late
            placed = np.concatenate([np.zeros(late, np.int16), placed[late:]])
        self._keep(placed)

    def _keep(self, pcm: Pcm) -> None:
        self.frames.append(pcm)
        self._placed += len(pcm)
        if len(pcm) and int(np.abs(pcm.astype(np.int32)).max()) >= VOICED_PEAK:
            self.last_voice_sample = self.first_sample + self._placed


class Caller:
    """One call.  Made by `dial` or `connect`; ended by `hang_up`, or by the other side."""

    def __init__(self, *, playout_ms: int, impairment: Impairment | None) -> None:
        aiortc_compat.require_supported_aiortc()
        self.messages: deque[Message] = deque(maxlen=MAX_MESSAGES)
        self.playout_ms = playout_ms
        self.pc_id = ""
        self.microphone = Microphone()
        self.loudspeaker = Loudspeaker(playout_ms, lambda: self.microphone.position)
        self.path = ImpairedPath(impairment) if impairment is not None else None
        self._pc = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connected = asyncio.Event()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pings: asyncio.Task[None] | None = None
        # The audio line first: it owns the transport that the data channel shares.
        self._audio = self._pc.addTransceiver(self.microphone, "sendrecv")
        aiortc_compat.tap_packets(self._audio.receiver, self.loudspeaker.receive)
        if self.path is not None:
            aiortc_compat.tap_outgoing_rtp(self._audio.sender, self.path.relay)
        self._channel = self._pc.createDataChannel("parley", ordered=True)
        self._outbox = Outbox()
        about = {"library": "parley-caller"}
        self._outbox.put(_rtvi("client-ready", {"version": RTVI_VERSION, "about": about}))
        delay = {"t": "playout-delay", "d": {"delay_ms": playout_ms}}
        self._outbox.put(_rtvi("client-message", delay))
        self._channel.on("open", self._channel_opened)
        self._channel.on("close", self._outbox.close)
        self._channel.on("message", self._message_received)
        self._pc.on("connectionstatechange", self._state_changed)

    @classmethod
    async def dial(
        cls,
        url: str,
        *,
        persona: str | None = None,
        token: str | None = None,
        impairment: Impairment | None = None,
        playout_ms: int = 60,
        connect_timeout_s: float = 15.0,
    ) -> "Caller":
        """Call a daemon, for example at "http://127.0.0.1:7860"; returns once media flows.

        Raises `CallRefused` if it does not take the call, `OSError` or `TimeoutError` if it
        cannot be reached.
        """

        async def signal(offer: dict[str, Any]) -> dict[str, Any]:
            if persona is not None:
                offer["request_data"] = {"persona": persona}
            return await _post_offer(f"{url.rstrip('/')}/api/offer", offer, token)

        return await cls.connect(
            signal,
            impairment=impairment,
            playout_ms=playout_ms,
            connect_timeout_s=connect_timeout_s,
        )

    @classmethod
    async def connect(
        cls,
        signal: Signal,
        *,
        impairment: Impairment | None = None,
        playout_ms: int = 60,
        connect_timeout_s: float = 15.0,
    ) -> "Caller":
        """Call whatever `signal` leads to: it is given {sdp, type} and returns the answer.

        Raises what `signal` raises, and `TimeoutError`; then nothing stays open.
        """
        caller = cls(playout_ms=playout_ms, impairment=impairment)
        try:
            await asyncio.wait_for(caller._establish(signal), connect_timeout_s)
        except BaseException:
            await caller.hang_up()
            raise
        return caller

    # Talking and listening

    @property
    def now_s(self) -> float:
        """Seconds of the caller's clock."""
        return self.microphone.position / OPUS_HZ

    def speak(self, pcm: Pcm, rate_hz: int = 16_000) -> Speech:
        """Begin to say mono int16 as soon as what was to be said before is said."""
        if not len(pcm):
            raise ValueError("pcm is empty; there is nothing to say")
        speech = Speech(_resampled(pcm, rate_hz, OPUS_HZ))
        self.microphone.pending.append(speech)
        return speech

    async def say(self, pcm: Pcm, rate_hz: int = 16_000) -> Speech:
        """Say mono int16; returns when its last sample was captured.

        Raises `ConnectionError` if the call ends meanwhile.  Cancelling leaves the rest unsaid.
        """
        speech = self.speak(pcm, rate_hz)
        try:
            while not speech.said.is_set():
                await self._next_tick()
        finally:
            if speech in self.microphone.pending:
                self.microphone.pending.remove(speech)
        return speech

    async def wait_for_voice(self, since_s: float) -> float:
        """Return when the agent sounds, or has sounded, after `since_s` of the caller's clock.

        The result is the end of the newest voiced 20 ms, in seconds.  Raises `ConnectionError` if
        the call ends meanwhile.
        """
        while (last_s := self._last_voice_s()) is None or last_s < since_s:
            await self._next_tick()
        return last_s

    async def wait_for_quiet(self, quiet_s: float) -> float:
        """Return once the agent has not sounded for `quiet_s`; the result is when it last did.

        Raises `ConnectionError` if the call ends meanwhile.
        """
        begin_s = self.now_s
        while True:
            last_s = self._last_voice_s() or 0.0
            if self.now_s - max(last_s, begin_s) >= quiet_s:
                return last_s
            await self._next_tick()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message on the data channel, as soon as it is open.

        Raises `ConnectionError` once the call has ended.
        """
        self._raise_if_ended()
        self._outbox.put(message)

    async def wait_for_message(self, matches: Callable[[dict[str, Any]], bool]) -> Message:
        """Return the first message of the call that matches, waiting for it if need be.

        Raises `ConnectionError` if the call ends meanwhile.
        """
        while (found := next((m for m in self.messages if matches(m.content)), None)) is None:
            await self._next_tick()
        return found

    def recording(self, rate_hz: int = 48_000) -> Pcm:
        """Return both directions so far, int16[N, 2]: left the microphone, right the agent."""
        left = np.concatenate([*self.microphone.frames, np.zeros(0, np.int16)])
        right = np.zeros(len(left), np.int16)
        position = self.loudspeaker.first_sample
        for frame in self.loudspeaker.frames:
            room = right[position : position + len(frame)]
            room[:] = frame[: len(room)]
            position += len(frame)
        sides = [_resampled(side, OPUS_HZ, rate_hz) for side in (left, right)]
        return np.stack(sides, axis=1)

    # The end

    async def wait_ended(self) -> str:
        """Return why the call ended: "hung up" (by this side), "closed" or "failed"."""
        return await asyncio.shield(self._ended)

    async def hang_up(self) -> None:
        """End the call.  Idempotent."""
        self._end("hung up")
        if self._pings is not None:
            self._pings.cancel()
            await asyncio.gather(self._pings, return_exceptions=True)
        if self.path is not None:
            await self.path.close()
        await self._pc.close()

    # Inside

    async def _establish(self, signal: Signal) -> None:
        await self._pc.setLocalDescription(await self._pc.createOffer())
        offer = self._pc.localDescription
        answer = await signal({"sdp": offer.sdp, "type": offer.type})
        self.pc_id = str(answer.get("pc_id", ""))
        await self._pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await self._connected.wait()
        self._raise_if_ended()
        self._pings = asyncio.create_task(self._ping(), name="caller-pings")

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            if self._channel.readyState == "open":
                self._channel.send(f"ping: {time.time_ns() // 1_000_000}")

    async def _next_tick(self) -> None:
        """Wait for the next microphone frame, or the end of the call."""
        self._raise_if_ended()
        self.microphone.tick.clear()
        await self.microphone.tick.wait()
        self._raise_if_ended()

    def _raise_if_ended(self) -> None:
        if self._ended.done():
            raise ConnectionError(f"the call has ended: {self._ended.result()}")

    def _last_voice_s(self) -> float | None:
        """Return when the agent last sounded, as far as it has been played by now."""
        last = self.loudspeaker.last_voice_sample
        return None if last is None else min(last / OPUS_HZ, self.now_s)

    def _channel_opened(self) -> None:
        self._outbox.open(self._channel.send, lambda: self._channel.bufferedAmount)

    def _message_received(self, message: str | bytes) -> None:
        try:
            content = json.loads(message)
        except ValueError:
            return
        if isinstance(content, dict):
            self.messages.append(Message(self.now_s, content))

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._connected.set()
        elif state in ("closed", "failed"):
            self._end(state)

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
        self._connected.set()
        self.microphone.tick.set()


def _rtvi(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"label": "rtvi-ai", "type": kind, "id": uuid.uuid4().hex[:8], "data": data}


def _resampled(pcm: Pcm, from_hz: int, to_hz: int) -> Pcm:
    resampler = StreamResampler(from_hz, to_hz)
    return np.concatenate([resampler.feed(pcm), resampler.flush()])


async def _post_offer(url: str, offer: dict[str, Any], token: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url, json=offer, headers=headers) as response,
    ):
        if response.status != 200:
            raise CallRefused(response.status, (await response.text())[:1000])
        answer: dict[str, Any] = await response.json()
        return answer
