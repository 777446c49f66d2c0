"""REST as data: what can be asked over HTTP, one `Operation` each.

`tts.servers.http` makes routes of operations and `tts.servers.openapi` the document that describes
them, so neither can know one that the other does not.  Plain values; any thread.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from tts.errors import TtsError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One way in which an operation may end well."""

    description: str
    content: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    """By content type: the model of a JSON body, or of one event of a `text/event-stream`; None
    for bytes or plain text.  Empty: no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name: what a header says."""
    example: Any = None
    """A JSON body, for a reader of the document."""
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What can be asked for next: by an operation's id, what its path fields are in this answer,
    as runtime expressions of OpenAPI, {"getJob": {"job": "$response.body#/id"}}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path.

    Of the models, the field descriptions are the document's.  The errors of the door itself (key,
    origin, size and form of the body) are not listed: the document adds them.
    """

    id: str
    """Stable and unique, in camelCase: generated clients name a function after it."""
    method: str
    path: str
    """With fields in braces, "/v1/voices/{voice}"; no patterns inside."""
    tag: str
    """Heading that it stands under."""
    summary: str
    handler: Handler
    path_fields: type[BaseModel] | None = None
    """Without: each field in the path is a string."""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    """A JSON body; one with defaults in every field may be left out."""
    form: type[BaseModel] | None = None
    """A `multipart/form-data` body; its files are fields of the type `reading.Upload`."""
    answers: Mapping[int, Answer]
    """By status."""
    errors: tuple[type[TtsError], ...] = ()
    """What it raises itself."""
    refusals: tuple[str, ...] = ()
    """Codes of `tts.servers.failures.REFUSALS` that it refuses with itself."""
    is_open: bool = False
    """It needs no key."""
    manages: bool = False
    """It needs a key with `may_manage`."""
    key_in_query: bool = False
    """The key may stand in the query field `key`, for clients that can send no header."""
    max_body_bytes: int | None = None
    """Largest body; without: `http.max_body_bytes`."""
    is_documented: bool = True
    """False for what OpenAPI cannot describe."""
