"""The engine of cloned voices; see `tts.engine.types.Engine`.

Built, asked and closed on its worker's thread; voices are loaded on another, and requests for one
that is not in memory wait there without holding up the others.  Which voices there are may change
while it runs; a request speaks in the voice as it was when it was accepted.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from loguru import logger

from tts.config import GptSovitsConfig
from tts.engine.chunk_schedule import ChunkSchedule
from tts.engine.stitched import warm
from tts.engine.types import NoHurry, Pace, Step, Work
from tts.gpt_sovits.catalogue import ENGINE, Entry, preloaded, read_catalogue
from tts.gpt_sovits.loading import FIRST_TEXT, Placement, VoiceLoader, Wanted
from tts.gpt_sovits.speaker import speak
from tts.gpt_sovits.voice import LoadedVoice
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest, Voice
from tts.voices.cache import MB, VoiceCache


class GptSovitsEngine:
    """The voices of the configured folder, in memory as far as they are wanted."""

    name = ENGINE
    rests = True

    def __init__(self, config: GptSovitsConfig, *, streams: int) -> None:
        """Voices to preload are in memory and have spoken once when this returns.

        `streams`: requests spoken at once, at most.  Raises `EngineFailed` for a device that is
        not there.
        """
        placement = Placement.of(config)
        self._config = config
        self._spoken_on = f"{placement.device.type} {placement.precision}"
        # Replaced as a whole, on any thread; never changed.
        self._entries = self._read()
        self._cache: VoiceCache[Wanted, LoadedVoice] = VoiceCache(
            VoiceLoader(config, placement, streams=streams),
            budget_bytes=config.budget_mb * MB,
            first=_compute_alone,
        )
        torch.set_num_threads(config.threads)
        # Voices that failed when they spoke last; changed on the engine's thread.
        self._failed: frozenset[Wanted] = frozenset()
        wants = [Wanted.of(entry) for entry in preloaded(config, self._entries)]
        self._cache.preload(wants)
        for want in wants:
            self._speak_once(want)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices of the folder when it was last read; any thread."""
        return tuple(entry.voice for entry in self._entries.values())

    def gain_db(self, voice_id: str) -> float:
        """As measured when the voice was compiled."""
        return self._entries[voice_id].compiled.gain_db

    def ready(self) -> tuple[str, str] | None:
        """The voice and language used last of those in memory; one that failed last, such as a
        voice whose weights overflow, only when there is no other."""
        in_memory = [one for one in self._cache.voices if self._offered(one)]
        sound = [one for one in in_memory if one not in self._failed]
        if not in_memory:
            return None
        last = (sound or in_memory)[-1]
        return last.voice_id, last.language

    def read_voices(self) -> Callable[[], None]:
        """See `tts.engine.types.Refreshable`: voices to preload that are new are loaded then."""
        return partial(self._take, self._read())

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        """The same request gives the same tokens; the detail of its sound is up to the pace too."""
        want = Wanted.of(self._entries[request.voice], request.language)
        return self._speak(want, request, text, pace)

    def _speak(
        self, want: Wanted, request: SynthesisRequest, text: TextFeed, pace: Pace
    ) -> Iterator[Step]:
        with self._cache.lease(want) as lease:
            if not lease.loading.done():
                yield lease.loading
            voice = lease.voice
            try:
                yield from speak(request, text, voice, pace)
            except Exception:
                self._failed = frozenset(filter(self._offered, {*self._failed, want}))
                raise
            self._failed -= {want}

    def _speak_once(self, want: Wanted) -> None:
        """Let a voice in memory say something to nobody: what is done first is slow."""
        if want not in self._cache.voices:
            return
        text = FIRST_TEXT[want.language]
        request = SynthesisRequest(text, want.voice_id, want.language)
        try:
            with self._cache.lease(want) as lease:
                models, reference = lease.voice.models, lease.voice.reference("")
                warm(models.sovits, reference.ge, ChunkSchedule().most_frames)
            for step in self.speak(request, TextFeed.of(text), NoHurry()):
                if isinstance(step, Work):
                    step.run([step])
        except Exception as error:  # the other voices are to speak, whatever ails this one
            logger.bind(voice=want.voice_id, reason=str(error)).warning("voice cannot speak")

    def _read(self) -> Mapping[str, Entry]:
        return read_catalogue(self._config, spoken_on=self._spoken_on)

    def _take(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._cache.offer(self._offered)
        for entry in preloaded(self._config, entries):
            self._cache.lease(Wanted.of(entry)).release()

    def _offered(self, want: Wanted) -> bool:
        entry = self._entries.get(want.voice_id)
        return entry is not None and entry.voice.state == want.state

    def close(self) -> None:
        """Waits for a load under way."""
        self._cache.close()


def _compute_alone() -> None:
    """Let the thread that calls this compute without helpers.

    With helpers of two threads there would be more of them than cores: OpenMP then puts each to
    sleep after every loop, and the engine takes three times as long for everything.
    """
    torch.set_num_threads(1)
    # A thread takes the number that was set last, by any thread, when it first asks for it.
    torch.get_num_threads()
