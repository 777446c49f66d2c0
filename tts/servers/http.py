"""The HTTP door: an application made of operations, and what all of them need.

In: an address ("host:port" or "unix:/path") and `Operation`s.  Out: a server that lets in who may,
bounds what they send, and answers every failure with {"error": {"code", "message", "type",
"param", "field"?}}.  Knows no operation's meaning.  Loop's thread only.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from aiohttp import web
from pydantic import BaseModel

from tts.access import Access
from tts.config import ServiceConfig
from tts.context import CallContext
from tts.servers.operations import Operation

Fields = TypeVar("Fields", bound=BaseModel)


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
    ) -> None:
        """`is_ready` says whether the service works; `metrics` gives what `/metrics` shows."""
        raise NotImplementedError

    async def start(self, address: str) -> int:
        """Listen; `/readyz` says no until `ready`.  Returns the port, 1 for a Unix socket.

        Raises `OSError` when the address cannot be had, `ConfigError` for unusable TLS files.
        """
        raise NotImplementedError

    def ready(self) -> None:
        """Call the service ready, as long as `is_ready` agrees."""
        raise NotImplementedError

    async def stop(self, grace_s: float) -> None:
        """Take no new connection, let requests end, cut them off after `grace_s`.  Idempotent."""
        raise NotImplementedError


def context_of(request: web.Request, door: str) -> CallContext:
    """Who asks, and by when; the header `X-Request-Timeout` has seconds.  Raises `BadRequest`."""
    raise NotImplementedError


async def json_body(request: web.Request, model: type[Fields]) -> Fields:
    """Read and check a JSON body.  Raises `BadRequest` naming field, value and what is allowed."""
    raise NotImplementedError


def query_of(request: web.Request, model: type[Fields]) -> Fields:
    """Check the query; a list takes a repeated field.  Raises `BadRequest`."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, as it lies in a temporary file; a type for fields of a form's model."""

    file_name: str
    """What the client calls it; trust nothing in it."""
    content_type: str
    size_bytes: int
    file: BinaryIO
    """At its start; reading blocks: use a thread."""


@asynccontextmanager
async def form_body(request: web.Request, model: type[Fields]) -> AsyncIterator[Fields]:
    """Read and check a `multipart/form-data` body; its files are gone at the end of the block.

    A list takes a repeated field.  Raises `BadRequest`.
    """
    raise NotImplementedError
    yield
