"""Small local voices that run without a GPU or a voice's own weights."""

from collections.abc import Callable

from tts.config import ServiceConfig
from tts.engine.types import Engine


def builders(config: ServiceConfig) -> dict[str, Callable[[], Engine]]:
    """How to build each configured engine, later and on its own thread, in order.

    A builder raises `ImportError` naming the extra when the engine's package is missing.
    """
    known = {"hibari": _hibari, "kokoro": _kokoro}
    return {name: _bound(known[name], config.threads) for name in config.engines}


def _bound(build: Callable[[int], Engine], threads: int) -> Callable[[], Engine]:
    return lambda: build(threads)


def _hibari(threads: int) -> Engine:
    from tts.light.hibari import HibariEngine

    # So small a model gains nothing from a second thread.
    return HibariEngine(threads=1)


def _kokoro(threads: int) -> Engine:
    from tts.light.kokoro import KokoroEngine

    return KokoroEngine(threads=threads)
