"""Compiles voices while a service runs: in processes of their own, one after another.

In: a voice's folder.  Out: its saved state beside its manifest, or a `VoiceError` with what the
compiler said.  A child, because compiling takes gigabytes and all of a thread for seconds, and its
memory is to be gone afterwards.  On the event loop's thread.
"""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

from loguru import logger

from tts.config import GptSovitsConfig
from tts.errors import Overloaded
from tts.voices.errors import VoiceError

MAX_WAITING = 8
"""Voices that may wait for the one that is being compiled; one more is refused."""
TIMEOUT_S = 600.0
"""A voice that takes longer has failed; on two cores it takes half a minute."""
MAX_SAID_BYTES = 4000
"""What is told of the end of a compiler's output."""

_NICENESS = 10
"""Callers go first."""


class Workshop:
    """The compiler of one service."""

    def __init__(self, config: GptSovitsConfig) -> None:
        self._settings = json.dumps({"gpt_sovits": config.model_dump(mode="json")})
        self._one = asyncio.Lock()
        self._waiting = 0

    def check_room(self) -> None:
        """Raise `Overloaded` when no more voices may wait."""
        if self._waiting > MAX_WAITING:
            raise Overloaded(
                f"{self._waiting} voices wait to be compiled, which is the limit",
                retry_after_s=30.0,
            )

    async def compile(self, folder: Path) -> None:
        """Compile the voice in a folder beside the others.  Cancelling ends the compiler.

        Raises `Overloaded` when too many wait, and `VoiceError` when it cannot be compiled.
        """
        self.check_room()
        self._waiting += 1
        try:
            async with self._one:
                await self._compile(folder)
        finally:
            self._waiting -= 1

    async def _compile(self, folder: Path) -> None:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tts", "voices", "--settings", self._settings),
            *("compile", "--folder", str(folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        with contextlib.suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, child.pid, _NICENESS)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                said = await _end_of(child)
                status = await child.wait()
        except TimeoutError as error:
            raise VoiceError(f"compiling took longer than {TIMEOUT_S:.0f} s") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if status != 0:
            logger.bind(folder=folder.name, status=status, said=said).warning("voice not compiled")
            raise VoiceError(_reason(said, folder) or f"the compiler ended with status {status}")


async def _end_of(child: asyncio.subprocess.Process) -> str:
    """The last of what a child says, once it says no more."""
    assert child.stderr is not None
    said = b""
    while more := await child.stderr.read(65536):
        said = (said + more)[-MAX_SAID_BYTES:]
    return said.decode(errors="replace")


def _reason(said: str, folder: Path) -> str:
    """What the compiler said of the voice, without where it lay meanwhile."""
    _, _, reason = said.rpartition(f"{folder.name}: not compiled\n")
    return reason.replace(f"{folder.name}/", "").strip()
