"""A model hub of our own on this machine, with faults on order.

Speaks what `tts.pretrained.hub` asks of a hub: the description of a repository with its files'
checksums, and the bytes of a file, which like the real one's come from another host by a redirect.
"""

import hashlib
import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SMALL_BYTES = 1000
"""Files below this size are kept as git keeps them, the others by their SHA-256."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with a status instead."""

    status: int
    retry_after: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Cut:
    """Break the connection after so many bytes of the answer."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Send so many bytes of the answer, and no more until told; then break the connection."""

    after_bytes: int
    told: threading.Event


@dataclass(frozen=True, slots=True)
class Wrong:
    """Send other bytes, as many as there should be."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Send everything, whatever range was asked for."""


@dataclass
class HubServer:
    """What the hub has, what it does wrong next, and what it was asked."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    revisions: set[str] = field(default_factory=lambda: {"main"})
    token: str = ""
    """Wanted from everybody, if set."""
    faults: dict[str, deque[object]] = field(default_factory=lambda: defaultdict(deque))
    """By path of a file, or of the repository for its description: one for each request."""
    endpoint: str = ""
    store: str = ""
    described: int = 0
    """Descriptions given."""
    ranges: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By path of a file: the Range of each request for its bytes."""
    sent_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By path of a file."""
    told_store: list[str] = field(default_factory=list)
    """What the store of bytes was told of who asks."""

    def give(self, repository: str, path: str, content: bytes) -> None:
        """Put a file into a repository."""
        self.repositories[repository][path] = content

    def fail(self, path: str, *faults: object) -> None:
        """Do these wrong, one a request, when this is asked for."""
        self.faults[path].extend(faults)

    def fault(self, path: str) -> object | None:
        """What to do wrong this time."""
        return self.faults[path].popleft() if self.faults[path] else None


@contextmanager
def serving(hub: HubServer) -> Iterator[HubServer]:
    """Serve a hub and its store of bytes on two ports of this machine."""
    servers = []
    for handler, name in ((_Hub, "endpoint"), (_Store, "store")):
        bound = type(handler.__name__, (handler,), {"hub": hub})
        server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
        setattr(hub, name, f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name=name)
        thread.start()
        servers.append((server, thread))
    try:
        yield hub
    finally:
        for server, thread in servers:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[HubServer]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def failed(self, path: str) -> bool:
        """Answer with a status if that is ordered."""
        fault = self.hub.faults[path][0] if self.hub.faults[path] else None
        if not isinstance(fault, Status):
            return False
        self.hub.faults[path].popleft()
        self.answer(
            fault.status, **({"Retry_After": fault.retry_after} if fault.retry_after else {})
        )
        return True


class _Hub(_Handler):
    def do_GET(self) -> None:
        if self.hub.token and self.headers["Authorization"] != f"Bearer {self.hub.token}":
            self.answer(401)
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"] and parts[4:5] == ["revision"]:
            self.describe("/".join(parts[2:4]), parts[5])
        elif parts[2:4] == ["resolve", COMMIT]:
            self.point("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self.answer(404)

    def describe(self, repository: str, revision: str) -> None:
        if self.failed(repository):
            return
        if repository not in self.hub.repositories or revision not in self.hub.revisions:
            self.answer(404, X_Error_Code="RepoNotFound")
            return
        self.hub.described += 1
        files = self.hub.repositories[repository]
        siblings = [_described(path, content) for path, content in files.items()]
        body = json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode()
        self.answer(200, body, Content_Type="application/json")

    def point(self, repository: str, path: str) -> None:
        if self.failed(path):
            return
        content = self.hub.repositories[repository].get(path)
        if content is None:
            self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
            return
        self.answer(
            302,
            Location=f"{self.hub.store}{self.path}",
            X_Repo_Commit=COMMIT,
            X_Linked_Size=str(len(content)),
            X_Linked_ETag=f'"{hashlib.sha256(content).hexdigest()}"',
        )


class _Store(_Handler):
    def do_GET(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        repository, path = "/".join(parts[:2]), "/".join(parts[4:])
        content = self.hub.repositories[repository][path]
        asked = self.headers["Range"] or ""
        self.hub.ranges[path].append(asked)
        self.hub.told_store.append(self.headers["Authorization"] or "")
        fault = self.hub.fault(path)
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        if isinstance(fault, Wrong):
            content = bytes(byte ^ 1 for byte in content)
        if isinstance(fault, Whole):
            start = 0
        body = content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if isinstance(fault, Cut | Stall):
            body = body[: fault.after_bytes]
            self.close_connection = True
        self.wfile.write(body)
        self.hub.sent_bytes[path] += len(body)
        if isinstance(fault, Stall):
            fault.told.wait(timeout=60)


def _described(path: str, content: bytes) -> dict[str, object]:
    named = {"rfilename": path, "size": len(content)}
    if len(content) < SMALL_BYTES:
        header = b"blob %d\0" % len(content)
        return {**named, "blobId": hashlib.sha1(header + content).hexdigest()}
    sha256 = hashlib.sha256(content).hexdigest()
    lfs = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return {**named, "blobId": "0" * 40, "lfs": lfs}
