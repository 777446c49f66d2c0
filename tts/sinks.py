"""Where spoken audio goes from the command line: a WAV file, or a player of this machine.

In: 16-bit little-endian mono PCM, all of one rate.  Out: a file that is whole or not there, or
sound.  Each sink is written to, then finished or aborted; aborting after either does nothing.  On
the event loop's thread, which is never blocked for longer than a write to a file takes.
"""

import asyncio
import errno
import os
import shutil
import tempfile
import wave
from pathlib import Path
from typing import Protocol

from tts.audio.chain import BYTES_PER_SAMPLE
from tts.errors import TtsError

# By name of the program, best first: its arguments for raw PCM on standard input.
_PLAYERS = {
    "paplay": ("--raw", "--format=s16le", "--rate={rate}", "--channels=1"),
    "aplay": ("-q", "-t", "raw", "-f", "S16_LE", "-r", "{rate}", "-c", "1", "-"),
    "ffplay": (
        *("-nodisp", "-autoexit", "-loglevel", "error"),
        *("-f", "s16le", "-ar", "{rate}", "-i", "-"),
    ),
    "play": (
        *("-q", "-t", "raw", "-e", "signed", "-b", "16", "-L"),
        *("-r", "{rate}", "-c", "1", "-"),
    ),
}
# macOS: plays files only.
_FILE_PLAYER = "afplay"


class PlayerFailed(TtsError):
    """Nothing can be played here; the message says what to do instead."""


class Sink(Protocol):
    """Where audio goes; `str` names it for people."""

    async def write(self, pcm: bytes, sample_rate_hz: int) -> None:
        """Take the next samples."""

    async def finish(self) -> None:
        """All has been written; returns when it is kept or played."""

    async def abort(self) -> None:
        """Stop, and keep nothing, unless finished.  Idempotent."""


class WavFile:
    """A WAV file, written beside its place until it is whole."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError` for a path that no file can have."""
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder, not a file", str(path))
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._file: wave.Wave_write | None = None

    def __str__(self) -> str:
        return str(self._path)

    async def write(self, pcm: bytes, sample_rate_hz: int) -> None:
        """Append samples.  Raises `OSError`."""
        if self._file is None:
            self._file = wave.open(str(self._part), "wb")
            self._file.setnchannels(1)
            self._file.setsampwidth(BYTES_PER_SAMPLE)
            self._file.setframerate(sample_rate_hz)
        self._file.writeframesraw(pcm)

    async def finish(self) -> None:
        """Write the header's lengths and move the file to its place.  Raises `OSError`."""
        if self._file is not None:
            self._file.close()
            self._file = None
            os.replace(self._part, self._path)

    async def abort(self) -> None:
        """Remove what was written."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            finally:
                self._part.unlink(missing_ok=True)


class Player:
    """A program that plays raw PCM from its standard input."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    def __str__(self) -> str:
        return f"played by {Path(self._program).name}"

    async def write(self, pcm: bytes, sample_rate_hz: int) -> None:
        """Hand samples on; those that the program does not take yet wait in memory.

        A synthesis is short enough for that, and goes on while its beginning is heard.  Raises
        `PlayerFailed`.
        """
        if self._process is None:
            arguments = _PLAYERS[Path(self._program).name]
            self._process = await asyncio.create_subprocess_exec(
                self._program,
                *(argument.format(rate=sample_rate_hz) for argument in arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        assert self._process.stdin is not None
        if self._process.stdin.is_closing():  # it is gone, before it had all
            _, said = await self._process.communicate()
            raise _failed(self._program, self._process.returncode, said)
        self._process.stdin.write(pcm)

    async def finish(self) -> None:
        """Wait until all is played.  Raises `PlayerFailed`."""
        if self._process is not None:
            _, said = await self._process.communicate(b"")  # closes its input when that is taken
            if self._process.returncode:
                raise _failed(self._program, self._process.returncode, said)

    async def abort(self) -> None:
        """Silence it."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.communicate()


class FilePlayer:
    """A program that plays a file, once that is whole."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="parley-say-")
        self._path = Path(self._folder.name, "speech.wav")
        self._file = WavFile(self._path)
        self._process: asyncio.subprocess.Process | None = None

    def __str__(self) -> str:
        return f"played by {Path(self._program).name}"

    async def write(self, pcm: bytes, sample_rate_hz: int) -> None:
        """Append samples to the file."""
        await self._file.write(pcm, sample_rate_hz)

    async def finish(self) -> None:
        """Play the file and remove it.  Raises `PlayerFailed`."""
        await self._file.finish()
        self._process = await asyncio.create_subprocess_exec(
            self._program, str(self._path), stderr=asyncio.subprocess.PIPE
        )
        _, said = await self._process.communicate()
        if self._process.returncode:
            raise _failed(self._program, self._process.returncode, said)

    async def abort(self) -> None:
        """Silence it and remove the file."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.communicate()
        await self._file.abort()
        self._folder.cleanup()


def player() -> Sink:
    """The first player there is.  Raises `PlayerFailed` when there is none."""
    for name in _PLAYERS:
        if program := shutil.which(name):
            return Player(program)
    if program := shutil.which(_FILE_PLAYER):
        return FilePlayer(program)
    raise PlayerFailed(
        f"nothing here plays audio (looked for {', '.join([*_PLAYERS, _FILE_PLAYER])}); "
        "write a file instead: --out speech.wav"
    )


def _failed(program: str, status: int | None, said: bytes) -> PlayerFailed:
    lines = said.decode(errors="replace").strip().splitlines()
    return PlayerFailed(
        f"{Path(program).name} ended with status {status}{f': {lines[-1]}' if lines else ''}; "
        "write a file instead: --out speech.wav"
    )
