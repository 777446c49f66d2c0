"""Voices made of clips that requests name: once each, remembered, bounded."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tts.voices.folders import GOLDEN, save_clip, save_noisy_clip
from tests.tts.voices.scripted import FolderOffering, ScriptedWorkshop
from tts.config import GptSovitsConfig
from tts.errors import BadRequest, Forbidden
from tts.voices import clip_voices
from tts.voices.clip_voices import ClipVoices
from tts.voices.errors import ClipRefused, VoiceError

WEIGHTS = {
    "t2s": str(GOLDEN / "ckpt" / "t2s_v2.ckpt"),
    "sovits": str(GOLDEN / "ckpt" / "sovits_v2.pth"),
}


@dataclass
class Scene:
    config: GptSovitsConfig
    clips: ClipVoices
    workshop: ScriptedWorkshop
    offering: FolderOffering

    def anew(self) -> None:
        """As after a restart."""
        self.clips = ClipVoices(self.config, self.offering, self.workshop)

    async def voice(self, clip: Path, text: str = "Good morning.", **weights: str) -> str:
        return await self.clips.voice_of(clip, text, "en", **{**WEIGHTS, **weights})

    def lying(self) -> set[str]:
        return {path.name for path in self.config.voices_dir.iterdir()} - {".weights"}


def play(tmp_path: Path, scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        config = GptSovitsConfig(voices_dir=tmp_path / "voices", pretrained_dir=tmp_path / "none")
        workshop, offering = ScriptedWorkshop(config), FolderOffering(config.voices_dir)
        scene = Scene(config, ClipVoices(config, offering, workshop), workshop, offering)
        try:
            await scenario(scene)
        finally:
            await scene.clips.stop()

    asyncio.run(run())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return save_clip(tmp_path / "clip.wav")


def test_a_clip_is_compiled_once_and_remembered(tmp_path: Path, clip: Path) -> None:
    renamed = tmp_path / "other.wav"
    renamed.write_bytes(clip.read_bytes())

    async def scenario(scene: Scene) -> None:
        first = await scene.voice(clip)
        assert first.startswith(".clip-")
        assert first in [voice.id for voice in scene.offering.voices]
        assert await scene.voice(clip) == first
        assert await scene.voice(renamed) == first
        scene.anew()
        assert await scene.voice(renamed) == first
        assert (scene.workshop.compiled, scene.lying()) == (1, {first})

    play(tmp_path, scenario)


def test_whoever_may_not_have_a_clip_compiled_may_have_one_spoken_that_was(
    tmp_path: Path, clip: Path
) -> None:
    async def scenario(scene: Scene) -> None:
        async def ask(text: str) -> str:
            return await scene.clips.voice_of(clip, text, "en", **WEIGHTS, may_compile=False)

        with pytest.raises(Forbidden, match="clip.wav .* `may_manage`"):
            await ask("Good morning.")
        assert scene.workshop.compiled == 0
        first = await scene.voice(clip)
        assert await ask("Good morning.") == first
        with pytest.raises(Forbidden):
            await ask("Good evening.")
        assert (scene.workshop.compiled, scene.lying()) == (1, {first})

    play(tmp_path, scenario)


@pytest.mark.golden
def test_another_clip_text_or_weights_are_another_voice(tmp_path: Path, clip: Path) -> None:
    other = save_clip(tmp_path / "other.wav", 5.0)
    copied = tmp_path / "copied.ckpt"
    copied.write_bytes(Path(WEIGHTS["t2s"]).read_bytes())

    async def scenario(scene: Scene) -> None:
        voices = {
            await scene.voice(clip),
            await scene.voice(other),
            await scene.voice(clip, "Good evening."),
            await scene.voice(clip, t2s=str(copied)),
        }
        assert len(voices) == 4
        assert scene.lying() == voices

    play(tmp_path, scenario)


def test_many_who_name_a_new_clip_at_once_wait_for_one_compiler(tmp_path: Path, clip: Path) -> None:
    async def scenario(scene: Scene) -> None:
        voices = await asyncio.gather(*(scene.voice(clip) for _ in range(8)))
        assert (len(set(voices)), scene.workshop.compiled) == (1, 1)

    play(tmp_path, scenario)


def test_who_goes_away_leaves_the_clip_to_the_others(tmp_path: Path, clip: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.workshop.go_on.clear()
        one, two = (asyncio.create_task(scene.voice(clip)) for _ in range(2))
        while not scene.clips._making:  # noqa: ASYNC110 - a thread has to look at the clip first
            await asyncio.sleep(0.001)
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        scene.workshop.go_on.set()
        assert (await two).startswith(".clip-")
        assert one.cancelled()

    play(tmp_path, scenario)


def test_a_failure_reaches_those_who_wait_and_the_next_tries_again(
    tmp_path: Path, clip: Path
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.workshop.error = VoiceError("no RoBERTa")
        failed = await asyncio.gather(
            *(scene.voice(clip) for _ in range(3)), return_exceptions=True
        )
        assert [str(error) for error in failed] == ["no RoBERTa"] * 3
        assert scene.lying() == set()
        scene.workshop.error = None
        assert await scene.voice(clip) in scene.lying()

    play(tmp_path, scenario)


def test_a_clip_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    noisy = save_noisy_clip(tmp_path / "noisy.wav")

    async def scenario(scene: Scene) -> None:
        with pytest.raises(ClipRefused, match="is noisy"):
            await scene.voice(noisy)
        with pytest.raises(BadRequest, match="text"):
            await scene.voice(noisy, "...")
        with pytest.raises(BadRequest, match="weights.t2s"):
            await scene.voice(noisy, t2s=str(noisy))
        with pytest.raises(BadRequest, match="cannot be read"):
            await scene.voice(tmp_path / "gone.wav")
        assert not scene.config.voices_dir.exists() or scene.lying() == set()

    play(tmp_path, scenario)


@pytest.mark.golden
def test_beyond_the_bound_the_voice_used_longest_ago_goes(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_voices, "MAX_VOICES", 2)

    async def scenario(scene: Scene) -> None:
        one = await scene.voice(clip, "One.")
        two = await scene.voice(clip, "Two.")
        for voice_id in (one, two):
            os.utime(scene.config.voices_dir / voice_id, (1, 1))
        await scene.voice(clip, "One.")
        three = await scene.voice(clip, "Three.")
        assert scene.lying() == {one, three}
        assert [voice.id for voice in scene.offering.voices[1:]] == sorted([one, three])

    play(tmp_path, scenario)


def test_stopping_leaves_no_half_voice(tmp_path: Path, clip: Path) -> None:
    scenes: list[Scene] = []

    async def scenario(scene: Scene) -> None:
        scenes.append(scene)
        scene.workshop.go_on.clear()
        waiting = asyncio.create_task(scene.voice(clip))
        while not scene.config.voices_dir.exists():  # noqa: ASYNC110 - a thread makes it
            await asyncio.sleep(0.001)
        await scene.clips.stop()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()

    play(tmp_path, scenario)
    assert scenes[0].lying() == set()
