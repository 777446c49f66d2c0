"""Voices made of a clip when somebody names it: compiled once, remembered, forgotten when unused.

In: a clip that may be used, what is said in it, weights.  Out: the id of a hidden voice that the
service can speak in.  The same clip, text and weights are the same voice, after a restart too.
On the event loop's thread; files are touched on others.
"""

import asyncio
import hashlib
import json
import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

from loguru import logger

from tts.config import GptSovitsConfig
from tts.errors import BadRequest, Forbidden, TtsError
from tts.finishing import to_the_end
from tts.pretrained.official import PREFIX
from tts.voices.adding import NewReference, NewVoice, write_voice
from tts.voices.errors import VoiceError
from tts.voices.managing import Offering
from tts.voices.store import State, hidden_folders, hidden_id, look_at
from tts.voices.workshop import Workshop

MAX_VOICES = 64
"""Hidden voices that are kept; the one used longest ago goes first."""

_EMOTION = "neutral"


class ClipVoices:
    """The hidden voices of one service's folder."""

    def __init__(self, config: GptSovitsConfig, offering: Offering, workshop: Workshop) -> None:
        self._config = config
        self._offering = offering
        self._workshop = workshop
        # By id, those that are being made.
        self._making: dict[str, asyncio.Task[None]] = {}
        self._numbers = count()

    async def stop(self) -> None:
        """End what is being compiled; it leaves nothing.  Idempotent."""
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def voice_of(
        self,
        clip: Path,
        text: str,
        language: str,
        *,
        t2s: str,
        sovits: str,
        may_compile: bool = True,
    ) -> str:
        """The id of a clip's voice, compiled first if it never was: that takes up to a minute.

        Weights are official names or whole paths.  `may_compile`: whether whoever asks may have
        that done; each new text would otherwise be a minute's work and somebody's voice pushed out.
        Raises `Forbidden` where they may not, `ClipRefused`, `BadRequest`, `Overloaded`, and
        `VoiceError` when it cannot be compiled.  Cancelling leaves it to be
        compiled for the next who asks.
        """
        voice_id = await asyncio.to_thread(_id_of, clip, text, language, (t2s, sovits))
        if not await asyncio.to_thread(self._is_there, voice_id):
            task = self._making.get(voice_id)
            if task is None:
                if not may_compile:
                    raise Forbidden(
                        f"{clip.name} with this prompt_text was not compiled yet: that takes a key "
                        "with `may_manage`"
                    )
                new = NewVoice(clip.name, t2s, sovits)
                reference = NewReference(clip, text, language, _EMOTION)
                task = asyncio.create_task(
                    self._make(voice_id, new, reference), name=f"voice-{voice_id}"
                )
                self._making[voice_id] = task
                task.add_done_callback(lambda done: self._made(voice_id, done))
            await asyncio.shield(task)
        return voice_id

    def _made(self, voice_id: str, done: "asyncio.Task[None]") -> None:
        del self._making[voice_id]
        if not done.cancelled():
            done.exception()  # heard by those who wait, if anybody still does

    def _is_there(self, voice_id: str) -> bool:
        folder = self._config.voices_dir / voice_id
        if look_at(folder, self._config.pretrained_dir).state in (State.READY, State.STALE):
            with suppress(OSError):
                os.utime(folder)  # when it was used last
            return True
        return False

    async def _make(self, voice_id: str, new: NewVoice, reference: NewReference) -> None:
        voices_dir = self._config.voices_dir
        scratch = voices_dir / f"{voice_id}.{os.getpid()}.{next(self._numbers)}.part"
        folder = voices_dir / voice_id
        try:
            await to_the_end(_drafted, scratch, new, reference)
            await self._workshop.compile(scratch)
            await to_the_end(_replace, scratch, folder)
            dropped = await asyncio.to_thread(_drop_oldest, voices_dir)
            await self._offering.refresh_voices()
        except (TtsError, OSError) as error:
            logger.bind(clip=reference.clip.name, reason=str(error)).warning("clip not compiled")
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        logger.bind(clip=reference.clip.name, voice=voice_id, dropped=dropped).info("clip compiled")


def _id_of(clip: Path, text: str, language: str, weights: tuple[str, str]) -> str:
    """Equal for equal clips, texts and weights.  Raises `BadRequest` for what cannot be read."""
    try:
        with clip.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        about: list[object] = [text, language]
        for name in weights:
            if name.startswith(PREFIX):
                about.append(name)
            else:
                found = Path(name).stat()
                about.append([name, found.st_size, found.st_mtime_ns])
    except OSError as error:
        raise BadRequest(f"{clip.name} cannot be read: {error.strerror}") from error
    digest.update(json.dumps(about).encode())
    return hidden_id(digest.hexdigest())


def _drafted(scratch: Path, new: NewVoice, reference: NewReference) -> None:
    try:
        write_voice(scratch, new, reference)
    except VoiceError as error:
        # What is wrong with weights is the doing of whoever chose them.
        raise BadRequest(str(error)) if error.code == VoiceError.code else error from error


def _replace(scratch: Path, folder: Path) -> None:
    """What lies there already cannot speak."""
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(scratch, folder)


def _drop_oldest(voices_dir: Path) -> int:
    """Remove the hidden voices used longest ago beyond the bound; their number."""
    folders = sorted(hidden_folders(voices_dir), key=lambda folder: folder.stat().st_mtime)
    gone = folders[: max(len(folders) - MAX_VOICES, 0)]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return len(gone)
