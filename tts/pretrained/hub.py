"""The model hub: which files a repository holds, and one try at their bytes.

In: a repository and a revision, or a file and where to begin.  Out: `RemoteFile`s with the
checksums that the hub states, or blocks of bytes.  `huggingface_hub` says which hub (`HF_ENDPOINT`,
read when it is imported), which token (`HF_TOKEN`, or the one saved by `hf auth login`), whether to
stay offline (`HF_HUB_OFFLINE`), and makes the HTTP client, which honours proxies.  Its own
downloads are not used: they begin anew when a process died, and check sizes but no checksums.
Blocks; any thread.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import httpx2
from huggingface_hub import constants, get_session, get_token
from huggingface_hub.errors import OfflineModeIsEnabled

from tts.voices.errors import VoiceError

_TIMEOUT = httpx2.Timeout(20.0)
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class PullError(VoiceError):
    """A file cannot be had; the message says which, why, and what to do."""


class Unreachable(PullError):
    """The hub does not answer."""


class TryAgain(Exception):
    """A try failed in a way that may pass; `wait_s` is what the hub asks for, if it does."""

    def __init__(self, reason: str, wait_s: float | None = None, *, answered: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.answered = answered


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the hub says a file's bytes are: its large files by SHA-256, the others as git does."""

    kind: Literal["sha256", "git"]
    hex: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that can be fetched."""

    path: str
    """In its repository, and below the folder of pretrained files."""
    url: str
    size_bytes: int
    checksum: Checksum
    commit: str
    """The commit of the repository; empty for a file from elsewhere."""


class Hub:
    """One hub, as one user."""

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        """Without `endpoint` or `token`, what `huggingface_hub` has of the environment."""
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._token = token or get_token()

    def files(self, repository: str, revision: str) -> dict[str, RemoteFile]:
        """Every file of a repository at a revision, by path.  Raises `TryAgain`, `PullError`."""
        url = f"{self.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}"
        with self._get(f"{url}?blobs=true") as response:
            try:
                response.read()
                said = response.json()
                return dict(_listed(said, f"{self.endpoint}/{repository}"))
            except (KeyError, TypeError, ValueError) as error:
                raise PullError(
                    f"{url} does not answer as a hub does ({type(error).__name__}: {error}); "
                    "is HF_ENDPOINT right?"
                ) from error

    @contextmanager
    def bytes_of(self, file: RemoteFile, start: int) -> Generator[tuple[int, Iterator[bytes]]]:
        """One try at a file's bytes: where they begin (0 or `start`) and the blocks.

        Raises `TryAgain`, when entered or while the blocks are read, and `PullError`.
        """
        ranges = {"range": f"bytes={start}-"} if start else {}
        with self._get(file.url, ranges) as response:
            yield start if response.status_code == 206 else 0, response.iter_bytes()

    @contextmanager
    def _get(self, url: str, headers: dict[str, str] | None = None) -> Generator[httpx2.Response]:
        # A mirror that packs what it sends would make ranges and sizes meaningless.
        sent = {"user-agent": "parley", "accept-encoding": "identity", **(headers or {})}
        if self._token and url.startswith(f"{self.endpoint}/"):
            sent["authorization"] = f"Bearer {self._token}"
        try:
            with get_session().stream("GET", url, headers=sent, timeout=_TIMEOUT) as response:
                self._check(response, url)
                yield response
        except OfflineModeIsEnabled as error:
            raise Unreachable(f"{url} was not asked: HF_HUB_OFFLINE is set") from error
        except httpx2.RequestError as error:
            raise TryAgain(f"{url}: {str(error) or type(error).__name__}") from error

    def _check(self, response: httpx2.Response, url: str) -> None:
        status = response.status_code
        if status < 400:
            return
        if status in _TRY_AGAIN:
            asked = response.headers.get("retry-after", "")
            wait_s = float(asked) if asked.isdigit() else None
            raise TryAgain(f"{url}: status {status}", wait_s, answered=True)
        if status in (401, 403):
            told = "the token sent is not accepted" if self._token else "it wants a token"
            raise PullError(f"{url}: status {status}, {told}; set HF_TOKEN to one that may read it")
        if status == 404:
            raise PullError(f"{url}: status 404, no such repository, revision or file")
        raise PullError(f"{url}: status {status}")


def _listed(said: Any, base: str) -> Iterator[tuple[str, RemoteFile]]:
    """The files of a repository's description; a large one's SHA-256 is that of its content."""
    commit = str(said["sha"])
    for entry in said["siblings"]:
        large = entry.get("lfs")
        checksum = (
            Checksum("sha256", str(large["sha256"]).lower())
            if large
            else Checksum("git", str(entry["blobId"]).lower())
        )
        path = str(entry["rfilename"])
        url = f"{base}/resolve/{commit}/{quote(path)}"
        yield path, RemoteFile(path, url, int(entry["size"]), checksum, commit)
