"""`python -m tts say`: one text in one voice, into a WAV file or through a player, as it is spoken.

In: arguments and a configuration.  Out: the audio, an account of it on standard error, and an exit
status: 0 when all was said, 130 after Ctrl-C; what else goes wrong is raised.  The synthesis
service runs in this process with the engine of that voice alone, and knows nothing of files and
players: those stand in `tts.sinks`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from tts import engines
from tts.audio.chain import BYTES_PER_SAMPLE
from tts.config import EngineName, ServiceConfig
from tts.engine.types import Engine, NoVoices
from tts.errors import EngineFailed, VoiceNotFound
from tts.service import SynthesisService
from tts.sinks import Sink, WavFile, player
from tts.terminal import Terminal
from tts.types import SynthesisRequest, Voice

CLONED: EngineName = "gpt-sovits"
Builders = Mapping[str, Callable[[], Engine]]


@dataclass
class Account:
    """How a synthesis goes, on the wall clock."""

    began_s: float
    first_s: float = 0.0
    """When the first audio came; 0 before."""
    last_s: float = 0.0
    """When the latest came."""
    audio_s: float = 0.0

    def add(self, samples: int, sample_rate_hz: int, now_s: float) -> None:
        """Count audio that came."""
        self.first_s = self.first_s or now_s
        self.last_s = now_s
        self.audio_s += samples / sample_rate_hz

    def __str__(self) -> str:
        spent_s = self.last_s - self.began_s
        return (
            f"{self.audio_s:.2f} s of audio, real-time factor {spent_s / self.audio_s:.3f}, "
            f"first audio after {(self.first_s - self.began_s) * 1000:.0f} ms"
        )


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command, but for those of the configuration."""
    command.add_argument("text", help='what to say; "-" reads it from standard input')
    command.add_argument("--voice", required=True, metavar="ID")
    command.add_argument("--language", help="of the text; without, the voice's first")
    command.add_argument("--emotion", default="", help="without, the voice's first")
    command.add_argument("--speed", type=float, default=1.0, help="0.5 to 2.0")
    command.add_argument("--out", type=Path, metavar="FILE.wav", help="without, it is played")


def run(args: argparse.Namespace, config: ServiceConfig) -> int:
    """Say it.  Raises `TtsError` and `OSError`."""
    logger.remove()  # what a person wants to know is said here
    text = sys.stdin.read().strip() if args.text == "-" else args.text
    terminal = Terminal()

    def request(voice: Voice) -> SynthesisRequest:
        language = args.language or voice.languages[0]
        return SynthesisRequest(text, voice.id, language, args.speed, args.emotion)

    sink = WavFile(args.out) if args.out is not None else player()
    builders = engines.builders(config)
    # A folder tells that a voice is a cloned one; without, that engine is asked last: importing it
    # takes seconds.
    cloned = (config.gpt_sovits.voices_dir / args.voice).is_dir()
    builders = dict(sorted(builders.items(), key=lambda one: (one[0] == CLONED) != cloned))
    try:
        asyncio.run(say(args.voice, request, sink, config, builders, terminal))
    except KeyboardInterrupt:
        terminal.say("stopped")
        return 130
    return 0


async def say(
    voice_id: str,
    request: Callable[[Voice], SynthesisRequest],
    sink: Sink,
    config: ServiceConfig,
    builders: Builders,
    terminal: Terminal,
) -> None:
    """Speak into a sink, and say how it went.

    Cancelling stops engine and sink, which then keeps nothing.  Raises `TtsError`, and what the
    sink raises.
    """
    service = None
    try:
        service, voice = await find(voice_id, config, builders)
        account = Account(time.perf_counter())
        async with aclosing(service.stream(request(voice))) as chunks:
            async for chunk in chunks:
                samples = len(chunk.pcm) // BYTES_PER_SAMPLE
                account.add(samples, chunk.sample_rate_hz, time.perf_counter())
                await sink.write(chunk.pcm, chunk.sample_rate_hz)
                terminal.show(str(account))
        await sink.finish()
        terminal.say(f"{sink}: {account}")
    finally:
        terminal.clear()
        await sink.abort()
        if service is not None:
            await service.stop()


async def find(
    voice_id: str, config: ServiceConfig, builders: Builders
) -> tuple[SynthesisService, Voice]:
    """The started service of the first engine that has a voice; the caller stops it.

    Raises `VoiceNotFound` naming the voices there are and the engines that could not be asked.
    """
    there: list[str] = []
    left_out: list[str] = []
    for name, build in builders.items():
        service = SynthesisService(config, {name: _noting(build, left_out)})
        try:
            await service.start(trial=False)
            for voice in service.voices:
                if voice.id == voice_id:
                    return service, voice
            there += [voice.id for voice in service.voices]
        except EngineFailed as error:
            left_out.append(str(error))
        except BaseException:
            await service.stop()
            raise
        await service.stop()
    why = f"; left out: {'; '.join(left_out)}" if left_out else ""
    raise VoiceNotFound(f"voice = {voice_id!r}: there are {', '.join(sorted(there))}{why}")


def _noting(build: Callable[[], Engine], left_out: list[str]) -> Callable[[], Engine]:
    def noted() -> Engine:
        try:
            return build()
        except (ImportError, NoVoices) as error:
            left_out.append(str(error))
            raise

    return noted
