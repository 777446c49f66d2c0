"""The engine of cloned voices; see `tts.engine.types.Engine`.

Built, asked and closed on its worker's thread; voices are loaded on another, and requests for one
that is not in memory wait there without holding up the others.
"""

from collections.abc import Iterator

import torch
from loguru import logger

from tts.config import GptSovitsConfig
from tts.engine.chunk_schedule import ChunkSchedule
from tts.engine.stitched import warm
from tts.engine.types import NoHurry, Pace, Step, Work
from tts.gpt_sovits.catalogue import ENGINE, preloaded, read_catalogue
from tts.gpt_sovits.loading import FIRST_TEXT, Placement, VoiceLoader, asked, wanted
from tts.gpt_sovits.speaker import speak
from tts.gpt_sovits.voice import LoadedVoice
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest
from tts.voices.cache import MB, VoiceCache


class GptSovitsEngine:
    """The voices of the configured folder, in memory as far as they are wanted."""

    name = ENGINE

    def __init__(self, config: GptSovitsConfig, *, streams: int) -> None:
        """Voices to preload are in memory and have spoken once when this returns.

        `streams`: requests spoken at once, at most.  Raises `EngineFailed` for a device that is
        not there.
        """
        placement = Placement.of(config)
        self._entries = read_catalogue(config)
        self.voices = tuple(entry.voice for entry in self._entries.values())
        self._cache: VoiceCache[LoadedVoice] = VoiceCache(
            VoiceLoader(self._entries, config, placement, streams=streams),
            budget_bytes=config.budget_mb * MB,
            first=_compute_alone,
        )
        torch.set_num_threads(config.threads)
        self._failed: set[str] = set()
        first = [one.voice for one in preloaded(config, self._entries)]
        wants = [wanted(voice.id, voice.languages[0]) for voice in first]
        self._cache.preload(wants)
        for want in wants:
            self._speak_once(want)

    def gain_db(self, voice_id: str) -> float:
        """As measured when the voice was compiled."""
        return self._entries[voice_id].compiled.gain_db

    def ready(self) -> tuple[str, str] | None:
        """The voice and language used last of those in memory; one that failed last, such as a
        voice whose weights overflow, only when there is no other."""
        in_memory = self._cache.voices
        sound = [one for one in in_memory if one not in self._failed]
        return asked((sound or in_memory)[-1]) if in_memory else None

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        """The same request gives the same tokens; the detail of its sound is up to the pace too."""
        want = wanted(request.voice, request.language)
        with self._cache.lease(want) as lease:
            if not lease.loading.done():
                yield lease.loading
            voice = lease.voice
            try:
                yield from speak(request, text, voice, pace)
            except Exception:
                self._failed.add(want)
                raise
            self._failed.discard(want)

    def _speak_once(self, want: str) -> None:
        """Let a voice in memory say something to nobody: what is done first is slow."""
        if want not in self._cache.voices:
            return
        voice_id, language = asked(want)
        text = FIRST_TEXT[language]
        request = SynthesisRequest(text, voice_id, language)
        try:
            with self._cache.lease(want) as lease:
                models, reference = lease.voice.models, lease.voice.reference("")
                warm(models.sovits, reference.ge, ChunkSchedule().most_frames)
            for step in self.speak(request, TextFeed.of(text), NoHurry()):
                if isinstance(step, Work):
                    step.run([step])
        except Exception as error:  # the other voices are to speak, whatever ails this one
            logger.bind(voice=voice_id, reason=str(error)).warning("voice cannot speak")

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
