"""The HTTP door: an application made of operations.

In: an address ("host:port" or "unix:/path") and `Operation`s.  Out: a server that lets in who may,
bounds what they send, and answers every failure in the form of `tts.servers.failures`.  Knows no
operation's meaning.  Loop's thread only.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from loguru import logger
from pydantic import BaseModel

from tts.access import Access, check_address
from tts.config import ServiceConfig, TlsConfig
from tts.errors import Unavailable
from tts.metrics import CONTENT_TYPE
from tts.servers.middlewares import (
    OPERATIONS,
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

# What strangers send that is no HTTP is answered, and is no news: aiohttp would log each with a
# trace of its own.  Defects are logged by `tts.servers.middlewares`.
_log = logging.getLogger("tts.servers.http")
_log.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)

KEEPALIVE_S = 75.0
LINGERING_S = 2.0
"""How long what a refused client still sends is read and dropped, for it to read the refusal."""
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

        Raises `OSError` when the address cannot be had, `ConfigError` when it must not be, or for
        unusable TLS files.
        """
        check_address(address, self._access)
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
            site: web.BaseSite = web.UnixSite(self._runner, unix_path)
            # Only the owner of the process may connect.  A socket that a killed process left
            # behind is replaced by asyncio.
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
