"""Voices made, extended and deleted while a service runs.

In: uploaded clips with what is said in them, and ids.  Out: folders of voices, compiled, and the
service told of them; on the way, what becomes of each.  A voice is put together in a folder that
begins with a dot and moved to its place when it can speak: whoever kills the service leaves whole
voices, and scratch that the next start clears away.  On the event loop's thread; files are touched
on others.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from tts.config import GptSovitsConfig
from tts.errors import BadRequest, TtsError, VoiceConflict, VoiceNotFound
from tts.finishing import to_the_end
from tts.types import Voice
from tts.voices.adding import NewReference, NewVoice, extend, write_voice
from tts.voices.allowed import weights_named
from tts.voices.clip import check_clip, suffix_of
from tts.voices.compiled import FILE_NAME as COMPILED
from tts.voices.errors import ClipRefused, VoiceError
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.manifest import ConsentTable, load_manifest
from tts.voices.store import (
    State,
    StoredVoice,
    check_id,
    drop_unused_weights,
    find_folder,
    list_voices,
    look_at,
)
from tts.voices.voice_activity import voice_share
from tts.voices.workshop import Workshop

LITTLE_VOICE = 0.3
"""Share of a voice below which an upload is refused; read speech has 0.7 to 0.95."""
MAX_FAILURES = 100
"""Voices that failed are told of until there are more; the oldest are forgotten."""

_SCRATCH = re.compile(r"\.[^.]+\.(\d+)(\.\d+)?(\.clip)?\.part")
_COPY_BYTES = 1 << 20
_RECORDING_TYPES = ("application/octet-stream", "application/ogg")


class Progress(StrEnum):
    """What is being done with a voice."""

    UPLOADING = "uploading"
    """Its clip is copied and judged."""
    COMPILING = "compiling"
    """It is compiled, or waits for others that are."""
    FAILED = "failed"
    """It could not be compiled; nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something that is being done with a voice, or could not be."""

    progress: Progress
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording as a caller sent it, and what is said in it."""

    file: BinaryIO
    content_type: str
    """As the caller calls it; empty if they do not."""
    text: str
    language: str
    emotion: str


@dataclass(frozen=True, slots=True)
class ManagedVoice:
    """A voice as it is told of."""

    id: str
    state: str
    """"ready", "stale", "not compiled", "broken", "not offered", or a `Progress`."""
    reason: str
    """Why it is not ready; empty when it is."""
    offered: Voice | None
    """As the service speaks it; None while it does not."""
    stored: StoredVoice | None
    """As it lies in the folder; None for a light voice, and before it is compiled."""


class Offering(Protocol):
    """The service, as far as voices come and go."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Those that can speak now."""

    async def refresh_voices(self) -> None:
        """Read them anew."""


class VoiceManager:
    """The voices of one service's folder.  One change of a voice at a time."""

    def __init__(
        self,
        config: GptSovitsConfig,
        offering: Offering,
        workshop: Workshop,
        *,
        weights_dir: Path | None,
        voice_share: Callable[[NDArray[np.float32], int], float] = voice_share,
    ) -> None:
        """`weights_dir`: where weights may be named, besides the official ones.  `voice_share`:
        of samples at a rate, what holds a voice."""
        self._config = config
        self._offering = offering
        self._workshop = workshop
        self._weights_dir = weights_dir
        self._voice_share = voice_share
        self._works: dict[str, Work] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._numbers = count()

    async def start(self) -> None:
        """Clear away what a service that was killed left behind."""
        await asyncio.to_thread(clear_scratch, self._config.voices_dir)

    async def stop(self) -> None:
        """End what is being done; it leaves nothing.  Idempotent."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def list(self) -> list[ManagedVoice]:
        """Every voice, the light ones and those under way too, by id."""
        config = self._config
        lying = await asyncio.to_thread(list_voices, config.voices_dir, config.pretrained_dir)
        stored = {voice.id: voice for voice in lying}
        offered = {voice.id: voice for voice in self._offering.voices}
        ids = sorted({*stored, *offered, *self._works})
        return [self._told(one, stored.get(one), offered.get(one)) for one in ids]

    async def find(self, voice_id: str) -> ManagedVoice:
        """One voice.  Raises `VoiceNotFound` with the ids that there are."""
        offered = {voice.id: voice for voice in self._offering.voices}
        stored = await asyncio.to_thread(self._look_at, voice_id)
        if stored is None and voice_id not in offered and voice_id not in self._works:
            raise self._not_found(voice_id)
        return self._told(voice_id, stored, offered.get(voice_id))

    async def add(self, voice_id: str, new: NewVoice, upload: Upload) -> Sequence[str]:
        """Make a voice; returns what would make it sound better once its clip was accepted.

        It is compiled afterwards.  `new` has weights by names that `weights_named` knows.  Raises
        `BadRequest`, `ClipRefused` with every reason, `VoiceConflict`, `Overloaded` and `OSError`;
        then there is nothing of it.  Cancelling forgets a voice whose clip is not accepted yet.
        """
        _checked_id(voice_id)
        self._check_free(voice_id)
        find_weights = partial(weights_named, self._weights_dir)
        scratch, folder = self._scratch(voice_id), self._config.voices_dir / voice_id

        def draft() -> Sequence[str]:
            if folder.exists():
                raise VoiceConflict(f"voice {voice_id!r} is there already; choose another id")
            made = replace(
                new,
                t2s=find_weights(new.t2s, field="t2s"),
                sovits=find_weights(new.sovits, field="sovits"),
            )
            return self._with_clip(
                scratch, upload, made.denoise, partial(write_voice, scratch, made)
            )

        async def publish() -> None:
            await asyncio.to_thread(os.rename, scratch, folder)

        return await self._begin(voice_id, scratch, draft, publish)

    async def add_emotion(
        self, voice_id: str, upload: Upload, consent: ConsentTable
    ) -> Sequence[str]:
        """Give a voice another emotion, like `add`; `consent` is noted if it has none.

        It speaks as it did until it is compiled.  Raises `VoiceNotFound`, too.
        """
        self._check_free(voice_id, is_new=False)
        voices_dir, scratch = self._config.voices_dir, self._scratch(voice_id)
        before: list[bytes] = []

        def draft() -> Sequence[str]:
            folder = find_folder(voices_dir, voice_id)
            before.append((folder / MANIFEST).read_bytes())
            # Nothing in a voice's folder is written in place, so links will do.
            shutil.copytree(folder, scratch, copy_function=_link)
            manifest = load_manifest(scratch)
            noted = None if manifest.consent else consent
            return self._with_clip(
                scratch, upload, manifest.denoise, partial(_extended, scratch, noted)
            )

        async def publish() -> None:
            folder = voices_dir / voice_id
            await asyncio.to_thread(_publish, scratch, folder, before[0])

        return await self._begin(voice_id, scratch, draft, publish)

    async def delete(self, voice_id: str) -> None:
        """Delete a voice; whoever is spoken to in it is spoken to to the end.

        Raises `VoiceNotFound`, and `VoiceConflict` for a light voice and one that is being
        compiled.
        """
        self._check_free(voice_id, is_new=False)
        voices_dir, gone = self._config.voices_dir, self._scratch(voice_id)
        failed = self._works.pop(voice_id, None)
        try:
            await asyncio.to_thread(lambda: os.rename(find_folder(voices_dir, voice_id), gone))
        except VoiceNotFound:
            if failed is None:
                raise self._not_found(voice_id) from None
            return
        try:
            await self._offering.refresh_voices()
        finally:
            await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
        if not self._tasks:
            await asyncio.to_thread(drop_unused_weights, voices_dir)

    async def _begin(
        self,
        voice_id: str,
        scratch: Path,
        draft: Callable[[], Sequence[str]],
        publish: Callable[[], Awaitable[None]],
    ) -> Sequence[str]:
        """Wait until a draft is accepted; what follows goes on without its caller."""
        self._workshop.check_room()
        accepted: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
        self._works[voice_id] = Work(Progress.UPLOADING)
        task = asyncio.create_task(
            self._make(voice_id, scratch, draft, publish, accepted), name=f"voice-{voice_id}"
        )
        self._tasks[voice_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(voice_id, None))
        try:
            return await accepted
        except Exception:
            await asyncio.wait([task])  # until nothing of it is left
            raise

    async def _make(
        self,
        voice_id: str,
        scratch: Path,
        draft: Callable[[], Sequence[str]],
        publish: Callable[[], Awaitable[None]],
        accepted: "asyncio.Future[Sequence[str]]",
    ) -> None:
        log = logger.bind(voice=voice_id)
        failed: Work | None = None
        try:
            try:
                warnings = await to_the_end(draft)
            except Exception as error:  # whatever it is, the caller must hear of it
                if not accepted.done():
                    accepted.set_exception(_told_to_callers(error))
                return
            if accepted.done():  # its caller is gone
                return
            self._works[voice_id] = Work(Progress.COMPILING)
            accepted.set_result(warnings)
            await self._workshop.compile(scratch)
            await publish()
            await self._offering.refresh_voices()
            log.info("voice made")
        except (TtsError, OSError) as error:
            log.bind(reason=str(error)).warning("voice not made")
            failed = Work(Progress.FAILED, str(error))
        finally:
            del self._works[voice_id]
            if failed is not None:
                self._works[voice_id] = failed
                self._forget_old_failures()
            if not accepted.done():
                accepted.cancel()
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    def _with_clip(
        self,
        scratch: Path,
        upload: Upload,
        denoise: bool,
        made: Callable[[NewReference], Sequence[str]],
    ) -> Sequence[str]:
        """Do something with an upload as a file whose name says what it is."""
        folder = scratch.with_name(scratch.name.removesuffix(".part") + ".clip.part")
        folder.mkdir(parents=True)
        try:
            clip = folder / "clip"
            with clip.open("wb") as file:
                shutil.copyfileobj(upload.file, file, _COPY_BYTES)
            clip = clip.rename(clip.with_suffix(suffix_of(clip)))
            if errors := self._errors(clip, upload.content_type, denoise):
                raise ClipRefused("\n".join(f"{clip.name}: {error}" for error in errors))
            return made(NewReference(clip, upload.text, upload.language, upload.emotion))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _errors(self, clip: Path, content_type: str, denoise: bool) -> Sequence[str]:
        """All that is wrong with a stranger's file."""
        errors: list[str] = []
        sent_as = content_type.partition(";")[0].strip().lower()
        if sent_as and not sent_as.startswith("audio/") and sent_as not in _RECORDING_TYPES:
            errors.append(f"was sent as {sent_as}; a recording is sent as audio/...")
        checked = check_clip(clip, denoised=denoise)
        errors += checked.errors
        heard = checked.clip
        if heard is not None and heard.samples.any():
            share = self._voice_share(heard.samples, heard.rate_hz)
            if share < LITTLE_VOICE:
                errors.append(
                    f"has a voice in {share:.0%} of its time; at least {LITTLE_VOICE:.0%} is"
                    " needed: music and noise are no reference"
                )
        return errors

    def _check_free(self, voice_id: str, *, is_new: bool = True) -> None:
        """Raise `VoiceConflict` for a light voice, and for one that is being changed."""
        if voice_id in self._tasks:
            raise VoiceConflict(f"voice {voice_id!r} is being made or changed; wait until it is")
        for voice in self._offering.voices:
            if voice.id == voice_id and (is_new or voice.engine != "gpt-sovits"):
                why = "is there already; choose another id"
                if voice.engine != "gpt-sovits":
                    why = f"comes with the engine {voice.engine} and cannot be changed"
                raise VoiceConflict(f"voice {voice_id!r} {why}")

    def _look_at(self, voice_id: str) -> StoredVoice | None:
        with suppress(VoiceNotFound):
            folder = find_folder(self._config.voices_dir, voice_id)
            return look_at(folder, self._config.pretrained_dir)
        return None

    def _told(
        self, voice_id: str, stored: StoredVoice | None, offered: Voice | None
    ) -> ManagedVoice:
        state, reason = "ready", ""
        work = self._works.get(voice_id)
        if work is not None:
            state, reason = str(work.progress), work.reason
        elif stored is not None and stored.state is not State.READY:
            state, reason = str(stored.state), stored.reason
        elif offered is None:
            state = "not offered"
            reason = "the voices were not read anew since, or none of its languages can be read"
        return ManagedVoice(voice_id, state, reason, offered, stored)

    def _not_found(self, voice_id: str) -> VoiceNotFound:
        ids = ", ".join(sorted(voice.id for voice in self._offering.voices))
        return VoiceNotFound(f"voice = {voice_id[:64]!r}: there are {ids}")

    def _scratch(self, voice_id: str) -> Path:
        name = f".{voice_id[:64]}.{os.getpid()}.{next(self._numbers)}.part"
        return self._config.voices_dir / name

    def _forget_old_failures(self) -> None:
        failed = [one for one, work in self._works.items() if work.progress is Progress.FAILED]
        for voice_id in failed[:-MAX_FAILURES]:
            del self._works[voice_id]


def clear_scratch(voices_dir: Path) -> None:
    """Remove what processes that are gone, or had our number, were making of voices."""
    for path in voices_dir.glob(".*.part"):
        match = _SCRATCH.fullmatch(path.name)
        if match and (int(match[1]) == os.getpid() or not _lives(int(match[1]))):
            logger.bind(folder=path.name).info("left over from a service that was killed, removed")
            shutil.rmtree(path, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _checked_id(voice_id: str) -> None:
    try:
        check_id(voice_id)
    except VoiceError as error:
        raise BadRequest(str(error)) from error


def _told_to_callers(error: Exception) -> Exception:
    """What is wrong with a voice's values or weights is its caller's doing."""
    if isinstance(error, VoiceError) and error.code == VoiceError.code:
        return BadRequest(str(error))
    return BadRequest(str(error)) if isinstance(error, ImportError) else error


def _extended(folder: Path, consent: ConsentTable | None, reference: NewReference) -> Sequence[str]:
    return extend(folder, reference, consent)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _publish(scratch: Path, folder: Path, before: bytes) -> None:
    """Bring what is new of a voice to its folder: at every moment it can be spoken with.

    Raises `VoiceConflict` when its manifest was changed meanwhile.
    """
    if (folder / MANIFEST).read_bytes() != before:
        raise VoiceConflict(f"{folder.name}/{MANIFEST} was changed meanwhile; nothing was added")
    new = [path for path in scratch.iterdir() if not (folder / path.name).exists()]
    # First the clip, then what names it, then what was compiled of both.
    for name in (*(path.name for path in new), MANIFEST, COMPILED):
        if (scratch / name).exists():
            os.replace(scratch / name, folder / name)
