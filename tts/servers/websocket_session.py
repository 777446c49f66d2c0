"""WebSocket sessions and the tasks that speak for them; they outlive their connections.

In: messages of a client that were read, and what the service speaks.  Out: events in a session's
outboxes, from which a connection sends.  Knows no socket.  Loop's thread only.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from loguru import logger

from tts.config import LimitsConfig
from tts.context import CallContext
from tts.errors import Overloaded, TtsError
from tts.servers.delivery import deliver
from tts.servers.wire.session import Outbox, Resumed, Session
from tts.servers.wire.telling import Telling
from tts.servers.wire.websocket import (
    Ack,
    Cancel,
    End,
    Event,
    Failed,
    Refusal,
    Start,
    Synthesize,
    Text,
)
from tts.service import SynthesisService
from tts.tracing import TRACEPARENT, extract
from tts.types import SpeechChunk

DOOR = "websocket"
RESUME_WITHIN_S = 30.0
"""A session with resumable requests waits so long for its client to come back."""
MORE_THAN_STREAMS = 256
"""Requests over all connections: as many more than twice the streams there may be."""
MAX_AWAY = 256
"""Sessions that wait for their clients; with one more, the one that waited longest ends."""


class Writing:
    """A client's text on its way to the service."""

    def __init__(self, max_chars: int) -> None:
        self.chars = 0
        """What has come, without the request's own text."""
        self.is_ended = False
        self._max_chars = max_chars
        # Bound: the first piece with which the text is too long is the last, for with it the
        # service ends the request.
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def add(self, text: str) -> None:
        """More of it."""
        if text and self.chars <= self._max_chars:
            self._pieces.put_nowait(text)
            self.chars += len(text)

    def end(self) -> None:
        """That was all."""
        self.is_ended = True
        self._pieces.put_nowait(None)

    async def texts(self) -> AsyncGenerator[str]:
        """The pieces, until the end."""
        while (piece := await self._pieces.get()) is not None:
            yield piece


class Speech:
    """One request, from its message to the end of its task."""

    def __init__(self, outbox: Outbox, writing: Writing | None) -> None:
        self.outbox = outbox
        self.writing = writing
        self.moved = asyncio.Event()
        """Something was sent or acknowledged, or the connection is another."""
        self.task: asyncio.Task[None] | None = None


class LiveSession:
    """The requests of one client that are being spoken, and what is owed of them."""

    def __init__(
        self,
        session: Session,
        service: SynthesisService,
        limits: LimitsConfig,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        """`tasks`: where those that speak are until they have ended."""
        self.session = session
        self.sendable = asyncio.Event()
        """`session.take` may have a frame to give."""
        self.connection: object | None = None
        """Who sends the frames now."""
        self.quiet = asyncio.Event()
        """Nothing is owed or being spoken."""
        self.quiet.set()
        self._service = service
        self._limits = limits
        self._speeches: dict[str, Speech] = {}
        self._tasks = tasks

    def begin(self, message: Synthesize | Start, context: CallContext) -> Refusal | None:
        """Speak a request; how it ends stands in its frames."""
        outbox = self.session.begin(message.id, is_resumable=message.resumable)
        if isinstance(outbox, Refusal):
            return outbox
        context = replace(
            context,
            timeout_s=context.timeout_s if message.timeout_s is None else message.timeout_s,
            traceparent=extract({TRACEPARENT: message.traceparent}) or context.traceparent,
        )
        writing = Writing(self._limits.max_text_chars) if isinstance(message, Start) else None
        speech = Speech(outbox, writing)
        speech.task = asyncio.create_task(
            self._speak(speech, message, context), name=f"websocket-speech-{message.id}"
        )
        self._tasks.add(speech.task)
        speech.task.add_done_callback(self._tasks.discard)
        self._speeches[message.id] = speech
        self.quiet.clear()
        return None

    def write(self, message: Text | End) -> Refusal | None:
        """A request's text goes on or ends."""
        speech = self._speeches.get(message.id)
        if speech is None:
            return self.session.stray(message.id)
        if speech.writing is None or speech.writing.is_ended:
            return Refusal(f"id = {message.id!r}: its text is complete")
        if isinstance(message, Text):
            speech.writing.add(message.text)
        else:
            speech.writing.end()
        return None

    def cancel(self, message: Cancel) -> Refusal | None:
        """Say no more of a request."""
        outbox = self.session.find(message.id)
        if outbox is None:
            return self.session.stray(message.id)
        outbox.cancel()
        self._stop(message.id)
        self.sendable.set()
        return None

    def is_writing(self, id: str) -> bool:
        """Whether more of a request's text is to come."""
        writing = self._speeches[id].writing if id in self._speeches else None
        return writing is not None and not writing.is_ended

    def fail(self, id: str, error: TtsError) -> None:
        """End a request with an error; audio that is waiting goes out before it."""
        if (outbox := self.session.find(id)) is not None:
            outbox.add(Failed(error))
            self._stop(id)
            self.sendable.set()

    def acknowledge(self, message: Ack) -> Refusal | None:
        """The client has so much."""
        refusal = self.session.acknowledge(message.id, message.seq)
        self.moved()
        return refusal

    def attach(self, connection: object) -> None:
        """From now on this connection, and no other, sends the frames."""
        self.connection = connection
        self.sendable.set()
        self.moved()

    def lose(self, connection: object) -> None:
        """A connection is over; what cannot be resumed ends."""
        if self.connection is connection:
            self.connection = None
            self.session.lose()
            self.moved()

    def resume(self, received: dict[str, int]) -> tuple[Resumed, dict[str, tuple[int, bool]]]:
        """Go on after what the client has.  Also: by request that goes on, the characters of its
        text that have come, and whether it is complete."""
        resumed = self.session.resume(received)
        self.moved()
        texts = {}
        for id in resumed.going_on:
            writing = self._speeches[id].writing
            texts[id] = (writing.chars, writing.is_ended) if writing is not None else (0, True)
        return resumed, texts

    def moved(self) -> None:
        """Something was sent or came: wake who waited for it, and forget what is over."""
        for id, speech in list(self._speeches.items()):
            if self.session.find(id) is not speech.outbox:
                self._stop(id)
                del self._speeches[id]
            else:
                speech.moved.set()
        if not self._speeches:
            self.quiet.set()

    def close(self) -> None:
        """End all of it.  Idempotent."""
        for id in list(self._speeches):
            self._stop(id)
        self._speeches.clear()
        self.quiet.set()

    def _stop(self, id: str) -> None:
        task = self._speeches[id].task
        if task is not None:
            task.cancel()

    async def _speak(
        self, speech: Speech, message: Synthesize | Start, context: CallContext
    ) -> None:
        """One request, from the service into its outbox; every failure is an event in it."""
        began_s = time.perf_counter()
        first_ms: float | None = None
        telling = Telling(message.format, message.chunk_ms)
        try:
            async with aclosing(self._chunks(speech, message, context)) as chunks:
                async for chunk in chunks:
                    if telling.is_cheap:
                        events = telling.feed(chunk)
                    else:
                        events = await asyncio.to_thread(telling.feed, chunk)
                    first_ms = first_ms or (time.perf_counter() - began_s) * 1000
                    self._tell(speech, *events)
                    await self._room(speech)
            self._tell(speech, telling.done(first_ms or 0.0))
        except TtsError as error:
            self._tell(speech, Failed(error))
        except Exception:
            logger.exception("a request over WebSocket failed")
            self._tell(speech, Failed(TtsError("the service failed; its log says why")))

    def _chunks(
        self, speech: Speech, message: Synthesize | Start, context: CallContext
    ) -> AsyncGenerator[SpeechChunk]:
        if speech.writing is None:
            return self._service.stream(message.request(), context)
        return self._service.stream_text(message.request(), speech.writing.texts(), context)

    def _tell(self, speech: Speech, *events: Event) -> None:
        for event in events:
            speech.outbox.add(event)
            if isinstance(event, Failed):
                self._service.metrics.refused(DOOR, event.error.code)
        self.sendable.set()

    async def _room(self, speech: Speech) -> None:
        """Wait until the outbox takes more.  Raises `SlowReader` when a client that is there
        acknowledges nothing for too long; one that is away has the time of its session."""
        while not speech.outbox.has_room:
            speech.moved.clear()
            # What waits to be sent, and not to be acknowledged, its connection waits for.
            acks = self.connection is not None and speech.outbox.is_resumable
            if acks and not speech.outbox.has_unsent:
                await deliver(speech.moved.wait(), self._limits.reader_idle_s)
            else:
                await speech.moved.wait()


class Sessions:
    """All sessions of one door."""

    def __init__(self, service: SynthesisService, limits: LimitsConfig) -> None:
        self._service = service
        self._limits = limits
        self._sessions: dict[str, LiveSession] = {}
        # What ends the sessions whose clients are away; who went first stands first.
        self._away: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._sessions)

    def check_room(self) -> None:
        """Raise `Overloaded` when all sessions together have as many requests as they may.

        Each may be owed `KEEP_BYTES` after its engine is done with it, and audio from the cache
        takes no stream: without this bound one client could fill the memory.
        """
        limits = self._limits
        most = MORE_THAN_STREAMS + 2 * (limits.max_streams + limits.max_queued)
        if sum(live.session.requests for live in self._sessions.values()) >= most:
            raise Overloaded(
                f"{most} requests over WebSocket are spoken or wait to be acknowledged, which is "
                "the limit"
            )

    def open(self, caller: str) -> LiveSession:
        """A new session, whose id nobody guesses."""
        session = Session(secrets.token_urlsafe(24), caller)
        live = LiveSession(session, self._service, self._limits, self._tasks)
        self._sessions[session.id] = live
        return live

    def take_back(self, id: str, caller: str) -> LiveSession | None:
        """A caller's own session, for its client is back; None if there is none."""
        live = self._sessions.get(id)
        if live is None or live.session.caller != caller:
            return None
        if (ending := self._away.pop(id, None)) is not None:
            ending.cancel()
        return live

    def leave(self, live: LiveSession, connection: object) -> None:
        """A connection is over; its session ends with it, or waits for its client."""
        if live.connection is not connection or live.session.id not in self._sessions:
            return
        live.lose(connection)
        if not live.session.has_requests:
            self.end(live)
            return
        loop = asyncio.get_running_loop()
        self._away[live.session.id] = loop.call_later(RESUME_WITHIN_S, self.end, live)
        if len(self._away) > MAX_AWAY:
            self.end(self._sessions[next(iter(self._away))])

    def end(self, live: LiveSession) -> None:
        """End a session and what it speaks.  Idempotent."""
        if (ending := self._away.pop(live.session.id, None)) is not None:
            ending.cancel()
        self._sessions.pop(live.session.id, None)
        live.close()

    async def stop(self) -> None:
        """End them all.  Idempotent."""
        for live in list(self._sessions.values()):
            self.end(live)
        await asyncio.gather(*self._tasks, return_exceptions=True)
