"""The engines that a configuration asks for, to be built later.

In: the configuration.  Out: a builder for each engine, in order of preference.  An engine's package
is imported when it is built, on its own thread, and not before.
"""

import os
from collections.abc import Callable
from functools import partial

from tts.carriers import missing
from tts.config import EngineName, ServiceConfig
from tts.engine.types import Engine, NoVoices
from tts.voices.manifest import FILE_NAME


def builders(config: ServiceConfig) -> dict[str, Callable[[], Engine]]:
    """How to build each configured engine, once and on its own thread.

    A builder raises `ImportError` naming the extra when the engine's package is missing, and
    `NoVoices` for cloned voices while there is none of them.
    """
    return {name: partial(_BUILD[name], config) for name in config.engines}


def _has_voices(config: ServiceConfig) -> bool:
    found = config.gpt_sovits.voices_dir.glob(f"*/{FILE_NAME}")
    # A folder that begins with a dot is a voice on its way.
    return any(not path.parent.name.startswith(".") for path in found)


def _hibari(config: ServiceConfig) -> Engine:
    from tts.light.hibari import HibariEngine

    # So small a model gains nothing from a second thread.
    return HibariEngine(threads=1)


def _kokoro(config: ServiceConfig) -> Engine:
    from tts.light.kokoro import KokoroEngine

    return KokoroEngine(threads=config.threads)


def _gpt_sovits(config: ServiceConfig) -> Engine:
    if not _has_voices(config):
        raise NoVoices(f"there is no voice in {config.gpt_sovits.voices_dir}")
    for name, value in _TORCH_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from tts.gpt_sovits.engine import GptSovitsEngine
    except ModuleNotFoundError as error:
        raise missing(error.name or "torch", needed_for="GPT-SoVITS voices") from error
    # One more than callers may have: the service speaks to itself to see whether it works.
    return GptSovitsEngine(config.gpt_sovits, streams=config.limits.max_streams + 1)


# Read by libraries inside of torch when it is imported, and by no way else to be set.
_TORCH_ENVIRONMENT = {
    # What oneDNN prepares for a convolution of one shape is kept for so many: some twenty shapes of
    # windows have a hundred convolutions each, and preparing takes as long as computing.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4096",
}

_BUILD: dict[EngineName, Callable[[ServiceConfig], Engine]] = {
    "hibari": _hibari,
    "kokoro": _kokoro,
    "gpt-sovits": _gpt_sovits,
}
