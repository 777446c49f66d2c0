"""The WebSocket door: connections of clients to sessions, and what may be done over one.

In: GET /ws/tts with an upgrade.  Out: the messages of docs/protocols/websocket.md, which
`tts.servers.wire.websocket` reads and writes and `tts.servers.wire.session` puts in order.  Loop's
thread only.
"""

import asyncio
import socket
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web
from loguru import logger

from tts.config import ServiceConfig
from tts.context import CallContext
from tts.errors import BadRequest, Overloaded, SessionLost, SlowReader, TtsError, Unavailable
from tts.servers.delivery import deliver
from tts.servers.operations import Answer, Operation
from tts.servers.reading import context_of
from tts.servers.websocket_session import DOOR, RESUME_WITHIN_S, Sessions
from tts.servers.wire.session import AT_ONCE, KEEP_BYTES
from tts.servers.wire.websocket import (
    SUBPROTOCOL,
    Ack,
    Cancel,
    End,
    Frame,
    ListVoices,
    Ping,
    Refusal,
    Resume,
    Start,
    Synthesize,
    Text,
    error_frame,
    parse,
    pong_frame,
    resumed_frame,
    session_frame,
    voices_frame,
)
from tts.service import SynthesisService

MAX_CONNECTIONS = 1024
IDLE_S = 300.0
"""A connection without a request and without a message for this long is closed."""
HEARTBEAT_S = 60.0
"""A quiet connection is pinged so often, and closed when no pong comes within half of it: over a
slow network a pong waits behind the audio that is under way."""
CLOSE_WITHIN_S = 2.0
SEND_BUFFER_BYTES = 262_144
"""Of the kernel, for what has not left.  What is in it no cancel takes back, and by itself it grows
to megabytes; with a round trip of 200 ms this still carries a megabyte a second."""

CLOSE_IDLE = 4000
CLOSE_RESUMED = 4001
"""The session goes on over another connection."""


class WebSocketDoor:
    """All connections of one service."""

    def __init__(self, service: SynthesisService, config: ServiceConfig) -> None:
        self.service = service
        self.limits = config.limits
        self.sessions = Sessions(service, config.limits)
        self.is_open = True
        """Whether requests are taken."""
        self._max_message_bytes = config.http.max_body_bytes
        self._connections: set[Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def operations(self) -> list[Operation]:
        """What this door adds to the HTTP door."""
        return [
            Operation(
                id="speakOverWebSocket",
                method="GET",
                path="/ws/tts",
                tag="WebSocket",
                summary="Speak texts over one connection; see docs/protocols/websocket.md",
                handler=self.serve,
                answers={101: Answer(description=f"The connection speaks {SUBPROTOCOL}.")},
                errors=(BadRequest, Overloaded, Unavailable),
                key_in_query=True,
                is_documented=False,
            )
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, until it ends.

        Raises `BadRequest` for a request that is no WebSocket's, `Overloaded` and `Unavailable`.
        """
        context = context_of(request, DOOR)
        response = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            heartbeat=HEARTBEAT_S,
            timeout=CLOSE_WITHIN_S,
            compress=False,  # audio does not get smaller
            max_msg_size=self._max_message_bytes,
        )
        if not response.can_prepare(request):
            raise BadRequest("header Upgrade: this path speaks WebSocket (RFC 6455), version 13")
        if not self.is_open:
            raise Unavailable("the service is going down")
        if len(self._connections) >= MAX_CONNECTIONS:
            raise Overloaded(f"{MAX_CONNECTIONS} clients are connected, which is the limit")
        await response.prepare(request)
        _bound_send_buffer(request)
        connection = Connection(self, request, response, context)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
        return response

    async def stop(self, grace_s: float) -> None:
        """Take no more requests, let those being spoken end, cut them off after `grace_s`.

        Idempotent.  Call it before the HTTP door stops, which waits for its connections.
        """
        self.is_open = False
        await asyncio.gather(*(connection.drain(grace_s) for connection in self._connections))
        await self.sessions.stop()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def own(self, closing: asyncio.Task[None]) -> None:
        """Take over a task that closes a connection."""
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


class Connection:
    """One client's connection, and the session that it carries."""

    def __init__(
        self,
        door: WebSocketDoor,
        request: web.Request,
        response: web.WebSocketResponse,
        context: CallContext,
    ) -> None:
        self._door = door
        self._request = request
        self._response = response
        self._context = context
        self._caller = context.caller.name
        self._live = door.sessions.open(self._caller)

    async def run(self) -> None:
        """Read and write until either ends."""
        live = self._live
        live.attach(self)
        sending = asyncio.create_task(self._write(), name="websocket-write")
        try:
            await self._send(
                session_frame(
                    live.session.id,
                    resume_within_s=RESUME_WITHIN_S,
                    keep_bytes=KEEP_BYTES,
                    at_once=AT_ONCE,
                )
            )
            await self._read()
        except (ConnectionError, SlowReader) as error:
            logger.bind(reason=str(error)).info("websocket lost")
            self._abort()
        except Exception:
            logger.exception("websocket failed")
            await self.close(WSCloseCode.INTERNAL_ERROR, "the service failed; its log says why")
        finally:
            # Nothing here waits: a handler whose client is gone is cancelled, maybe right now.
            sending.cancel()
            self._door.sessions.leave(self._live, self)

    async def drain(self, grace_s: float) -> None:
        """Close it once nothing is being spoken, or after `grace_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._live.quiet.wait()
        await self.close(WSCloseCode.GOING_AWAY, "the service is going down")

    async def close(self, code: int, reason: str) -> None:
        """Close it, from any task.  Idempotent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._response.close(code=code, message=reason.encode())

    async def _read(self) -> None:
        """Take messages until the connection is over."""
        while True:
            try:
                message = await self._response.receive(IDLE_S)
            except TimeoutError:
                if self._live.quiet.is_set():
                    await self.close(CLOSE_IDLE, f"no request for {IDLE_S:g} s")
                    return
                continue
            if self._live.connection is not self:
                return
            if message.type is WSMsgType.TEXT:
                await self._take(message.data)
            elif message.type is WSMsgType.BINARY:
                await self._fail(BadRequest("a message is JSON in a text frame"))
            else:
                return

    async def _take(self, text: str) -> None:
        """Do what one message says."""
        message = parse(text)
        match message:
            case Refusal():
                await self._refuse(message)
            case Synthesize() | Start():
                await self._begin(message)
            case Ping():
                await self._send(pong_frame(message))
            case ListVoices():
                await self._send(voices_frame(self._door.service.voices))
            case Resume():
                await self._resume(message)
            case _:
                refusal = self._go_on(message)
                if refusal is not None:
                    await self._fail(BadRequest(refusal.message))

    async def _begin(self, message: Synthesize | Start) -> None:
        try:
            if not self._door.is_open:
                raise Unavailable("the service is going down")
            self._door.sessions.check_room()
        except TtsError as error:
            await self._fail(error, id=message.id)
            return
        refusal = self._live.begin(message, self._context)
        if refusal is None:
            return
        if refusal.about is None:
            await self._fail(BadRequest(refusal.message))
        else:
            await self._fail(Overloaded(refusal.message), id=refusal.about)

    def _go_on(self, message: Text | End | Cancel | Ack) -> Refusal | None:
        match message:
            case Text() | End():
                return self._live.write(message)
            case Cancel():
                return self._live.cancel(message)
            case Ack():
                return self._live.acknowledge(message)

    async def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no message.  A request that it would have begun has ended; so has one
        whose text now lacks a piece."""
        about = refusal.about
        if about is not None and self._live.session.find(about) is not None:
            if self._live.is_writing(about):
                self._live.fail(about, BadRequest(refusal.message))
                return
            about = None
        await self._fail(BadRequest(refusal.message), id=about)

    async def _resume(self, message: Resume) -> None:
        """Carry on the session of a connection that was lost, or is thought to live."""
        if self._live.session.has_requests:
            await self._fail(BadRequest("resume: it must come before any request"))
            return
        live = self._door.sessions.take_back(message.session, self._caller)
        if live is None or live is self._live:
            lost = SessionLost(f"session = {message.session!r}: it is over, or was never there")
            await self._fail(lost)
            for id in message.received:
                await self._fail(lost, id=id)
            return
        other, mine = live.connection, self._live
        resumed, texts = live.resume(message.received)
        # From here on the other connection sends nothing.  Its reader and writer look each time.
        live.attach(self)
        self._live = live
        if isinstance(other, Connection):
            closing = other.close(CLOSE_RESUMED, "the session goes on over another connection")
            self._door.own(asyncio.create_task(closing, name="websocket-close"))
        mine.sendable.set()
        # Sent before the writer, which wakes up while this waits, sends what follows it.
        await self._send(resumed_frame(live.session.id, texts))
        self._door.sessions.end(mine)
        for id in resumed.unknown:
            lost = SessionLost(f"received.{id}: the session has no such request; send it again")
            await self._fail(lost, id=id)
        for id, refusal in resumed.refused:
            await self._fail(SessionLost(refusal.message), id=id)

    async def _fail(self, error: TtsError, *, id: str | None = None) -> None:
        """Answer with an error: of a request, or of none."""
        self._door.service.metrics.refused(DOOR, error.code)
        await self._send(error_frame(error, id=id))

    async def _write(self) -> None:
        """Send frames as they come.  When the client takes none, the connection is cut."""
        try:
            while True:
                live = self._live
                frame = live.session.take() if live.connection is self else None
                if frame is None:
                    live.sendable.clear()
                    await live.sendable.wait()
                    continue
                live.moved()
                await self._send(frame)
        except (ConnectionError, SlowReader) as error:
            logger.bind(reason=str(error)).info("websocket lost")
            self._abort()

    async def _reply(self, frame: str) -> None:
        """Send what is not numbered; while there is no room, no further message is read."""
        await self._send(frame)

    async def _send(self, frame: Frame) -> None:
        """Send one frame; while that waits for room, whoever reads messages reads no more.

        Raises `ConnectionError`, and `SlowReader` when the client takes nothing for too long.
        """
        if isinstance(frame, str):
            write = self._response.send_str(frame)
        else:
            write = self._response.send_bytes(frame)
        await deliver(write, self._door.limits.reader_idle_s)

    def _abort(self) -> None:
        """Cut the connection, and what waits in it."""
        if self._request.transport is not None:
            self._request.transport.abort()


def _bound_send_buffer(request: web.Request) -> None:
    line = request.transport.get_extra_info("socket") if request.transport is not None else None
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
