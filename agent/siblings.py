"""The other workers of this daemon, reached over Unix sockets in the run folder.

In: a request that another worker must answer.  Out: that worker's response, or None when it
cannot be reached (it may be restarting).  Knows nothing of calls.  Loop's thread only.
"""

import asyncio
import json
from pathlib import Path

import aiohttp
from aiohttp import hdrs, web

FORWARD_TIMEOUT_S = 15.0
ASK_TIMEOUT_S = 2.0
"""A sibling that does not say how it is within this counts as unreachable."""

_PASSED_HEADERS = (hdrs.CONTENT_TYPE, hdrs.RETRY_AFTER)


def socket_path(run_dir: Path, worker: int) -> Path:
    """Return where a worker's own socket lies."""
    return run_dir / f"worker-{worker}.sock"


class Siblings:
    """Every worker but this one."""

    def __init__(self, run_dir: Path, *, own: int, count: int) -> None:
        self.own = own
        """This worker's index."""
        self._paths = {index: socket_path(run_dir, index) for index in range(count) if index != own}
        self._sessions: dict[int, aiohttp.ClientSession] = {}

    def has(self, worker: int) -> bool:
        """Whether there is such a worker besides this one."""
        return worker in self._paths

    async def forward(self, worker: int, request: web.Request, body: bytes) -> web.Response | None:
        """Have another worker answer; None when it cannot be reached."""
        timeout = aiohttp.ClientTimeout(total=FORWARD_TIMEOUT_S)
        try:
            async with self._session(worker).request(
                request.method,
                f"http://worker{request.path_qs}",
                data=body,
                headers={hdrs.CONTENT_TYPE: request.headers.get(hdrs.CONTENT_TYPE, "")},
                timeout=timeout,
            ) as response:
                headers = {
                    name: response.headers[name]
                    for name in _PASSED_HEADERS
                    if name in response.headers
                }
                return web.Response(
                    status=response.status, body=await response.read(), headers=headers
                )
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def forward_to_free(self, request: web.Request, body: bytes) -> web.Response | None:
        """Have the least loaded worker with room answer; None when none has room."""
        loads = {
            index: json.loads(text)
            for index, text in (await self.get_all("/load")).items()
            if text is not None
        }
        for index in sorted(loads, key=lambda index: (loads[index]["running"], index)):
            if loads[index]["free"] > 0:
                response = await self.forward(index, request, body)
                if response is not None and response.status != 503:
                    return response
        return None

    async def get_all(self, path: str) -> dict[int, str | None]:
        """Return what every other worker answers to a GET; None for one that does not."""
        texts = await asyncio.gather(*(self._get(index, path) for index in self._paths))
        return dict(zip(self._paths, texts, strict=True))

    async def stalled(self) -> set[int]:
        """Return the workers that are there and do not answer.

        One that is starting or being restarted does not listen, and is not among them.
        """
        asked = {index: self._ask(index, "/healthz") for index in self._paths}
        answers = await asyncio.gather(*asked.values(), return_exceptions=True)
        return {
            index
            for index, answer in zip(asked, answers, strict=True)
            if isinstance(answer, TimeoutError)
        }

    async def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _get(self, worker: int, path: str) -> str | None:
        try:
            return await self._ask(worker, path)
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def _ask(self, worker: int, path: str) -> str | None:
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        session = self._session(worker)
        async with session.get(f"http://worker{path}", timeout=timeout) as response:
            return await response.text() if response.status == 200 else None

    def _session(self, worker: int) -> aiohttp.ClientSession:
        if worker not in self._sessions:
            connector = aiohttp.UnixConnector(path=str(self._paths[worker]))
            self._sessions[worker] = aiohttp.ClientSession(connector=connector)
        return self._sessions[worker]
