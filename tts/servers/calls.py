"""What surrounds every call of the gRPC door: who asks, on what terms, and how it ended.

In: a call's metadata, deadline and messages.  Out: the terms that a handler passes to the service,
messages parsed, errors as statuses, and a line in the log without a word of the text.  Health and
reflection are left as they are: they need no key, and are asked too often for a log.  On the event
loop's thread.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from loguru import logger

from tts.access import Access, bearer
from tts.context import ANYONE, CallContext, Caller
from tts.errors import BadRequest, DeadlineExceeded, TtsError
from tts.metrics import Metrics
from tts.servers.status import to_status
from tts.tracing import extract

DOOR = "grpc"
KEY_HEADER = "x-api-key"

LAST_WORD_S = 1.0
"""A status waits behind audio that was sent before.  When the reader takes none of it, the call is
left so: what lies in the transport's window goes with the connection."""

_terms: ContextVar[CallContext] = ContextVar("terms")


def terms() -> CallContext:
    """Those of the call that this task handles."""
    return _terms.get()


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Surrounds the calls of one gRPC service."""

    def __init__(self, service_name: str, access: Access, metrics: Metrics | None) -> None:
        self._prefix = f"/{service_name}/"
        self._access = access
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """The method's own handler, surrounded."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(self._prefix):
            return handler
        return _surrounded(handler, method.removeprefix(self._prefix), self._call)

    @asynccontextmanager
    async def _call(self, method: str, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        """Around one call; raises what ends it."""
        began_s = time.perf_counter()
        code, caller = "ok", ANYONE
        try:
            metadata = {key: value for key, value in context.invocation_metadata()}
            caller = self._caller(metadata, context.peer())
            timeout_s = context.time_remaining()
            if timeout_s == 0:
                raise DeadlineExceeded("the call's deadline had passed before it was looked at")
            _terms.set(CallContext(DOOR, caller, timeout_s, extract(metadata)))
            yield
        except asyncio.CancelledError:
            code = "deadline_exceeded" if context.time_remaining() == 0 else "cancelled"
            raise
        except grpc.aio.InternalError:  # a write to a caller who is gone
            code = "cancelled"
            raise
        except Exception as error:
            known = error if isinstance(error, TtsError) else TtsError("the service failed")
            if known is not error:
                logger.opt(exception=error).error("a call failed")
            code = known.code
            if self._metrics is not None:
                self._metrics.refused(DOOR, code)
            await _end(context, known)
        finally:
            logger.bind(
                method=method,
                code=code,
                ms=round((time.perf_counter() - began_s) * 1000, 1),
                caller=caller.name,
                peer=context.peer(),
            ).info("call ended")

    def _caller(self, metadata: Mapping[str, object], peer: str) -> Caller:
        """Who asks.  Raises `Unauthenticated`."""
        credential = bearer(_text(metadata, "authorization")) or _text(metadata, KEY_HEADER)
        if credential is None and peer.startswith("unix:"):
            # Only the owner of this process can open its socket.
            return ANYONE
        return self._access.caller(credential)


class Parsed:
    """The messages of a caller's stream.  Raises `BadRequest` for bytes that are none."""

    def __init__(self, raw: AsyncIterator[bytes], parse: Callable[[bytes], Any]) -> None:
        self._raw = raw
        self._parse = parse

    def __aiter__(self) -> "Parsed":
        return self

    async def __anext__(self) -> Any:
        return _parsed(await anext(self._raw), self._parse)


def _surrounded(handler: grpc.RpcMethodHandler, method: str, call: Any) -> grpc.RpcMethodHandler:
    """A handler that parses inside of `call`: gRPC itself ends a call whose message cannot be
    parsed with the text of whatever was raised."""
    parse = handler.request_deserializer
    behaviour = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )

    async def surrounded(request: Any, context: grpc.aio.ServicerContext) -> Any:
        async with call(method, context):
            if handler.request_streaming:
                return await behaviour(Parsed(aiter(request), parse), context)
            return await behaviour(_parsed(request, parse), context)

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(surrounded, None, handler.response_serializer)


def _parsed(raw: bytes, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(raw)
    except DecodeError as error:
        raise BadRequest("the message cannot be parsed: see tts.proto") from error


def _text(metadata: Mapping[str, object], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None


async def _end(context: grpc.aio.ServicerContext, error: TtsError) -> None:
    """End the call with an error's status; raises `AbortError`, with which gRPC is content."""
    status, message, trailing = to_status(error)
    try:
        async with asyncio.timeout(LAST_WORD_S):
            await context.abort(status, message, trailing)
    except TimeoutError as late:
        raise grpc.aio.AbortError from late
