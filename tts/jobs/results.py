"""Where finished files are kept: a folder, or a bucket of Amazon's S3 or anything compatible.

In: a file's bytes as they are made.  Out: any run of them.  A file is there whole or not at all.
Knows nothing of jobs.  Called from the event loop's thread; blocking work runs in others.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import urlsplit

import obstore
from loguru import logger
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tts.config import ConfigError, JobsConfig
from tts.errors import Unavailable

if TYPE_CHECKING:
    from obstore.store import RetryConfig

READ_BYTES = 1 << 19
"""What is read at once."""
PART_BYTES = 5 << 20
"""Part of an upload: the smallest that S3 takes, but for the last."""
PARTS_AT_ONCE = 2
"""Parts on their way at once: an upload holds about so many and one more in memory."""
_ABORT_S = 10.0
"""How long the store may take to drop an upload that was cancelled."""
_RETRY: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


class ResultStore(Protocol):
    """Files by key.  Every method raises `Unavailable` when the store cannot do it now."""

    async def start(self) -> None:
        """Remove what a crash has left behind."""

    async def put(self, key: str, content_type: str, blocks: AsyncIterator[bytes]) -> None:
        """Keep a file; returns once it is kept for good.  One of the same key is replaced.

        What `blocks` raises is passed on.  Then, and when cancelled, nothing is kept.
        """

    async def size_bytes(self, key: str) -> int | None:
        """Length of a file; None when there is none."""

    def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Bytes `start` to `end` (one past the last) of a file that is there."""

    async def delete(self, key: str) -> None:
        """Forget a file.  Idempotent."""


def result_store(config: JobsConfig) -> ResultStore:
    """The one of `jobs.store`.  Raises `ConfigError` where that cannot be one."""
    if config.store:
        return BucketResults(config)
    assert config.dir is not None
    return FolderResults(config.dir / "results")


class FolderResults:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> None:
        """See `ResultStore`."""
        try:
            await asyncio.to_thread(self._clean)
        except OSError as error:
            raise _unavailable(error) from error

    async def put(self, key: str, content_type: str, blocks: AsyncIterator[bytes]) -> None:
        """See `ResultStore`."""
        scratch = self._folder / f".{key}.part"
        try:
            file = await asyncio.to_thread(open, scratch, "wb")
            try:
                async for block in blocks:
                    await asyncio.to_thread(file.write, block)
                await asyncio.to_thread(self._finish, file, key)
            finally:
                await asyncio.to_thread(_drop, file, scratch)
        except OSError as error:
            raise _unavailable(error) from error

    async def size_bytes(self, key: str) -> int | None:
        """See `ResultStore`."""
        try:
            return (await asyncio.to_thread((self._folder / key).stat)).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(error) from error

    async def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See `ResultStore`."""
        try:
            # Open for as long as it is read: a file that is deleted meanwhile is read to its end.
            file = await asyncio.to_thread(open, self._folder / key, "rb")
            with file:
                file.seek(start)
                while start < end:
                    block = await asyncio.to_thread(file.read, min(READ_BYTES, end - start))
                    if not block:
                        raise Unavailable(f"the file ends at byte {start}, not at {end}")
                    start += len(block)
                    yield block
        except OSError as error:
            raise _unavailable(error) from error

    async def delete(self, key: str) -> None:
        """See `ResultStore`."""
        try:
            await asyncio.to_thread((self._folder / key).unlink, missing_ok=True)
        except OSError as error:
            raise _unavailable(error) from error

    def _clean(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".*.part"):
            left.unlink()

    def _finish(self, file: BinaryIO, key: str) -> None:
        """Keep the file for good, then move it to its place, for good too."""
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, self._folder / key)
        names = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(names)
        finally:
            os.close(names)


class BucketResults:
    """Objects of a bucket.

    What a killed process had begun to upload stays in the bucket, unseen: a life-cycle rule of the
    bucket's (AbortIncompleteMultipartUpload) removes it.
    """

    def __init__(self, config: JobsConfig) -> None:
        """Raises `ConfigError`; connects to nothing yet."""
        url = urlsplit(config.store)
        if url.scheme != "s3" or not url.netloc or url.query or url.fragment:
            raise ConfigError(f'jobs.store = {config.store!r}: allowed are "" and s3://bucket/path')
        try:
            self._store = S3Store(
                url.netloc,
                prefix=url.path.strip("/") or None,
                region=config.region,
                client_options={"allow_http": config.endpoint.startswith("http://")},
                retry_config=_RETRY,
                config={"endpoint": config.endpoint} if config.endpoint else None,
            )
        except (BaseError, ValueError) as error:
            raise ConfigError(f"jobs.store = {config.store!r}: {_said(error)}") from error

    async def start(self) -> None:
        """See `ResultStore`."""

    async def put(self, key: str, content_type: str, blocks: AsyncIterator[bytes]) -> None:
        """See `ResultStore`."""
        cancelled = False

        async def until_cancelled() -> AsyncIterator[bytes]:
            async for block in blocks:
                if cancelled:
                    # Only what fails by itself is dropped by the store too.
                    raise asyncio.InvalidStateError("the upload was cancelled")
                yield block

        upload = asyncio.ensure_future(
            obstore.put_async(
                self._store,
                key,
                until_cancelled(),
                attributes={"Content-Type": content_type},
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        )
        try:
            await asyncio.shield(upload)
        except asyncio.CancelledError:
            cancelled = True
            await asyncio.wait({upload}, timeout=_ABORT_S)
            raise
        except BaseError as error:
            raise _unavailable(error) from error
        finally:
            upload.cancel()
            await asyncio.gather(upload, return_exceptions=True)

    async def size_bytes(self, key: str) -> int | None:
        """See `ResultStore`."""
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise _unavailable(error) from error

    async def read(self, key: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See `ResultStore`."""
        try:
            while start < end:
                until = min(start + READ_BYTES, end)
                block = await obstore.get_range_async(self._store, key, start=start, end=until)
                if len(block) != until - start:
                    raise Unavailable(f"the object ends before byte {until}")
                start = until
                yield bytes(block)
        except (FileNotFoundError, BaseError) as error:
            raise _unavailable(error) from error

    async def delete(self, key: str) -> None:
        """See `ResultStore`."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _unavailable(error) from error


def _drop(file: BinaryIO, scratch: Path) -> None:
    """Close a file; where it was not moved to its place, remove it."""
    file.close()
    scratch.unlink(missing_ok=True)


def _unavailable(error: Exception) -> Unavailable:
    """What callers are told; what is wrong with the store is its operator's to see."""
    logger.bind(reason=_said(error)).error("store of results failed")
    return Unavailable("the store of results does not answer")


def _said(error: Exception) -> str:
    """The first line: the others are internals of the library's."""
    return str(error).partition("\n")[0][:300]
