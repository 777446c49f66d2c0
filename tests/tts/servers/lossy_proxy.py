"""A TCP proxy that breaks its connections, at random bytes and in either of two ways."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class LossyProxy:
    """Passes bytes to `port`; of each connection so many as chance allows, until it has enough."""

    port: int
    seed: int
    cuts: int
    """Connections that are broken; those after them are not."""
    most_bytes: int = 40_000
    """A connection breaks after 1 to this many bytes in both directions together."""
    broken: int = 0
    silent: int = 0
    """Of those, how many were broken for the client alone: to the server they seem alive."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def _carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, there = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers += [back, there]
        left = float("inf")
        if self.broken < self.cuts:
            left = self._random.randint(1, self.most_bytes)
        lost = asyncio.Event()

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            nonlocal left
            try:
                while data := await source.read(4096):
                    kept = data[: int(min(left, len(data)))]
                    left -= len(kept)
                    target.write(kept)
                    await target.drain()
                    if left <= 0:
                        break
            except ConnectionError:
                pass
            lost.set()

        ways = [
            asyncio.create_task(pass_on(client, there), name="proxy-there"),
            asyncio.create_task(pass_on(server, back), name="proxy-back"),
        ]
        try:
            await lost.wait()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            back.transport.abort()
            self.broken += left <= 0
            if left <= 0 and self._random.random() < 0.5:
                self.silent += 1
            else:
                there.transport.abort()

    async def accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(client, back)
        except (ConnectionError, asyncio.CancelledError):
            back.transport.abort()
        finally:
            self._tasks.discard(task)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def lossy(
    port: int, *, seed: int, cuts: int, most_bytes: int = 40_000
) -> AsyncIterator[tuple[LossyProxy, int]]:
    """A proxy before `port`, and its own port."""
    proxy = LossyProxy(port, seed, cuts, most_bytes)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await proxy.close()
