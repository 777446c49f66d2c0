"""Speech recognition for all calls of a process: one Whisper model on a lane of its own.

In: the audio of an utterance so far.  Out: a `Transcript`.  `decoder` runs the model, `guard`
judges it, silero says whether anybody spoke at all.  Knows nothing of calls and turns.  Called
from the event loop; the model runs on the lane's threads.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from faster_whisper.transcribe import Segment, TranscriptionInfo
from numpy.typing import NDArray

from agent import weights
from agent.config import SttConfig
from agent.offload import Lane, LaneClosed, LaneFull
from agent.silero import WINDOW_SAMPLES, Silero
from agent.stt import chinese, guard
from agent.stt.decoder import (
    FULL_WINDOW_S,
    Wanted,
    WhisperDecoder,
)
from agent.stt.guard import Voiced
from agent.stt.types import SAMPLE_RATE_HZ, SttBusy, SttFailed, Transcript

SHORT_PAD_S = 2.0
"""Silence after the utterance in the short window."""
SHORTEST_WINDOW_S = 5.0
"""Below this tiny.en says a word or two over and over; base does not mind."""
_WINDOW_S = WINDOW_SAMPLES / SAMPLE_RATE_HZ
_VOICE = 0.5
"""Silero's probability from which a window counts as voice."""
_MIN_VOICED_S = 0.09
"""Three windows. With less voice than this nobody spoke, whatever the model would make of it."""
_ROOM_POLL_S = 0.05
_UNSPACED = ("zh", "ja", "yue")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Models:
    """What a recogniser needs in memory."""

    decoder: WhisperDecoder
    silero: Silero


def load(config: SttConfig, cache_dir: Path) -> Models:
    """Find and load the models; blocks for about a second.  Raises `WeightsMissing`."""
    decoder = WhisperDecoder(
        weights.whisper(config.model, cache_dir),
        device=config.device,
        compute_type=config.compute_type,
        threads=config.threads,
        workers=config.workers,
    )
    if config.warm_up:
        decoder.decode(np.zeros(SAMPLE_RATE_HZ, np.float32), language="en")
    return Models(decoder, Silero(weights.find(weights.SILERO_VAD)))


class WhisperStt:
    """`agent.stt.types.SpeechToText` with faster-whisper's model."""

    def __init__(
        self,
        config: SttConfig,
        *,
        cache_dir: Path,
        load: Callable[[SttConfig, Path], Models] = load,
    ) -> None:
        self._config = config
        self._load = partial(load, config, cache_dir)
        # A second waiting partial is refused: by the time it ran its call would want a newer one.
        self._lane = Lane("stt", threads=config.workers, urgent_limit=64, patient_limit=1)
        self._one_file = asyncio.Semaphore()
        self._models: Models | None = None
        self._counting = threading.Lock()  # the lane's threads count, too
        self.counts: Counter[str] = Counter()
        """Since the start: "short", "full", "no_voice", "busy", and "doubt_<why>" (see `guard`)."""

    @property
    def waiting(self) -> int:
        """Requests that have not begun."""
        return self._lane.waiting

    async def start(self) -> None:
        """Find and load the model, and run it once if `warm_up`. Raises `WeightsMissing`."""
        self._models = await self._lane.run(self._load)

    async def close(self) -> None:
        """Refuse new requests and wait for the one that runs."""
        await self._lane.close()

    async def transcribe(
        self, audio: NDArray[np.float32], *, language: str | None, final: bool
    ) -> Transcript:
        """See `SpeechToText.transcribe`.  A partial raises `SttBusy` if another one waits."""
        job = partial(self._transcribe, np.asarray(audio, np.float32), language or "en")
        try:
            return await self._lane.run(job, urgent=final)
        except LaneFull as error:
            self._count("busy")
            raise SttBusy(str(error)) from error
        except LaneClosed as error:
            raise SttFailed(str(error)) from error
        except (RuntimeError, ValueError, MemoryError) as error:
            raise SttFailed(f"{type(error).__name__}: {error}") from error

    async def transcribe_file(
        self, audio: NDArray[np.float32], wanted: Wanted
    ) -> AsyncGenerator[TranscriptionInfo | Segment]:
        """Transcribe a recording: what is known of it, then segment by segment.

        Calls go first: each window of 30 s waits for a worker that no final transcript needs.  One
        recording at a time.  Raises `SttFailed`.  Closing the iterator drops the rest.
        """
        async with self._one_file:
            if self._models is None:
                raise SttFailed("transcribe_file was called before start()")
            job = partial(self._models.decoder.long, audio, wanted)
            about, segments = await self._patiently(job)
            yield about
            while (segment := await self._patiently(partial(next, segments, None))) is not None:
                yield segment

    async def _patiently(self, job: Callable[[], T]) -> T:
        """Run a job of a recording, whenever there is room."""
        while True:
            try:
                return await self._lane.run(job, urgent=False)
            except LaneFull:
                await asyncio.sleep(_ROOM_POLL_S)
            except LaneClosed as error:
                raise SttFailed(str(error)) from error
            except (RuntimeError, ValueError, MemoryError) as error:
                raise SttFailed(f"{type(error).__name__}: {error}") from error

    def _count(self, what: str) -> None:
        with self._counting:
            self.counts[what] += 1

    def _transcribe(self, audio: NDArray[np.float32], language: str) -> Transcript:
        if self._models is None:
            raise SttFailed("transcribe was called before start()")
        began = time.perf_counter()
        wanted, language = language, self._models.decoder.language_for(language)
        texts: list[str] = []
        window = self._config.window
        for piece, voice in _pieces(audio, self._models.silero.probabilities(audio)):
            voiced = _voiced(voice)
            if voiced is None:
                self._count("no_voice")
                continue
            text, used = self._hear(piece, voiced, language)
            texts.append(text)
            window = "full" if used == "full" else window
        text = ("" if language in _UNSPACED else " ").join(filter(None, texts))
        return Transcript(
            text=chinese.simplified(text) if wanted == "zh" else text,
            language=language,
            audio_s=len(audio) / SAMPLE_RATE_HZ,
            compute_s=time.perf_counter() - began,
            window=window,
        )

    def _hear(
        self, audio: NDArray[np.float32], voiced: Voiced, language: str
    ) -> tuple[str, Literal["short", "full"]]:
        """Text of at most 30 s of audio, and the window that it came from."""
        assert self._models is not None
        decoder = self._models.decoder
        audio_s = len(audio) / SAMPLE_RATE_HZ
        short_s = max(SHORTEST_WINDOW_S, audio_s + SHORT_PAD_S)
        if self._config.window == "short" and short_s < FULL_WINDOW_S:
            heard = decoder.decode(
                audio,
                language=language,
                window_s=short_s,
                max_tokens=guard.most_tokens(audio_s),
            )
            believed = guard.judge(heard, voiced)
            if believed.doubt is None:
                self._count("short")
                return believed.text, "short"
            self._count(f"doubt_{believed.doubt}")
        self._count("full")
        heard = decoder.decode(audio, language=language)
        if guard.nothing_said(heard):
            return "", "full"
        return guard.unlooped(guard.judge(heard, voiced).text), "full"


def _pieces(
    audio: NDArray[np.float32], voice: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Audio and silero's probabilities in pieces of at most 30 s, cut where it is quietest."""
    most = int(FULL_WINDOW_S / _WINDOW_S)
    start = 0
    while len(voice) - start > most:
        candidates = voice[start + most * 2 // 3 : start + most]
        end = start + most * 2 // 3 + int(np.argmin(candidates))
        yield audio[start * WINDOW_SAMPLES : end * WINDOW_SAMPLES], voice[start:end]
        start = end
    yield audio[start * WINDOW_SAMPLES :], voice[start:]


def _voiced(voice: NDArray[np.float32]) -> Voiced | None:
    """Where there is a voice in a piece; None if nobody spoke."""
    (windows,) = np.nonzero(voice >= _VOICE)
    if len(windows) * _WINDOW_S < _MIN_VOICED_S:
        return None
    return Voiced(
        first_s=windows[0] * _WINDOW_S,
        last_s=(windows[-1] + 1) * _WINDOW_S,
        total_s=len(windows) * _WINDOW_S,
    )
