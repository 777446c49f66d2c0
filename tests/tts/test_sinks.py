"""Where spoken audio goes: files that are whole or not there, players that are stand-ins."""

import asyncio
import os
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from tts.sinks import FilePlayer, Player, PlayerFailed, WavFile, player

RATE_HZ = 24000
FIRST, SECOND = b"\x01\x00" * 300, b"\x02\x00" * 200


def program(folder: Path, name: str, script: str) -> Path:
    """A stand-in for a player."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_finished_file_holds_all_samples_under_a_right_header(tmp_path: Path) -> None:
    async def scenario() -> None:
        sink = WavFile(tmp_path / "x.wav")
        await sink.write(FIRST, RATE_HZ)
        assert not (tmp_path / "x.wav").exists()
        await sink.write(SECOND, RATE_HZ)
        await sink.finish()
        await sink.abort()

    asyncio.run(scenario())
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert file.getparams()[:4] == (1, 2, RATE_HZ, 500)
        assert file.readframes(500) == FIRST + SECOND
    assert os.listdir(tmp_path) == ["x.wav"]


def test_an_aborted_file_leaves_the_older_one_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"older")

    async def scenario() -> None:
        sink = WavFile(tmp_path / "x.wav")
        await sink.write(FIRST, RATE_HZ)
        await sink.abort()

    asyncio.run(scenario())
    assert (tmp_path / "x.wav").read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["x.wav"]


def test_a_place_that_no_file_can_have_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        WavFile(tmp_path / "none" / "x.wav")
    with pytest.raises(IsADirectoryError, match="a folder, not a file"):
        WavFile(tmp_path)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("paplay", "--raw --format=s16le --rate=24000 --channels=1"),
        ("aplay", "-q -t raw -f S16_LE -r 24000 -c 1 -"),
        ("ffplay", "-nodisp -autoexit -loglevel error -f s16le -ar 24000 -i -"),
        ("play", "-q -t raw -e signed -b 16 -L -r 24000 -c 1 -"),
    ],
)
def test_a_player_gets_every_sample_and_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: str
) -> None:
    heard, asked = tmp_path / "heard", tmp_path / "asked"
    program(tmp_path, name, f'echo "$@" > {asked}; /bin/cat > {heard}')
    monkeypatch.setenv("PATH", str(tmp_path))

    async def scenario() -> str:
        sink = player()
        await sink.write(FIRST, RATE_HZ)
        await sink.write(SECOND, RATE_HZ)
        await sink.finish()
        await sink.abort()
        return str(sink)

    assert asyncio.run(scenario()) == f"played by {name}"
    assert asked.read_text().strip() == arguments
    assert heard.read_bytes() == FIRST + SECOND


@pytest.mark.real
def test_a_player_of_files_gets_a_whole_file_that_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, asked = tmp_path / "heard", tmp_path / "asked"
    program(tmp_path, "afplay", f'echo "$1" > {asked}; /bin/cat "$1" > {heard}')
    monkeypatch.setenv("PATH", str(tmp_path))

    async def scenario() -> None:
        sink = player()
        assert isinstance(sink, FilePlayer)
        await sink.write(FIRST, RATE_HZ)
        await sink.finish()
        await sink.abort()

    asyncio.run(scenario())
    with wave.open(str(heard)) as file:
        assert file.readframes(500) == FIRST
    assert not Path(asked.read_text().strip()).exists()


@pytest.mark.real
@pytest.mark.parametrize("make", [Player, FilePlayer])
def test_a_player_that_fails_says_why(
    tmp_path: Path, make: Callable[[str], Player | FilePlayer]
) -> None:
    failing = program(tmp_path, "aplay", "echo 'cannot open the device' >&2; exit 3")

    async def scenario() -> None:
        sink = make(str(failing))
        try:
            await sink.write(FIRST, RATE_HZ)
            await sink.finish()
        finally:
            await sink.abort()

    with pytest.raises(
        PlayerFailed, match="aplay ended with status 3: cannot open the device.*--out"
    ):
        asyncio.run(scenario())


@pytest.mark.real
@pytest.mark.parametrize("status", [0, 3])
def test_a_player_that_ends_before_it_has_all_is_a_failure(tmp_path: Path, status: int) -> None:
    short = program(tmp_path, "aplay", f"exit {status}")

    async def scenario() -> None:
        sink = Player(str(short))
        try:
            while True:
                await sink.write(FIRST, RATE_HZ)
                await asyncio.sleep(0.001)
        finally:
            await sink.abort()

    with pytest.raises(PlayerFailed, match=f"aplay ended with status {status}"):
        asyncio.run(scenario())


@pytest.mark.real
def test_an_aborted_player_is_silenced(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    endless = program(tmp_path, "aplay", f"exec /bin/cat > {heard}")

    async def scenario() -> int | None:
        sink = Player(str(endless))
        await sink.write(FIRST, RATE_HZ)
        process = sink._process
        assert process is not None
        await sink.abort()
        await sink.abort()
        return process.returncode

    assert asyncio.run(scenario()) == -9


def test_without_a_player_the_message_names_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlayerFailed, match=r"looked for paplay, aplay, .*--out speech.wav"):
        player()
