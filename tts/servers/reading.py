"""What a request says: whose it is and by when, its query, its body, its form.

In: a request that has gone through `tts.servers.middlewares`.  Out: its words in a pydantic model,
or a refusal that names field, value and what is allowed.  Bounds what it reads, in bytes and time,
whatever was said beforehand.  Knows no operation.  Loop's thread only.
"""

import asyncio
import types
import typing
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar, cast

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict, MultiMapping
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import core_schema

from tts.config import explain
from tts.context import CallContext
from tts.errors import BadRequest
from tts.servers.failures import BODY_TIMEOUT, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, refusal
from tts.servers.middlewares import CALLER, MAX_BODY_BYTES, TIMEOUT_S
from tts.tracing import extract

Fields = TypeVar("Fields", bound=BaseModel)

BODY_TIMEOUT_S = 10.0
SLOWEST_BODY_BYTES_PER_S = 131_072
"""A body must have arrived after `BODY_TIMEOUT_S` and what the largest one takes at this rate."""
MAX_FORM_PARTS = 64
MAX_PART_IN_MEMORY_BYTES = 1_048_576
"""A larger file of a form is kept on disk."""
PARSED_AT_ONCE_BYTES = 65_536
"""A longer JSON body is parsed in a thread."""


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
    file = files.enter_context(SpooledTemporaryFile(MAX_PART_IN_MEMORY_BYTES))
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
