"""An HTTP door with operations that tests can see through, and bytes straight to its socket."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from tts.access import Access
from tts.config import AccessConfig, HttpConfig, KeyConfig, Secrets, ServiceConfig
from tts.errors import Overloaded
from tts.servers.http import HttpDoor
from tts.servers.operations import Answer, Operation
from tts.servers.reading import Upload, context_of, form_body, json_body, query_of

KEY, MANAGER_KEY = "a-key-for-reading", "a-key-for-everything"
CONFIG = ServiceConfig(http=HttpConfig(max_body_bytes=2048, allowed_origins=("https://a.example",)))
WITH_KEYS = CONFIG.model_copy(
    update={
        "access": AccessConfig(
            keys=(
                KeyConfig(name="reader", sha256=hashlib.sha256(KEY.encode()).hexdigest()),
                KeyConfig(
                    name="manager",
                    sha256=hashlib.sha256(MANAGER_KEY.encode()).hexdigest(),
                    may_manage=True,
                ),
            )
        )
    }
)


class EchoBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    speed: float = 1.0
    tags: list[str] = []


class EchoQuery(BaseModel):
    text: str = ""
    count: int = 1
    tag: list[str] = []


class EchoForm(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: str
    clip: Upload
    tag: list[str] = []


@dataclass
class Echo:
    """Operations that give back what they were given."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once `/stream` has sent its first bytes."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """What `/stream` waits for then."""
    then: Exception | None = None
    """What `/stream` raises after that; None: it ends."""
    ended: list[str] = field(default_factory=list)
    """How calls of `/stream` ended."""

    def operations(self) -> list[Operation]:
        def operation(id: str, method: str, path: str, handler: Any, **more: Any) -> Operation:
            return Operation(
                id=id,
                method=method,
                path=path,
                tag="test",
                summary=f"{id}.",
                handler=handler,
                answers={
                    200: Answer(description="It.", content={"application/json": None}),
                },
                **more,
            )

        return [
            operation("echo", "POST", "/echo", self._echo, body=EchoBody),
            operation("query", "GET", "/query", self._query, query=EchoQuery, key_in_query=True),
            operation("form", "POST", "/form", self._form, form=EchoForm, max_body_bytes=5_000_000),
            operation("stream", "GET", "/stream", self._stream),
            operation("fail", "GET", "/fail", self._fail),
            operation("busy", "GET", "/busy", self._busy, errors=(Overloaded,)),
            operation("manage", "DELETE", "/things/{thing}", self._query, manages=True),
        ]

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        return web.json_response((await json_body(request, EchoBody)).model_dump())

    async def _query(self, request: web.Request) -> web.StreamResponse:
        terms = context_of(request, "test")
        found = query_of(request, EchoQuery).model_dump()
        return web.json_response(
            {**found, "caller": terms.caller.name, "timeout_s": terms.timeout_s}
        )

    async def _form(self, request: web.Request) -> web.StreamResponse:
        async with form_body(request, EchoForm) as form:
            content = await asyncio.to_thread(form.clip.file.read)
            return web.json_response(
                {
                    "text": form.text,
                    "tag": form.tag,
                    "name": form.clip.file_name,
                    "type": form.clip.content_type,
                    "size": form.clip.size_bytes,
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            await answer.write(b"first")
            self.begun.set()
            await self.go_on.wait()
            if self.then is not None:
                raise self.then
            await answer.write(b"last")
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("finished")
        return answer

    async def _fail(self, request: web.Request) -> web.StreamResponse:
        raise KeyError("a secret of the service")

    async def _busy(self, request: web.Request) -> web.StreamResponse:
        raise Overloaded("all streams are taken", retry_after_s=2.4)


@asynccontextmanager
async def served(
    operations: Sequence[Operation],
    config: ServiceConfig = CONFIG,
    *,
    address: str = "127.0.0.1:0",
    secrets: Secrets | None = None,
    refused: list[tuple[str, str]] | None = None,
) -> AsyncIterator[tuple[HttpDoor, int]]:
    """A door that is ready, and its port."""
    door = HttpDoor(
        config,
        Access(config.access, secrets or Secrets()),
        operations,
        is_ready=lambda: True,
        metrics=lambda: "parley_tts_up 1\n",
        refused=lambda tag, code: None if refused is None else refused.append((tag, code)),
    )
    port = await door.start(address)
    door.ready()
    try:
        yield door, port
    finally:
        await door.stop(0)


async def raw(port: int, request: bytes, *, more: bytes = b"") -> tuple[int, dict[str, Any], bytes]:
    """The status, headers and rest of what comes back for bytes; the connection is closed then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 100"):
                writer.write(more)
                head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines[1:-2])
            }
            length = int(headers.get("content-length", 0))
            return int(lines[0].split()[1]), headers, await reader.readexactly(length)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def error_in(body: bytes) -> dict[str, Any]:
    return json.loads(body)["error"]
