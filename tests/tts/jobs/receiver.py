"""A host that is called back: it keeps what it was sent, and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tts.jobs.webhook import ID_HEADER, SIGNATURE_HEADER, signature

SECRET = "a secret of the test"


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    path: str
    body: bytes
    signature: str
    id: str
    content_type: str

    def is_signed(self) -> bool:
        sent_s = int(self.signature.split(",")[0].removeprefix("t="))
        return self.signature == signature(SECRET, self.body, sent_s)


@dataclass
class Receiver:
    """What came, and what is answered: statuses in order, then 204 for ever; 0: nothing at all."""

    url: str
    answers: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append(
            Call(
                request.path,
                await request.read(),
                request.headers[SIGNATURE_HEADER],
                request.headers[ID_HEADER],
                request.content_type,
            )
        )
        status = self.answers.pop(0) if self.answers else 204
        if status == 0:
            await self.hanging.wait()
            return web.Response(status=500)
        headers = {"Location": f"{self.url}/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def receiving(answers: list[int]) -> AsyncIterator[Receiver]:
    receiver = Receiver("", answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{site.port}"
        yield receiver
    finally:
        receiver.hanging.set()
        await runner.cleanup()
