"""The page and the speech service behind it, with an engine that a test lets speak piece by piece.

In: what the engine shall be, and permits for its gate.  Out: `url`.  Runs its own event loop in a
thread; the daemon's own part is a list of personas.
"""

import asyncio
import tempfile
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from agent.http import PAGE_HEADERS
from tests.real.fake_daemon import PERSONAS, WAIT_S, WEB
from tests.tts.doors import running
from tests.tts.fake_engine import FakeEngine
from tests.tts.rest import http_door
from tts.config import Secrets, ServiceConfig
from tts.servers.operations import Answer, Operation
from tts.servers.websocket import WebSocketDoor
from tts.service import SynthesisService
from tts.types import Voice

RATE_HZ = 24_000
VOICES = (
    Voice("ann", ("en", "zh"), RATE_HZ, "fake", "", ("calm", "happy")),
    Voice("bob", ("en",), RATE_HZ, "fake"),
)
CAPTURE = """
class CaptureProcessor extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0][0]) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
}
registerProcessor("capture", CaptureProcessor);
"""
"""A worklet of the test that keeps what goes into it."""

HEAR = """
window.heard = [];
const addModule = AudioWorklet.prototype.addModule;
AudioWorklet.prototype.addModule = async function (url) {
  await addModule.call(this, "/capture.js");
  return addModule.call(this, url);
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target) {
  if (this instanceof AudioWorkletNode && target === this.context.destination) {
    const tap = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => window.heard.push(...data);
    connect.call(this, tap);
  }
  return connect.call(this, target);
};
"""
"""Keeps in `window.heard` every sample that a worklet gives to the loudspeaker."""


class SpeechServer:
    """Use as a context manager."""

    def __init__(
        self, engine: FakeEngine, config: ServiceConfig | None = None, token: str | None = None
    ) -> None:
        self.engine = engine
        self.url = ""
        self.service: SynthesisService | None = None
        self._config = config or ServiceConfig()
        self._secrets = Secrets(token=token)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="speech-server")

    def __enter__(self) -> "SpeechServer":
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Block until it holds."""
        waiting = threading.Event()
        for _ in range(int(WAIT_S / 0.01)):
            if condition():
                return
            waiting.wait(0.01)
        raise AssertionError("it never came to that")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            service = await stack.enter_async_context(running(self.engine, self._config))
            self.service = service
            sockets = WebSocketDoor(service, self._config)
            port = await stack.enter_async_context(
                http_door(
                    service,
                    self._config,
                    "127.0.0.1:0",
                    folder,
                    secrets=self._secrets,
                    more=[*sockets.operations(), *_page()],
                )
            )
            self.url = f"http://127.0.0.1:{port}/"
            self._ready.set()
            await self._stop.wait()
            if self.engine.gate is not None:
                self.engine.gate.release(1000)
            await sockets.stop(0)


def _page() -> list[Operation]:
    """What the daemon serves: the page's files, with its headers, and the personas."""

    def page(path: str, answer: Callable[[], web.StreamResponse]) -> Operation:
        async def handler(request: web.Request) -> web.StreamResponse:
            return answer()

        return Operation(
            id=f"page{path}",
            method="GET",
            path=path,
            tag="page",
            summary="The page.",
            handler=handler,
            answers={200: Answer(description="It.")},
            is_open=True,
            is_documented=False,
        )

    def file(name: str) -> Callable[[], web.StreamResponse]:
        return lambda: web.FileResponse(WEB / name, headers=PAGE_HEADERS)

    return [
        page("/", file("index.html")),
        *(page(f"/{file_.name}", file(file_.name)) for file_ in sorted(WEB.iterdir())),
        page("/capture.js", lambda: web.Response(text=CAPTURE, content_type="text/javascript")),
        page(
            "/api/personas",
            lambda: web.json_response({"default": PERSONAS[0]["id"], "personas": PERSONAS}),
        ),
    ]
