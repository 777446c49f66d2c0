"""The HTTP door: an application made of operations, and what all of their handlers need.

In: an address ("host:port" or "unix:/path") and `Operation`s.  Out: a server that lets in who may,
bounds what they send, and answers every failure with {"error": {"code", "message", "type",
"param", "field"?}}.  Knows no operation's meaning.  Loop's thread only.
"""

import asyncio
import logging
import os
import types
import typing
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar, cast

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from loguru import logger
from multidict import MultiDict, MultiMapping
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import core_schema

from tts.access import Access
from tts.config import ServiceConfig, TlsConfig, explain
from tts.context import CallContext
from tts.errors import BadRequest, Unavailable
from tts.metrics import CONTENT_TYPE
from tts.servers.failures import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    refusal,
)
from tts.servers.middlewares import (
    CALLER,
    MAX_BODY_BYTES,
    OPERATIONS,
    TIMEOUT_S,
    Refused,
    add_headers,
    authentication,
    bounded,
    expect_nothing,
    failure_response,
    failures,
    guard,
)
from tts.servers.openapi import document
from tts.servers.operations import Answer, Handler, Operation
from tts.servers.origin import host_of, is_loopback
from tts.servers.tls import TlsFiles, server_context
from tts.tracing import extract

Fields = TypeVar("Fields", bound=BaseModel)

# What strangers send that is no HTTP is answered, and is no news: aiohttp would log each with a
# trace of its own.  Defects are logged by `tts.servers.middlewares`.
_log = logging.getLogger("tts.servers.http")
_log.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)

STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set when the door takes nothing new: whoever holds a connection that rests shall end it."""

KEEPALIVE_S = 75.0
LINGERING_S = 2.0
"""How long what a refused client still sends is read and dropped, for it to read the refusal."""
BODY_TIMEOUT_S = 10.0
SLOWEST_BODY_BYTES_PER_S = 131_072
"""A body must have arrived after `BODY_TIMEOUT_S` and what the largest one takes at this rate."""
MAX_FORM_PARTS = 64
MAX_PART_IN_MEMORY_BYTES = 1_048_576
"""A larger file of a form is kept on disk."""
PARSED_AT_ONCE_BYTES = 65_536
"""A longer JSON body is parsed in a thread."""
LINE_BYTES_PER_CHAR = 12
"""What a character of a text takes in a URL at most: four bytes, each as %XX."""


class Health(BaseModel):
    """That the process answers."""

    status: str


class Readiness(BaseModel):
    """Whether speech can be had."""

    ready: bool


class HttpDoor:
    """A server for operations."""

    def __init__(
        self,
        config: ServiceConfig,
        access: Access,
        operations: Sequence[Operation],
        *,
        is_ready: Callable[[], bool],
        metrics: Callable[[], str] | None = None,
        refused: Refused = lambda tag, code: None,
    ) -> None:
        """`is_ready` says whether the service works; `metrics` gives what `/metrics` shows;
        `refused` is told (tag of the operation, code) of every failure."""
        self._config = config
        self._access = access
        self._is_ready = is_ready
        self._metrics = metrics
        self._refused = refused
        self._operations = (*operations, *self._own_operations())
        self._is_open = False
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None
        self._sites: list[web.BaseSite] = []

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All that can be asked for, the door's own among them."""
        return self._operations

    async def start(self, address: str) -> int:
        """Listen; `/readyz` says no until `ready`.  Returns the port, 1 for a Unix socket.

        Raises `OSError` when the address cannot be had, `ConfigError` for unusable TLS files.
        """
        unix_path = address.removeprefix("unix:") if address.startswith("unix:") else None
        app = self._app(address)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_log,
            # A caller who goes away ends the work for it.
            handler_cancellation=True,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGERING_S,
            # GPT-SoVITS' dialect carries texts in the URL.
            max_line_size=8190 + LINE_BYTES_PER_CHAR * self._config.limits.max_text_chars,
            auto_decompress=False,
            # Those that `stop` has let end are no more; it only closes.
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        try:
            port = await self._listen(address, unix_path)
        except BaseException:
            await self._runner.cleanup()
            raise
        logger.bind(address=address, port=port).info("listening")
        return port

    async def _listen(self, address: str, unix_path: str | None) -> int:
        assert self._runner is not None
        if unix_path is not None:
            # A socket that a killed process left behind is in nobody's use.
            site: web.BaseSite = web.UnixSite(self._runner, unix_path)
            mask = os.umask(0o077)
            try:
                await site.start()
            finally:
                os.umask(mask)
            self._sites.append(site)
            return 1
        tls = None
        if self._config.tls != TlsConfig():
            files = await asyncio.to_thread(TlsFiles, self._config.tls)
            tls = server_context(files)
        host, _, port = address.rpartition(":")
        tcp = web.TCPSite(
            self._runner,
            host.removeprefix("[").removesuffix("]"),
            int(port),
            ssl_context=tls,
            reuse_address=True,
        )
        await tcp.start()
        self._sites.append(tcp)
        return tcp.port

    def ready(self) -> None:
        """Call the service ready, as long as `is_ready` agrees."""
        self._is_open = True

    async def stop(self, grace_s: float) -> None:
        """Take no new connection, let requests end, cut them off after `grace_s`.  Idempotent."""
        if self._runner is None:
            return
        self._is_open = False
        self._stopping.set()
        for site in self._sites:
            await site.stop()
        self._sites.clear()
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=1.0)
        await self._runner.cleanup()
        self._runner = None

    def _app(self, address: str) -> web.Application:
        config = self._config
        is_private = address.startswith("unix:")
        loopback_only = is_private or is_loopback(host_of(address))
        app = web.Application(
            middlewares=[
                self._counted(),
                failures(self._refused),
                guard(
                    config.http,
                    loopback_only=loopback_only,
                    any_host=is_private or not self._access.is_open,
                ),
                authentication(self._access),
                bounded(config.http),
            ],
            # Each operation has its own bound; this one is for what aiohttp reads of a form.
            client_max_size=max(
                operation.max_body_bytes or config.http.max_body_bytes
                for operation in self._operations
            ),
        )
        app[OPERATIONS] = {
            app.router.add_route(
                operation.method, operation.path, operation.handler, expect_handler=expect_nothing
            ): operation
            for operation in self._operations
        }
        app[STOPPING] = self._stopping
        app.on_response_prepare.append(add_headers)
        return app

    def _counted(self) -> Any:
        """Know what runs; refuse what comes on an old connection while the door is closing."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._stopping.is_set():
                refused = failure_response(request, Unavailable("going down", retry_after_s=1.0))
                refused.force_close()
                return refused
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                return await handler(request)
            finally:
                self._running.discard(task)

        return middleware

    def _own_operations(self) -> list[Operation]:
        ready = {"application/json": Readiness}
        operations = [
            Operation(
                id="getHealth",
                method="GET",
                path="/healthz",
                tag="operating",
                summary="Say that the process answers.",
                handler=self._health,
                answers={200: Answer(description="It does.", content={"application/json": Health})},
                is_open=True,
            ),
            Operation(
                id="getReadiness",
                method="GET",
                path="/readyz",
                tag="operating",
                summary="Say whether speech can be had now.",
                handler=self._readiness,
                answers={
                    200: Answer(description="It can.", content=ready),
                    503: Answer(description="It cannot, not yet or no more.", content=ready),
                },
                is_open=True,
            ),
            Operation(
                id="getDocument",
                method="GET",
                path="/openapi.json",
                tag="operating",
                summary="Describe all that can be asked for, as OpenAPI 3.1.",
                handler=self._document,
                answers={200: Answer(description="It.", content={"application/json": None})},
                is_open=True,
            ),
        ]
        if self._metrics is not None:
            operations.append(
                Operation(
                    id="getMetrics",
                    method="GET",
                    path="/metrics",
                    tag="operating",
                    summary="Show what is counted and measured, for Prometheus.",
                    handler=self._show_metrics,
                    answers={200: Answer(description="It.", content={"text/plain": None})},
                )
            )
        return operations

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def _readiness(self, request: web.Request) -> web.StreamResponse:
        ready = self._is_open and self._is_ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(document(self._operations))

    async def _show_metrics(self, request: web.Request) -> web.StreamResponse:
        assert self._metrics is not None
        return web.Response(text=self._metrics(), headers={"Content-Type": CONTENT_TYPE})


def context_of(request: web.Request, door: str) -> CallContext:
    """Who asks, by when (header `X-Request-Timeout`, in seconds), within which trace.

    Not for an operation that is open: nobody was asked who calls it.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    return CallContext(
        door=door,
        caller=request[CALLER],
        timeout_s=request.get(TIMEOUT_S),
        traceparent=extract(headers),
    )


async def json_body(request: web.Request, model: type[Fields]) -> Fields:
    """Read and check a JSON body; a missing one is taken for {}.

    Types are checked strictly: "1" is no number.  Raises `BadRequest` naming field, value and what
    is allowed, and the refusals of HTTP for what is no JSON or comes too slowly.
    """
    if request.body_exists and request.content_type != "application/json":
        _refuse_content_type(request, "application/json")
    data = await _read(request) or b"{}"
    try:
        if len(data) > PARSED_AT_ONCE_BYTES:
            return await asyncio.to_thread(model.model_validate_json, data, strict=True)
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise _bad_request(error, model) from None


def query_of(request: web.Request, model: type[Fields]) -> Fields:
    """Check the query; a list takes a repeated field.  Raises `BadRequest`."""
    return _checked(model, request.query)


class Upload:
    """A file of a form, as it lies in a temporary file; a type for fields of a form's model."""

    def __init__(self, file_name: str, content_type: str, size_bytes: int, file: BinaryIO) -> None:
        self.file_name = file_name
        """What the client calls it; trust nothing in it."""
        self.content_type = content_type
        self.size_bytes = size_bytes
        self.file = file
        """At its start; reading blocks: use a thread."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}


@asynccontextmanager
async def form_body(request: web.Request, model: type[Fields]) -> AsyncIterator[Fields]:
    """Read and check a `multipart/form-data` body; its files are gone at the end of the block.

    A list takes a repeated field.  Raises `BadRequest`, and the refusals of HTTP for what is no
    form, too large or comes too slowly.
    """
    if request.content_type != "multipart/form-data":
        _refuse_content_type(request, "multipart/form-data")
    with ExitStack() as files:
        yield _checked(model, await _read_form(request, files))


async def _read_form(request: web.Request, files: ExitStack) -> MultiDict[Any]:
    """The fields of a form: texts, and files that `files` will close."""
    given: MultiDict[Any] = MultiDict()
    try:
        async with asyncio.timeout(_body_timeout_s(request)):
            await _go_on(request)
            reader = await request.multipart()
            while (part := await reader.next()) is not None:
                if len(given) == MAX_FORM_PARTS:
                    raise BadRequest(f"the form has more than {MAX_FORM_PARTS} parts")
                if not isinstance(part, BodyPartReader) or part.name is None:
                    raise BadRequest("each part of the form must be a field with a name")
                coding = part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "binary")
                if coding.lower() not in ("binary", "8bit", "7bit"):
                    raise BadRequest(f"{part.name} is encoded as {coding[:80]!r}: send it as it is")
                if part.filename is None:
                    given.add(part.name, (await _read_part(request, part)).decode())
                else:
                    given.add(part.name, await _read_file(request, part, files))
    except TimeoutError:
        raise refusal(BODY_TIMEOUT, "the body did not arrive in time") from None
    # What aiohttp raises for a form that is broken, whatever is wrong with it.
    except (
        ValueError,
        LookupError,
        AssertionError,
        RuntimeError,
        HttpProcessingError,
        StopAsyncIteration,
    ) as error:
        raise BadRequest(f"the body is no form: {str(error)[:200]}") from None
    return given


async def _read_part(request: web.Request, part: BodyPartReader) -> bytes:
    content = bytearray()
    while piece := await part.read_chunk():
        _check_size(request)
        content += piece
    return bytes(content)


async def _read_file(request: web.Request, part: BodyPartReader, files: ExitStack) -> Upload:
    file = files.enter_context(SpooledTemporaryFile(MAX_PART_IN_MEMORY_BYTES))  # noqa: SIM115
    size_bytes = 0
    while piece := await part.read_chunk(65_536):
        _check_size(request)
        size_bytes += len(piece)
        if size_bytes > MAX_PART_IN_MEMORY_BYTES:
            await asyncio.to_thread(file.write, piece)
        else:
            file.write(piece)
    await asyncio.to_thread(file.seek, 0)
    kind = part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream")
    return Upload(part.filename or "", kind, size_bytes, cast(BinaryIO, file))


async def _read(request: web.Request) -> bytes:
    """The whole body.  Raises the refusals of HTTP."""
    body = bytearray()
    try:
        async with asyncio.timeout(_body_timeout_s(request)):
            await _go_on(request)
            async for piece in request.content.iter_any():
                _check_size(request)
                body += piece
    except TimeoutError:
        raise refusal(BODY_TIMEOUT, "the body did not arrive in time") from None
    return bytes(body)


async def _go_on(request: web.Request) -> None:
    """Tell a client that waits for it to send its body (RFC 9110, 10.1.1)."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        transport = request.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _check_size(request: web.Request) -> None:
    most = request[MAX_BODY_BYTES]
    if request.content.total_bytes > most:
        raise refusal(BODY_TOO_LARGE, f"the body is longer than {most} bytes")


def _body_timeout_s(request: web.Request) -> float:
    return BODY_TIMEOUT_S + request[MAX_BODY_BYTES] / SLOWEST_BODY_BYTES_PER_S


def _refuse_content_type(request: web.Request, wanted: str) -> typing.NoReturn:
    given = request.headers.get(hdrs.CONTENT_TYPE, "")[:80]
    raise refusal(UNSUPPORTED_MEDIA_TYPE, f"Content-Type {given!r}: must be {wanted}")


def _checked(model: type[Fields], given: MultiMapping[Any]) -> Fields:
    """Values that came as text, in a model."""
    repeated = {
        field.alias or name
        for name, field in model.model_fields.items()
        if _takes_many(field.annotation)
    }
    values: dict[str, Any] = {}
    for name in dict.fromkeys(given.keys()):
        found = given.getall(name)
        if name not in repeated and len(found) > 1:
            raise BadRequest(f"{name}: given {len(found)} times; allowed is once").about(name)
        values[name] = found if name in repeated else found[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _bad_request(error, model) from None


def _takes_many(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin in (list, tuple):
        return True
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return any(_takes_many(inside) for inside in typing.get_args(annotation))
    return False


def _bad_request(error: ValidationError, model: type[BaseModel]) -> BadRequest:
    """Every problem in words, and the field of the first."""
    problem = error.errors(include_url=False)[0]
    if problem["type"] == "json_invalid":
        return BadRequest(f"the body is no JSON: {problem['ctx']['error']}")
    refused = BadRequest("; ".join(explain(error, model)))
    # Where a field may be one of several things, what follows its name says which, not where.
    return refused.about(str(problem["loc"][0])) if problem["loc"] else refused
