"""The engine of cloned voices, with small random voices and readers that read letter by letter."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.tts.gpt_sovits.made import GAIN_DB, add_voice
from tests.tts.paces import spoken, worked
from tests.tts.test_contract import until
from tts.config import GptSovitsConfig
from tts.engine.sampling import Sampling
from tts.engine.types import NoHurry, Piece, Step
from tts.engine.voice import Manner
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed, Overloaded
from tts.gpt_sovits.engine import GptSovitsEngine
from tts.gpt_sovits.loading import Wanted
from tts.gpt_sovits.speaker import manner_for
from tts.models.sovits import Sovits
from tts.models.t2s import T2s
from tts.text import readers
from tts.text.feed import TextFeed
from tts.text.readers import FrontendFiles, Reading
from tts.text.spans import words
from tts.types import Mark, SynthesisRequest

RATE_HZ = 32000
LONG = "Hello there, my friend. How are you today? It is late, so good night."


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every language is read letter by letter, as phones that the tables do not know."""

    def reader(files: FrontendFiles, **_: bool) -> Callable[[str], Reading]:
        return lambda text: Reading(text, list(text))

    for name in ("english", "chinese", "japanese", "korean", "cantonese"):
        monkeypatch.setattr(readers, name, reader)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@contextmanager
def engine(voices_dir: Path, **settings: object) -> Iterator[GptSovitsEngine]:
    config = GptSovitsConfig(
        voices_dir=voices_dir, pretrained_dir=voices_dir / "none", threads=1, **settings
    )
    built = GptSovitsEngine(config, streams=4)
    try:
        yield built
    finally:
        built.close()


def say(text: str = "Hello.", voice: str = "ann", **fields: object) -> SynthesisRequest:
    return SynthesisRequest(text, voice, "en", **fields)


def steps(running: GptSovitsEngine, request: SynthesisRequest) -> Iterator[Step]:
    """The steps of a request, after its voice was loaded."""
    return loaded(spoken(running, request))


def loaded(given: Iterator[Step]) -> Iterator[Step]:
    """Steps, with what they wait for waited for."""
    for step in given:
        if isinstance(step, Future):
            step.exception(30)
        else:
            yield step


def pieces(running: GptSovitsEngine, request: SynthesisRequest) -> list[Piece]:
    return [step for step in steps(running, request) if isinstance(step, Piece)]


def samples(running: GptSovitsEngine, request: SynthesisRequest) -> NDArray[np.float32]:
    return np.concatenate([piece.samples for piece in pieces(running, request)])


# Speaking.


def test_a_voice_is_offered_as_its_files_say(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann", languages=("ja", "en"))
    with engine(tmp_path) as running:
        (voice,) = running.voices
        assert (voice.id, voice.languages, voice.sample_rate_hz) == ("ann", ("ja", "en"), RATE_HZ)
        assert (voice.engine, voice.description) == ("gpt-sovits", "babbles 0")
        assert voice.emotions == ("neutral", "happy")
        assert running.gain_db("ann") == GAIN_DB


@pytest.mark.golden
def test_the_same_request_gives_the_same_samples_whatever_was_said_before(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        first = samples(running, say(LONG))
        samples(running, say("Something else."))
        assert np.array_equal(samples(running, say(LONG)), first)
    with engine(tmp_path) as running:
        assert np.array_equal(samples(running, say(LONG)), first)


@pytest.mark.golden
def test_emotion_speed_and_the_voices_own_seed_change_what_is_heard(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    add_voice(tmp_path, "ann2", settings="manner.seed = 5")
    with engine(tmp_path) as running:
        plain = samples(running, say())
        assert np.array_equal(samples(running, say(emotion="neutral")), plain)
        assert not np.array_equal(samples(running, say(emotion="happy")), plain)
        assert not np.array_equal(samples(running, say(voice="ann2")), plain)
        assert len(samples(running, say(speed=2.0))) < len(plain)


@pytest.mark.golden
def test_a_request_may_be_sampled_in_its_own_way(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    add_voice(tmp_path, "ann2", settings="manner = { seed = 5, top_k = 3, temperature = 0.7 }")
    with engine(tmp_path) as running:
        plain = samples(running, say())
        own = say(seed=5, top_k=3, temperature=0.7)
        assert np.array_equal(samples(running, own), samples(running, say(voice="ann2")))
        for other in ({"seed": 6}, {"top_k": 1}, {"top_p": 0.1}):
            assert not np.array_equal(samples(running, say(**other)), plain)
        assert np.array_equal(samples(running, say(seed=0, top_k=15, top_p=1.0)), plain)


def test_what_a_request_does_not_say_is_the_voices_own_manner() -> None:
    own = Manner(Sampling(top_k=3, repetition_penalty=2.0), speed=1.2, noise_scale=0.1, seed=4)
    assert manner_for(say(), own) == own
    asked = say(speed=0.5, seed=0, top_p=0.0, temperature=0.0, repetition_penalty=0.1)
    assert manner_for(asked, own) == Manner(
        Sampling(top_k=3, top_p=0.0, temperature=0.0, repetition_penalty=0.1),
        speed=0.6,
        noise_scale=0.1,
        seed=0,
    )


def test_marks_cover_every_word_in_order_over_all_pieces(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        parts = pieces(running, say(LONG))
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    marks: list[Mark] = [mark for part in parts for mark in part.marks]
    assert [(m.text_start, m.text_end) for m in marks] == [
        (span.start, span.end) for span in words(LONG)
    ]
    assert {(m.kind, m.estimated) for m in marks} == {("word", True)}
    edges = [edge for mark in marks for edge in (mark.start_s, mark.end_s)]
    assert edges == sorted(edges)
    ends_s = np.cumsum([len(part.samples) for part in parts]) / RATE_HZ
    for part, end_s in zip(parts, ends_s, strict=True):
        assert all(mark.start_s <= mark.end_s <= end_s for mark in part.marks)


def test_work_goes_on_in_short_steps_and_closing_drops_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_voice(tmp_path, "ann")
    tokens: list[None] = []
    step = T2s.step
    monkeypatch.setattr(T2s, "step", lambda *args: tokens.append(None) or step(*args))
    with engine(tmp_path) as running:
        going = steps(running, say(LONG))
        for done in range(6):
            assert next(going) is None
            assert len(tokens) <= done
        going.close()
        assert len(tokens) <= 5
        # Nobody holds the voice any more: it may go.
        assert not running._cache._leases


def test_a_model_that_gives_no_numbers_is_a_failure_and_the_engine_lives_on(
    tmp_path: Path,
) -> None:
    add_voice(tmp_path, "ann")
    add_voice(tmp_path, "eve", t2s="v1", sovits="v1")
    with engine(tmp_path) as running:
        expected = samples(running, say())
        with running._cache.lease(Wanted.of(running._entries["eve"], "en")) as lease:
            lease.loading.result(30)
            lease.voice.models.t2s.model.head.weight.fill_(torch.nan)
            with pytest.raises(EngineFailed, match="not finite, not finite"):
                pieces(running, say(voice="eve"))
        # Another voice has to prove that the engine works.
        assert running.ready() == ("ann", "en")
        assert np.array_equal(samples(running, say()), expected)


# Memory.


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models that are loaded from now on."""
    loads: list[str] = []
    for kind in (T2s, Sovits):
        load = kind.load

        def count(*args: object, _load=load, _name=kind.__name__, **kwargs: object) -> object:
            loads.append(_name)
            return _load(*args, **kwargs)

        monkeypatch.setattr(kind, "load", count)
    return loads


@pytest.mark.golden
def test_voices_share_their_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, voice in enumerate(("ann", "bob")):
        add_voice(tmp_path, voice, seed=number)
    # The T2S of v2Pro knows the same phones.
    add_voice(tmp_path, "cat", t2s="v2", sovits="v2Pro")
    loads = counted(monkeypatch)
    with engine(tmp_path) as running:
        heard = [samples(running, say(voice=voice)) for voice in ("ann", "bob", "cat", "ann")]
    assert loads == ["T2s", "Sovits", "Sovits"]
    assert np.array_equal(heard[0], heard[3])
    assert not np.array_equal(heard[0], heard[1])


@pytest.mark.golden
def test_a_voice_that_does_not_fit_beside_idle_ones_takes_their_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_voice(tmp_path, "ann")
    add_voice(tmp_path, "eve", t2s="v1", sovits="v1")
    loads = counted(monkeypatch)
    # The first takes 1.3 MB.
    with engine(tmp_path, budget_mb=2) as running:
        for voice in ("ann", "eve", "ann"):
            assert len(samples(running, say(voice=voice))) > 0
        assert running.ready() == ("ann", "en")
        assert loads == ["T2s", "Sovits"] * 3
        speaking = steps(running, say(LONG))
        next(speaking)
        with pytest.raises(
            Overloaded, match="'eve/en' needs . MB more, and voices in use hold 1 MB"
        ):
            pieces(running, say(voice="eve"))
        speaking.close()


def test_a_cold_voice_is_waited_for_and_a_warm_one_is_not(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        assert running.ready() is None
        cold = spoken(running, say())
        first = next(cold)
        assert isinstance(first, Future)
        first.result(30)
        assert isinstance(next(cold), type(None))
        assert running.ready() == ("ann", "en")
        assert next(iter(spoken(running, say()))) is None


def test_voices_are_loaded_beforehand(tmp_path: Path) -> None:
    for voice in ("ann", "bob"):
        add_voice(tmp_path, voice, languages=("ja", "en"))
    with engine(tmp_path, preload=("bob", "nobody")) as running:
        assert [str(one) for one in running._cache.voices] == ["bob/ja"]
        assert running.ready() == ("bob", "ja")


def test_a_preloaded_voice_that_breaks_keeps_no_other_from_speaking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for voice in ("ann", "bob"):
        add_voice(tmp_path, voice)

    def broken(*_: object) -> None:
        raise RuntimeError("no kernel for this")

    monkeypatch.setattr("tts.gpt_sovits.engine.warm", broken)
    with engine(tmp_path, preload=("ann",)) as running:
        assert len(samples(running, say(voice="bob"))) > 0


def test_a_voice_that_cannot_be_loaded_says_why_and_is_tried_again(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        path = running._entries["ann"].sovits.path
        content = path.read_bytes()
        path.write_bytes(content[:-100])
        with pytest.raises(EngineFailed, match=f"{path.name} cannot be loaded"):
            pieces(running, say())
        path.write_bytes(content)
        assert len(samples(running, say())) > 0


def test_a_language_whose_frontend_breaks_is_a_failure_of_that_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(files: FrontendFiles) -> object:
        raise ImportError("install the extra")

    monkeypatch.setattr(readers, "japanese", broken)
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        with pytest.raises(EngineFailed, match="text in 'ja' cannot be loaded: install the extra"):
            pieces(running, SynthesisRequest("はい", "ann", "ja"))
        assert len(samples(running, say())) > 0


# Voices that come and go.


@pytest.mark.golden
def test_a_new_voice_speaks_and_one_that_is_gone_is_let_go_of(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        samples(running, say())
        add_voice(tmp_path, "bob")
        shutil.rmtree(tmp_path / "ann")
        take = running.read_voices()
        assert [voice.id for voice in running.voices] == ["ann"]
        take()
        assert [voice.id for voice in running.voices] == ["bob"]
        assert running.gain_db("bob") == GAIN_DB
        assert len(samples(running, say(voice="bob"))) > 0
        assert running.ready() == ("bob", "en")
        assert [str(one) for one in running._cache.voices] == ["bob/en"]


@pytest.mark.golden
def test_a_request_ends_in_the_voice_it_began_in(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        before = samples(running, say(LONG))
        speaking = steps(running, say(LONG))
        heard = [next(step.samples for step in speaking if isinstance(step, Piece))]
        accepted = running.speak(say(LONG), TextFeed.of(LONG), NoHurry())
        shutil.rmtree(tmp_path / "ann")
        add_voice(tmp_path, "ann", seed=1)
        running.read_voices()()
        after = samples(running, say(LONG))
        assert not np.array_equal(after, before)
        heard += [step.samples for step in speaking if isinstance(step, Piece)]
        assert np.array_equal(np.concatenate(heard), before)
        # So does one that was accepted and had not begun.
        late = [step.samples for step in loaded(worked(accepted)) if isinstance(step, Piece)]
        assert np.array_equal(np.concatenate(late), before)
        assert np.array_equal(samples(running, say(LONG)), after)
        running._cache._thread.submit(int).result(30)
        assert [str(one) for one in running._cache.voices] == ["ann/en"]


def test_the_state_of_a_voice_is_equal_for_equal_sound(tmp_path: Path) -> None:
    folder = add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:

        def state() -> str:
            running.read_voices()()
            return running.voices[0].state

        first = state()
        shutil.rmtree(folder)
        add_voice(tmp_path, "ann")
        assert state() == first
        manifest = (folder / "voice.toml").read_text(encoding="utf-8")
        (folder / "voice.toml").write_text(
            manifest.replace("babbles 0", "described anew"), encoding="utf-8"
        )
        assert state() == first
        with (folder / "voice.toml").open("a", encoding="utf-8") as file:
            file.write("\n[manner]\ntop_k = 5\n")
        other = state()
        shutil.rmtree(folder)
        add_voice(tmp_path, "ann", seed=1)
        assert len({first, other, state()}) == 3
    with engine(tmp_path, dtype="bfloat16") as half, engine(tmp_path, dtype="float32") as single:
        assert half.voices[0].state != single.voices[0].state


@pytest.mark.golden
def test_a_voice_to_preload_is_loaded_when_it_appears(tmp_path: Path) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path, preload=("bob",)) as running:
        assert running.ready() is None
        add_voice(tmp_path, "bob")
        running.read_voices()()
        running._cache._thread.submit(int).result(30)
        assert running.ready() == ("bob", "en")


# Others.


def test_a_voice_that_loads_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_voice(tmp_path, "ann")
    add_voice(tmp_path, "eve", t2s="v1", sovits="v1")
    loading, go_on = threading.Event(), threading.Event()
    config = GptSovitsConfig(voices_dir=tmp_path, pretrained_dir=tmp_path / "none", threads=1)

    async def scenario() -> None:
        worker = EngineWorker("gpt-sovits", lambda: GptSovitsEngine(config, streams=4), ahead_s=60)
        await worker.start()
        try:
            async for _ in worker.speak(say()):
                pass
            load = Sovits.load

            def blocked(*args: object, **kwargs: object) -> object:
                loading.set()
                go_on.wait(30)
                return load(*args, **kwargs)

            monkeypatch.setattr(Sovits, "load", blocked)
            cold = worker.speak(say(voice="eve"))
            await until(loading.is_set)
            heard = [piece.is_last async for piece in worker.speak(say(LONG))]
            assert heard == [False] * (len(heard) - 1) + [True]
            assert not go_on.is_set()
            go_on.set()
            assert [piece.is_last async for piece in cold][-1]
        finally:
            go_on.set()
            await worker.stop()

    asyncio.run(scenario())


@pytest.mark.golden
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_lower_precision_speaks_too(tmp_path: Path, dtype: str) -> None:
    add_voice(tmp_path, "ann")
    add_voice(tmp_path, "pro", t2s="v2", sovits="v2ProPlus")
    with engine(tmp_path, dtype=dtype) as running:
        for voice in ("ann", "pro"):
            heard = samples(running, say(voice=voice))
            assert heard.dtype == np.float32
            assert len(heard) > RATE_HZ // 4


def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    gpus = torch.cuda.device_count()
    add_voice(tmp_path, "ann")
    with (
        pytest.raises(EngineFailed, match=rf"gpt_sovits.device = 'cuda:{gpus}': torch sees {gpus}"),
        engine(tmp_path, device=f"cuda:{gpus}"),
    ):
        pass
