"""Voices made, extended and deleted while a service runs; what compiles them is scripted."""

import asyncio
import datetime
import io
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tts.voices.folders import (
    GOLDEN,
    make_voice,
    pretend_compiled,
    save_clip,
    save_noisy_clip,
)
from tests.tts.voices.scripted import FolderOffering, ScriptedWorkshop
from tts.config import GptSovitsConfig
from tts.errors import BadRequest, Overloaded, VoiceConflict, VoiceNotFound
from tts.voices import workshop
from tts.voices.adding import NewVoice
from tts.voices.errors import ClipRefused, VoiceError
from tts.voices.managing import Upload, VoiceManager, clear_scratch
from tts.voices.manifest import FILE_NAME, ConsentTable, load_manifest
from tts.voices.store import hidden_id

CONSENT = ConsentTable(who="Ada L.", when=datetime.date(2026, 11, 3), what="The shop's phone.")
NEW = NewVoice("Ada", "ada.ckpt", "sub/ada.pth", consent=CONSENT)


@dataclass
class Scene:
    manager: VoiceManager
    workshop: ScriptedWorkshop
    offering: FolderOffering
    voices_dir: Path

    async def settled(self) -> None:
        await asyncio.gather(*self.manager._tasks.values(), return_exceptions=True)

    async def state(self, voice_id: str) -> str:
        return (await self.manager.find(voice_id)).state

    def lying(self) -> set[str]:
        return {path.name for path in self.voices_dir.iterdir()} - {".weights"}


def babbled(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Babble is no voice to those who know voices; here it is."""
    return float(np.abs(samples).max() > 0)


def play(tmp_path: Path, scenario: Callable[[Scene], Awaitable[None]]) -> None:
    weights = tmp_path / "weights"
    (weights / "sub").mkdir(parents=True, exist_ok=True)
    shutil.copy(GOLDEN / "ckpt" / "t2s_v2.ckpt", weights / "ada.ckpt")
    shutil.copy(GOLDEN / "ckpt" / "sovits_v2.pth", weights / "sub" / "ada.pth")

    async def run() -> None:
        voices_dir = tmp_path / "voices"
        config = GptSovitsConfig(voices_dir=voices_dir, pretrained_dir=tmp_path / "none")
        compiler, offering = ScriptedWorkshop(config), FolderOffering(voices_dir)
        manager = VoiceManager(config, offering, compiler, weights_dir=weights, voice_share=babbled)
        await manager.start()
        await offering.refresh_voices()
        try:
            await scenario(Scene(manager, compiler, offering, voices_dir))
        finally:
            await manager.stop()

    asyncio.run(run())


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    return save_clip(tmp_path / "clip.wav").read_bytes()


def upload(clip: bytes, emotion: str = "neutral", content_type: str = "audio/wav") -> Upload:
    return Upload(io.BytesIO(clip), content_type, "Good morning.", "en", emotion)


def test_a_voice_is_there_once_it_is_compiled_and_not_before(tmp_path: Path, clip: bytes) -> None:
    async def scenario(scene: Scene) -> None:
        scene.workshop.go_on.clear()
        assert await scene.manager.add("ada", NEW, upload(clip)) == ()
        assert await scene.state("ada") == "compiling"
        assert all(name.startswith(".ada.") for name in scene.lying())
        assert [voice.id for voice in scene.offering.voices] == ["heart"]
        scene.workshop.go_on.set()
        await scene.settled()
        assert await scene.state("ada") == "ready"
        assert scene.lying() == {"ada"}
        assert [voice.id for voice in scene.offering.voices] == ["heart", "ada"]
        manifest = load_manifest(scene.voices_dir / "ada")
        assert (manifest.name, manifest.consent) == ("Ada", CONSENT)
        assert manifest.weights.t2s == str(tmp_path / "weights" / "ada.ckpt")
        assert (scene.voices_dir / "ada" / "neutral.wav").read_bytes() == clip

    play(tmp_path, scenario)


def test_every_voice_is_listed_with_its_state(tmp_path: Path, clip: bytes) -> None:
    async def scenario(scene: Scene) -> None:
        pretend_compiled(make_voice(scene.voices_dir, "ann"))
        await scene.offering.refresh_voices()
        make_voice(scene.voices_dir, "bob")
        pretend_compiled(make_voice(scene.voices_dir, "cat"))
        (scene.voices_dir / "dog").mkdir()
        (scene.voices_dir / "dog" / FILE_NAME).write_text("no", encoding="utf-8")
        scene.workshop.error = VoiceError("no RoBERTa")
        await scene.manager.add("eve", NEW, upload(clip))
        await scene.settled()
        assert [(one.id, one.state) for one in await scene.manager.list()] == [
            ("ann", "ready"),
            ("bob", "not compiled"),
            ("cat", "not offered"),
            ("dog", "broken"),
            ("eve", "failed"),
            ("heart", "ready"),
        ]
        assert (await scene.manager.find("eve")).reason == "no RoBERTa"

    play(tmp_path, scenario)


def test_a_voice_that_cannot_be_compiled_leaves_nothing_and_may_be_tried_again(
    tmp_path: Path, clip: bytes
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.workshop.error = VoiceError("no RoBERTa")
        await scene.manager.add("ada", NEW, upload(clip))
        await scene.settled()
        assert await scene.state("ada") == "failed"
        assert scene.lying() == set()
        scene.workshop.error = None
        await scene.manager.add("ada", NEW, upload(clip))
        await scene.settled()
        assert await scene.state("ada") == "ready"
        scene.workshop.error = VoiceError("no RoBERTa")
        await scene.manager.add("bob", NEW, upload(clip))
        await scene.settled()
        # Of one that failed there is nothing but the news.
        await scene.manager.delete("bob")
        with pytest.raises(VoiceNotFound):
            await scene.manager.find("bob")

    play(tmp_path, scenario)


def test_a_clip_is_refused_with_every_reason_and_nothing_stays(tmp_path: Path) -> None:
    noisy = save_noisy_clip(tmp_path / "noisy.wav").read_bytes()

    async def scenario(scene: Scene) -> None:
        for content, sent_as, reasons in (
            (noisy, "text/html; charset=utf-8", ["was sent as text/html", "is noisy"]),
            (noisy[:40000], "audio/wav", ["lasts 1.2"]),
            (b"PK\x03\x04" + bytes(100), "audio/wav", ["is a zip archive"]),
            (b"", "", ["is an empty file"]),
        ):
            with pytest.raises(ClipRefused) as caught:
                await scene.manager.add("ada", NEW, upload(content, content_type=sent_as))
            assert [one for one in reasons if one not in str(caught.value)] == []
            assert scene.lying() == set()
            with pytest.raises(VoiceNotFound):
                await scene.manager.find("ada")

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("voice_id", "new", "language", "words"),
    [
        ("../ada", NEW, "en", "id = '../ada'"),
        ("ada", NewVoice("Ada", "v9", "v2"), "en", "t2s = 'v9'"),
        ("ada", NewVoice("Ada", "v2", "../secret.pth"), "en", "sovits = '../secret.pth'"),
        ("ada", NewVoice("Ada", "v2", "/etc/passwd"), "en", "sovits = '/etc/passwd'"),
        ("ada", NewVoice("Ada", "v2", "linked.pth"), "en", "symbolic link"),
        ("ada", NewVoice("Ada", "official:nope", "v2"), "en", "t2s = 'official:nope'"),
        ("ada", NewVoice("Ada", "text.ckpt", "v2"), "en", "weights.t2s"),
        ("ada", NEW, "xx", "language"),
    ],
)
def test_what_may_not_be_named_is_refused(
    tmp_path: Path, clip: bytes, voice_id: str, new: NewVoice, language: str, words: str
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (tmp_path / "secret.pth").write_bytes(b"secret")
    (weights / "linked.pth").symlink_to(tmp_path / "secret.pth")
    (weights / "text.ckpt").write_text("no weights", encoding="utf-8")

    async def scenario(scene: Scene) -> None:
        given = Upload(io.BytesIO(clip), "audio/wav", "Good morning.", language, "neutral")
        with pytest.raises(BadRequest) as caught:
            await scene.manager.add(voice_id, new, given)
        assert words in str(caught.value)
        assert not scene.voices_dir.exists() or scene.lying() == set()

    play(tmp_path, scenario)


def test_ids_are_taken_by_voices_of_every_kind_and_those_under_way(
    tmp_path: Path, clip: bytes
) -> None:
    async def scenario(scene: Scene) -> None:
        make_voice(scene.voices_dir, "bob")
        scene.workshop.go_on.clear()
        await scene.manager.add("ada", NEW, upload(clip))
        for taken in ("heart", "bob", "ada"):
            with pytest.raises(VoiceConflict, match=taken):
                await scene.manager.add(taken, NEW, upload(clip))
        with pytest.raises(VoiceConflict, match="comes with the engine hibari"):
            await scene.manager.delete("heart")
        with pytest.raises(VoiceConflict, match="comes with the engine hibari"):
            await scene.manager.add_emotion("heart", upload(clip), CONSENT)
        with pytest.raises(VoiceConflict, match="is being made"):
            await scene.manager.delete("ada")
        with pytest.raises(VoiceNotFound):
            await scene.manager.delete("../bob")
        with pytest.raises(VoiceNotFound):
            await scene.manager.add_emotion("nobody", upload(clip), CONSENT)

    play(tmp_path, scenario)


def test_an_emotion_is_added_and_the_voice_speaks_as_it_did_until_then(
    tmp_path: Path, clip: bytes
) -> None:
    async def scenario(scene: Scene) -> None:
        folder = make_voice(scene.voices_dir, "ada")
        pretend_compiled(folder)
        await scene.offering.refresh_voices()
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        scene.workshop.go_on.clear()
        await scene.manager.add_emotion("ada", upload(clip, "happy"), CONSENT)
        assert await scene.state("ada") == "compiling"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        scene.workshop.go_on.set()
        await scene.settled()
        assert await scene.state("ada") == "ready"
        assert scene.lying() == {"ada"}
        manifest = load_manifest(folder)
        assert [one.emotion for one in manifest.reference] == ["neutral", "happy"]
        assert manifest.consent == CONSENT
        assert (folder / "happy.wav").read_bytes() == clip
        with pytest.raises(VoiceConflict, match="has the emotion 'happy'"):
            await scene.manager.add_emotion("ada", upload(clip, "happy"), CONSENT)

    play(tmp_path, scenario)


def test_an_emotion_that_fails_or_comes_across_another_change_alters_nothing(
    tmp_path: Path, clip: bytes
) -> None:
    async def scenario(scene: Scene) -> None:
        folder = make_voice(scene.voices_dir, "ada")
        pretend_compiled(folder)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        scene.workshop.error = VoiceError("no RoBERTa")
        await scene.manager.add_emotion("ada", upload(clip, "happy"), CONSENT)
        await scene.settled()
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        scene.workshop.error = None
        scene.workshop.go_on.clear()
        await scene.manager.add_emotion("ada", upload(clip, "happy"), CONSENT)
        with (folder / FILE_NAME).open("a", encoding="utf-8") as file:
            file.write("# By hand.\n")
        scene.workshop.go_on.set()
        await scene.settled()
        assert "changed meanwhile" in (await scene.manager.find("ada")).reason
        assert sorted(path.name for path in folder.iterdir()) == sorted(before)

    play(tmp_path, scenario)


def test_a_deleted_voice_is_gone_at_once_with_weights_that_nobody_else_speaks_with(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        for voice_id in ("ada", "bob"):
            pretend_compiled(make_voice(scene.voices_dir, voice_id))
        await scene.offering.refresh_voices()
        weights = scene.voices_dir / ".weights"
        (weights / f"{'c' * 64}.safetensors").touch()
        for path in weights.iterdir():
            os.utime(path, (0, 0))
        await scene.manager.delete("ada")
        assert scene.lying() == {"bob"}
        assert [voice.id for voice in scene.offering.voices] == ["heart", "bob"]
        assert sorted(path.stem[0] for path in weights.iterdir()) == ["a", "b"]
        with pytest.raises(VoiceNotFound, match="there are bob, heart"):
            await scene.manager.delete("ada")

    play(tmp_path, scenario)


def test_too_many_voices_at_once_are_refused(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "MAX_WAITING", 1)

    async def scenario(scene: Scene) -> None:
        scene.workshop.go_on.clear()
        for number in range(2):
            await scene.manager.add(f"ada{number}", NEW, upload(clip))
            await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 voices wait"):
            await scene.manager.add("one-more", NEW, upload(clip))
        with pytest.raises(VoiceNotFound):
            await scene.manager.find("one-more")

    play(tmp_path, scenario)


def test_stopping_leaves_no_half_voice(tmp_path: Path, clip: bytes) -> None:
    scenes: list[Scene] = []

    async def scenario(scene: Scene) -> None:
        scenes.append(scene)
        scene.workshop.go_on.clear()
        await scene.manager.add("ada", NEW, upload(clip))

    play(tmp_path, scenario)
    assert scenes[0].lying() == set()


def test_a_caller_who_goes_away_before_the_clip_is_accepted_leaves_nothing(
    tmp_path: Path, clip: bytes
) -> None:
    async def scenario(scene: Scene) -> None:
        adding = asyncio.create_task(scene.manager.add("ada", NEW, upload(clip)))
        await asyncio.sleep(0)
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
        await scene.settled()
        assert scene.lying() == set()
        with pytest.raises(VoiceNotFound):
            await scene.manager.find("ada")

    play(tmp_path, scenario)


def test_a_start_clears_away_what_a_killed_service_left(tmp_path: Path) -> None:
    voices_dir = tmp_path / "voices"
    pretend_compiled(make_voice(voices_dir, "ada"))
    hidden = hidden_id("ab" * 32)
    gone = 2**22 + 1  # no process has such a number
    living = os.getppid()
    for name in (f".bob.{gone}.0.part", f".bob.{gone}.0.clip.part", f".eve.{gone}.part", hidden):
        shutil.copytree(voices_dir / "ada", voices_dir / name)
    shutil.copytree(voices_dir / "ada", voices_dir / f".cat.{os.getpid()}.3.part")
    shutil.copytree(voices_dir / "ada", voices_dir / f".dog.{living}.3.part")
    clear_scratch(voices_dir)
    kept = {path.name for path in voices_dir.iterdir()}
    assert kept == {"ada", ".weights", hidden, f".dog.{living}.3.part"}
