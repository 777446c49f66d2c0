"""What a manager of voices works with, scripted: nothing is computed and no process is started."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.tts.voices.folders import pretend_compiled
from tts.config import GptSovitsConfig
from tts.types import Voice
from tts.voices.store import hidden_folders, look_at, voice_folders
from tts.voices.workshop import Workshop

LIGHT = Voice("heart", ("en",), 24000, "hibari")


class ScriptedWorkshop(Workshop):
    """Compiles at once, or when told to, or fails."""

    def __init__(self, config: GptSovitsConfig) -> None:
        super().__init__(config)
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.error: Exception | None = None
        self.compiled = 0

    async def _compile(self, folder: Path) -> None:
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        self.compiled += 1
        pretend_compiled(folder)


@dataclass
class FolderOffering:
    """Offers the compiled voices of a folder, as of when it was told to look."""

    voices_dir: Path
    voices: tuple[Voice, ...] = (LIGHT,)

    async def refresh_voices(self) -> None:
        folders = [*voice_folders(self.voices_dir), *hidden_folders(self.voices_dir)]
        self.voices = (LIGHT, *(_cloned(folder) for folder in folders if _speaks(folder)))


def _speaks(folder: Path) -> bool:
    return look_at(folder, Path("none")).compiled is not None


def _cloned(folder: Path) -> Voice:
    return Voice(folder.name, ("en",), 32000, "gpt-sovits")
