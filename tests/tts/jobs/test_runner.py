"""Jobs from order to end: every sample of every passage, whatever happens in between."""

import asyncio
import hashlib
import io
import shutil
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.tts.jobs.talker import (
    RATE_HZ,
    REQUEST,
    VOICE,
    Talker,
    audio,
    config,
    ended,
    order,
    running,
    samples,
)
from tts.audio.encode import wav_header
from tts.context import CallContext, Caller
from tts.errors import (
    BadRequest,
    EngineFailed,
    JobNotFound,
    Overloaded,
    TextTooLong,
    TtsError,
    Unavailable,
    VoiceNotFound,
)
from tts.jobs.record import Failure, Job
from tts.jobs.results import FolderResults
from tts.jobs.runner import MOST_FRUITLESS
from tts.jobs.speaking import PASSAGE_CHARS
from tts.types import SpeechChunk, SynthesisRequest, Voice

TEXT = "".join(f"This is sentence number {n} of a long text, and it goes on. " for n in range(25))
"""Five passages of five sentences."""


class Drawling(Talker):
    """Says little in much audio."""

    async def stream(
        self, request: SynthesisRequest, context: CallContext
    ) -> AsyncGenerator[SpeechChunk]:
        for start in range(0, len(request.text), 200):
            pcm = bytes(300 * len(request.text[start : start + 200]))
            yield SpeechChunk(pcm, RATE_HZ, 150 * start, (), False, "ann")


class Flaky(FolderResults):
    """Fails twice, with the file half written."""

    failures = 2

    async def put(self, key: str, content_type: str, blocks: AsyncIterator[bytes]) -> None:
        if self.failures:
            self.failures -= 1
            await anext(blocks)
            raise Unavailable("away")
        await super().put(key, content_type, blocks)


async def until(condition: Callable[[], object]) -> None:
    """Give other tasks and threads turns until it holds; a deadlock fails in 10 s."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - threads set it
            await asyncio.sleep(0.002)


def test_a_job_is_spoken_in_passages_that_are_the_text(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker()
        async with running(talker, config(tmp_path)) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT)))
            assert await audio(runner, job) == samples(TEXT)
        assert "".join(request.text for request, _ in talker.asked) == TEXT
        assert max(len(request.text) for request, _ in talker.asked) <= PASSAGE_CHARS
        assert len(talker.asked) == 5
        # Nobody waits for it, and its owner's limits are for what its owner waits for.
        assert {context for _, context in talker.asked} == {
            CallContext("jobs", Caller("me"), patient=True)
        }
        assert {replace(request, text="") for request, _ in talker.asked} == {REQUEST}
        assert (job.state, job.spoken.chars, job.attempts) == ("done", len(TEXT), 1)

    asyncio.run(scenario())


def test_the_result_says_what_the_file_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT, "wav")))
            kept = await audio(runner, job)
        assert kept == wav_header(8000, len(TEXT)) + samples(TEXT)
        result = job.result
        assert result is not None
        assert (result.content_type, result.size_bytes) == ("audio/wav", len(kept))
        assert result.duration_s == len(TEXT) / 8000
        assert result.sha256 == hashlib.sha256(kept).hexdigest()

    asyncio.run(scenario())


@pytest.mark.parametrize("format", ["mp3", "opus", "ogg", "aac", "flac"])
def test_every_format_decodes_to_as_much_audio(tmp_path: Path, format: str) -> None:
    async def scenario() -> bytes:
        async with running(Talker(), config(tmp_path)) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT * 4, format)))
            return await audio(runner, job)

    with av.open(io.BytesIO(asyncio.run(scenario()))) as file:
        seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
    assert abs(seconds - len(TEXT * 4) / 8000) < 0.3


def test_passages_are_no_longer_than_the_service_takes(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker()
        async with running(talker, config(tmp_path, max_text_chars=70)) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT)))
            assert await audio(runner, job) == samples(TEXT)
        assert max(len(request.text) for request, _ in talker.asked) <= 70

    asyncio.run(scenario())


def test_a_passage_with_nothing_to_say_is_left_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker()
        async with running(talker, config(tmp_path, max_text_chars=10)) as runner:
            text = "One. " + "." * 40 + " Two."
            job = await ended(runner, await runner.submit("me", order(text)))
            said = [request.text for request, _ in talker.asked]
            assert await audio(runner, job) == samples("".join(said))
        assert [text for text in said if not any(c.isalnum() for c in text)] == []
        assert (job.state, job.spoken.chars) == ("done", len(text))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error", [Overloaded("full"), Unavailable("away"), EngineFailed("stumbled")]
)
def test_a_passage_that_broke_off_is_spoken_again_and_heard_once(
    tmp_path: Path, error: TtsError
) -> None:
    async def scenario() -> None:
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)

        talker = Talker(errors=[error, error])
        async with running(talker, config(tmp_path), pause=pause) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT)))
            assert await audio(runner, job) == samples(TEXT)
        assert pauses == [1.0, 2.0]
        assert len(talker.asked) == 5 + 2

    asyncio.run(scenario())


def test_an_engine_that_fails_for_good_fails_the_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(errors=[EngineFailed("no sound")] * 3)
        async with running(talker, config(tmp_path)) as runner:
            first = await runner.submit("me", order(TEXT))
            second = await runner.submit("me", order("Another."))
            first, second = await ended(runner, first), await ended(runner, second)
            assert (first.state, first.failure) == ("failed", Failure("engine_failed", "no sound"))
            # The next one has its turn.
            assert await audio(runner, second) == samples("Another.")
            assert not await runner.has_audio(first)

    asyncio.run(scenario())


def test_a_defect_fails_the_job_and_not_the_runner(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(errors=[KeyError("defect")])  # type: ignore[list-item]
        async with running(talker, config(tmp_path)) as runner:
            first = await ended(runner, await runner.submit("me", order(TEXT)))
            second = await ended(runner, await runner.submit("me", order(TEXT)))
            assert first.failure == Failure("internal", "KeyError while the job was spoken")
            assert await audio(runner, second) == samples(TEXT)

    asyncio.run(scenario())


def test_a_crash_at_any_moment_costs_a_passage_and_changes_no_sample(tmp_path: Path) -> None:
    """A copy of the folder at a moment is what a killed process leaves then."""

    async def crashed() -> list[Path]:
        copies: list[Path] = []

        def copy() -> None:
            copies.append(tmp_path / f"crash-{len(copies)}")
            shutil.copytree(tmp_path / "live", copies[-1])

        talker = Talker(before_chunk=copy)
        async with running(talker, config(tmp_path / "live")) as runner:
            await ended(runner, await runner.submit("me", order(TEXT)))
        copy()
        return copies

    async def resumed(folder: Path) -> tuple[Job, int]:
        talker = Talker()
        async with running(talker, config(folder)) as runner:
            (job,) = runner.list("me")
            job = await ended(runner, job)
            assert await audio(runner, job) == samples(TEXT)
        return job, len(talker.asked)

    copies = asyncio.run(crashed())
    ends = [asyncio.run(resumed(folder)) for folder in copies]
    # Five passages, three chunks each; the last copy is of a finished job.
    assert len(copies) == 16
    assert [passages for _, passages in ends] == [
        *[5] * 3,
        *[4] * 3,
        *[3] * 3,
        *[2] * 3,
        *[1] * 3,
        0,
    ]
    assert [job.attempts for job, _ in ends] == [2] * 15 + [1]


def test_half_a_write_is_taken_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        gate = asyncio.Semaphore(8)
        talker = Talker(gate=gate)
        async with running(talker, config(tmp_path)) as runner:
            job = await runner.submit("me", order(TEXT))
            await until(lambda: runner.find("me", job.id).spoken.chars > 0)
        spool = tmp_path / "jobs" / job.id / "spoken.pcm"
        spool.write_bytes(spool.read_bytes() + b"half a wri")
        talker.gate = None
        async with running(talker, config(tmp_path)) as runner:
            assert await audio(runner, await ended(runner, job)) == samples(TEXT)

    asyncio.run(scenario())


@pytest.mark.parametrize("loss", ["shorter", "gone"])
def test_audio_that_was_lost_is_spoken_again(tmp_path: Path, loss: str) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(8))
        async with running(talker, config(tmp_path)) as runner:
            job = await runner.submit("me", order(TEXT))
            await until(lambda: runner.find("me", job.id).spoken.chars > 0)
        spool = tmp_path / "jobs" / job.id / "spoken.pcm"
        if loss == "gone":
            spool.unlink()
        else:
            spool.write_bytes(b"xy")
        talker.gate = None
        async with running(talker, config(tmp_path)) as runner:
            assert await audio(runner, await ended(runner, job)) == samples(TEXT)

    asyncio.run(scenario())


def test_a_stop_leaves_the_job_for_the_next_start_and_is_no_fault_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        for _ in range(MOST_FRUITLESS + 2):
            async with running(talker, config(tmp_path)) as runner:
                if not runner.list("me"):
                    await runner.submit("me", order(TEXT))
                begun = len(talker.asked)
                await until(lambda begun=begun: len(talker.asked) > begun)
        talker.gate = None
        async with running(talker, config(tmp_path)) as runner:
            job = await ended(runner, runner.list("me")[0])
            assert await audio(runner, job) == samples(TEXT)
        assert job.attempts == MOST_FRUITLESS + 3
        assert talker.closed == MOST_FRUITLESS + 2

    asyncio.run(scenario())


def test_a_job_that_keeps_ending_the_process_is_given_up(tmp_path: Path) -> None:
    async def once(number: int) -> Job:
        folder = tmp_path / str(number)
        talker = Talker()

        def crash() -> None:
            shutil.copytree(folder, tmp_path / str(number + 1), dirs_exist_ok=True)
            talker.before_chunk = lambda: None

        talker.before_chunk = crash
        async with running(talker, config(folder)) as runner:
            if number == 0:
                await runner.submit("me", order("Boom."))
            return await ended(runner, runner.list("me")[0])

    ends = [asyncio.run(once(number)) for number in range(MOST_FRUITLESS + 1)]
    assert [job.state for job in ends] == ["done"] * MOST_FRUITLESS + ["failed"]
    assert ends[-1].failure is not None
    assert f"ended {MOST_FRUITLESS} times" in ends[-1].failure.message


@pytest.mark.parametrize(
    "changed", [replace(VOICE, state="v2"), replace(VOICE, sample_rate_hz=16_000)]
)
def test_a_job_whose_voice_changes_is_spoken_in_the_new_voice_from_the_start(
    tmp_path: Path, changed: Voice
) -> None:
    async def scenario() -> None:
        gate = asyncio.Semaphore(14)
        talker = Talker(gate=gate)
        async with running(talker, config(tmp_path)) as runner:
            job = await runner.submit("me", order(TEXT))
            await until(lambda: runner.find("me", job.id).spoken.chars > PASSAGE_CHARS)
            talker.voices = (changed,)
            for _ in range(100):
                gate.release()
            job = await ended(runner, job)
            assert await audio(runner, job) == samples(TEXT)
        spoken = job.spoken
        assert (spoken.voice_state, spoken.sample_rate_hz) == (
            changed.state,
            changed.sample_rate_hz,
        )

    asyncio.run(scenario())


def test_a_voice_that_is_gone_fails_the_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(errors=[VoiceNotFound("voice = 'ann': there are bob")])
        async with running(talker, config(tmp_path)) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT)))
            assert job.failure == Failure("voice_not_found", "voice = 'ann': there are bob")

    asyncio.run(scenario())


def test_a_running_job_can_be_cancelled_and_its_work_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(8))
        async with running(talker, config(tmp_path)) as runner:
            job = await runner.submit("me", order(TEXT))
            waiting = await runner.submit("me", order("Waiting."))
            await until(lambda: talker.gate is not None and talker.gate.locked())
            cancelled = await runner.cancel("me", job.id)
            assert (cancelled.state, cancelled.result) == ("cancelled", None)
            assert (await runner.cancel("me", waiting.id)).state == "cancelled"
            await until(lambda: talker.closed == 1)
            assert sorted(path.name for path in (tmp_path / "jobs" / job.id).iterdir()) == [
                "job.json"
            ]
            # It stays as it is, and the worker goes on.
            assert await runner.cancel("me", job.id) == cancelled
            talker.gate = None
            third = await ended(runner, await runner.submit("me", order("Third.")))
            assert await audio(runner, third) == samples("Third.")
        async with running(Talker(), config(tmp_path)) as runner:
            assert [job.state for job in runner.list("me")] == ["done", "cancelled", "cancelled"]

    asyncio.run(scenario())


@pytest.mark.parametrize("when", ["waiting", "running", "done"])
def test_a_job_can_be_removed_whatever_it_is_doing(tmp_path: Path, when: str) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(8))
        async with running(talker, config(tmp_path)) as runner:
            job = await runner.submit("me", order(TEXT))
            if when == "waiting":
                job = await runner.submit("me", order("Waiting."))
            await until(lambda: talker.gate is not None and talker.gate.locked())
            if when == "done":
                talker.gate = None
                await runner.remove("me", job.id)
                job = await ended(runner, await runner.submit("me", order(TEXT)))
            await runner.remove("me", job.id)
            with pytest.raises(JobNotFound):
                runner.find("me", job.id)
            with pytest.raises(JobNotFound):
                await runner.remove("me", job.id)
        names = {path.name for path in (tmp_path / "jobs").iterdir()}
        assert job.id not in names
        assert list((tmp_path / "jobs" / "results").iterdir()) == []

    asyncio.run(scenario())


def test_a_caller_sees_only_its_own_jobs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            mine = await runner.submit("me", order("Mine."))
            yours = await runner.submit("you", order("Yours."))
            assert [job.id for job in runner.list("me")] == [mine.id]
            with pytest.raises(JobNotFound):
                runner.find("me", yours.id)
            with pytest.raises(JobNotFound):
                await runner.cancel("me", yours.id)
            with pytest.raises(JobNotFound):
                await runner.remove("me", yours.id)
            assert (await ended(runner, yours, "you")).state == "done"

    asyncio.run(scenario())


def test_jobs_are_listed_newest_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            sent = [await runner.submit("me", order(f"Text {n}.")) for n in range(5)]
            assert [job.id for job in runner.list("me")] == [job.id for job in reversed(sent)]
        async with running(Talker(), config(tmp_path)) as runner:
            assert [job.id for job in runner.list("me")] == [job.id for job in reversed(sent)]

    asyncio.run(scenario())


def test_more_jobs_than_may_wait_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        async with running(talker, config(tmp_path, max_waiting=2)) as runner:
            await runner.submit("me", order("Running."))
            await until(lambda: len(talker.asked) == 1)
            sent = [runner.submit("me", order(f"Waiting {n}.")) for n in range(4)]
            answers = await asyncio.gather(*sent, return_exceptions=True)
            assert [type(answer) for answer in answers] == [Job, Job, Overloaded, Overloaded]
            assert isinstance(answers[2], Overloaded)
            assert answers[2].retry_after_s == 30.0
            assert runner.waiting == 2

    asyncio.run(scenario())


def test_as_many_jobs_are_spoken_at_once_as_configured(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        async with running(talker, config(tmp_path, at_once=2)) as runner:
            sent = [await runner.submit("me", order(f"Text {n}.")) for n in range(4)]
            await until(lambda: len(talker.asked) == 2)
            await asyncio.sleep(0.02)
            states = [runner.find("me", job.id).state for job in sent]
            assert states == ["running", "running", "queued", "queued"]
            talker.gate = None
            cancelled = [await runner.cancel("me", job.id) for job in sent[:2]]
            assert [job.state for job in cancelled] == ["cancelled"] * 2
            assert [(await ended(runner, job)).state for job in sent[2:]] == ["done"] * 2

    asyncio.run(scenario())


def test_the_same_key_is_the_same_job_also_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            same = [runner.submit("me", order("Text.", idempotency_key="k")) for _ in range(5)]
            jobs = await asyncio.gather(*same)
            assert len({job.id for job in jobs}) == 1
            with pytest.raises(BadRequest, match="another job was sent with the same key"):
                await runner.submit("me", order("Other.", idempotency_key="k"))
            other = await runner.submit("you", order("Text.", idempotency_key="k"))
            assert other.id != jobs[0].id
        async with running(Talker(), config(tmp_path)) as runner:
            again = await runner.submit("me", order("Text.", idempotency_key="k"))
            assert again.id == jobs[0].id
            assert len(runner.list("me")) == 1

    asyncio.run(scenario())


def test_a_job_is_taken_even_if_its_caller_goes_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            caller = asyncio.create_task(runner.submit("me", order("Text.")), name="caller")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            await until(lambda: runner.list("me"))
            assert (await ended(runner, runner.list("me")[0])).state == "done"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "values", "error"),
    [
        ("x" * 51, {}, TextTooLong),
        ("...", {}, BadRequest),
        ("Text.", {"voice": "eve"}, VoiceNotFound),
        ("Text.", {"language": "zh"}, BadRequest),
        ("Text.", {"speed": 9.0}, BadRequest),
    ],
)
def test_what_cannot_be_spoken_is_refused_at_once(
    tmp_path: Path, text: str, values: dict[str, object], error: type[TtsError]
) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path, job_chars=50)) as runner:
            wanted = order(text)
            wanted = replace(wanted, request=replace(wanted.request, **values))
            with pytest.raises(error):
                await runner.submit("me", wanted)
            assert runner.list("me") == []

    asyncio.run(scenario())


def test_a_webhook_without_a_secret_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        with_hosts = config(tmp_path, webhook_hosts=("example.org",))
        async with running(Talker(), with_hosts) as runner:
            with pytest.raises(BadRequest, match="PARLEY_WEBHOOK_SECRET"):
                await runner.submit("me", order("Text.", webhook="https://example.org/"))
            with pytest.raises(BadRequest, match="not one of"):
                await runner.submit("me", order("Text.", webhook="https://other.example/"))

    asyncio.run(scenario())


def test_old_jobs_and_their_audio_are_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        now = [1_000_000.0]
        async with running(Talker(), config(tmp_path), clock=lambda: now[0]) as runner:
            job = await ended(runner, await runner.submit("me", order("Text.")))
        now[0] += 7 * 86_400 - 1
        async with running(Talker(), config(tmp_path), clock=lambda: now[0]) as runner:
            assert await audio(runner, runner.find("me", job.id)) == samples("Text.")
        now[0] += 1
        async with running(Talker(), config(tmp_path), clock=lambda: now[0]) as runner:
            assert runner.list("me") == []
        assert [path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()] == ["results"]
        assert list((tmp_path / "jobs" / "results").iterdir()) == []

    asyncio.run(scenario())


def test_a_damaged_record_is_a_failed_job_for_whoever_knows_its_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        async with running(talker, config(tmp_path)) as runner:
            first = await runner.submit("me", order("First."))
            second = await runner.submit("me", order("Second."))
        (tmp_path / "jobs" / first.id / "job.json").write_bytes(b"\x00" * 40)
        talker.gate = None
        async with running(talker, config(tmp_path)) as runner:
            for owner in ("me", "you"):
                lost = runner.find(owner, first.id)
                assert (lost.state, lost.owner) == ("failed", None)
                assert lost.failure is not None
                assert "damaged" in lost.failure.message
            assert [job.id for job in runner.list("me")] == [second.id]
            assert await audio(runner, await ended(runner, second)) == samples("Second.")
            await runner.remove("me", first.id)
            with pytest.raises(JobNotFound):
                runner.find("me", first.id)

    asyncio.run(scenario())


@pytest.mark.parametrize("text", [None, b"", b"\xff\xfe", b"Tex"])
def test_a_damaged_text_fails_the_job(tmp_path: Path, text: bytes | None) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        async with running(talker, config(tmp_path)) as runner:
            job = await runner.submit("me", order("Text."))
        path = tmp_path / "jobs" / job.id / "text.txt"
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text)
        async with running(Talker(), config(tmp_path)) as runner:
            job = await ended(runner, job)
            assert job.failure is not None
            assert job.failure.message.startswith("files lost: its text")

    asyncio.run(scenario())


def test_a_store_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker()
        results = Flaky(tmp_path / "elsewhere")
        async with running(talker, config(tmp_path), results=results) as runner:
            job = await ended(runner, await runner.submit("me", order(TEXT, "wav")))
            assert await audio(runner, job) == wav_header(8000, len(TEXT)) + samples(TEXT)
        assert len(talker.asked) == 5

    asyncio.run(scenario())


def test_audio_that_is_not_as_long_as_it_was_made_is_not_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            job = await ended(runner, await runner.submit("me", order("Text.")))
            path = tmp_path / "jobs" / "results" / job.key
            path.write_bytes(path.read_bytes()[:-1])
            assert not await runner.has_audio(job)
            path.unlink()
            assert not await runner.has_audio(job)

    asyncio.run(scenario())


def test_two_processes_cannot_use_one_folder(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)):
            with pytest.raises(OSError, match="used by another process"):
                async with running(Talker(), config(tmp_path)):
                    pass

    asyncio.run(scenario())


def test_what_a_crash_left_of_making_and_removing_is_cleared(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            job = await ended(runner, await runner.submit("me", order("Text.")))
        folder = tmp_path / "jobs"
        shutil.copytree(folder / job.id, folder / ".new-job_x")
        shutil.copytree(folder / job.id, folder / ".old-job_x")
        (folder / "results" / ".job_x.mp3.part").write_bytes(b"half")
        (folder / job.id / "text.txt").write_bytes(b"Text.")
        async with running(Talker(), config(tmp_path)) as runner:
            assert await audio(runner, job) == samples("Text.")
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        assert files == sorted(
            [".lock", job.id, f"{job.id}/job.json", "results", f"results/{job.key}"]
        )

    asyncio.run(scenario())


def test_a_long_job_holds_little_of_its_audio_in_memory(tmp_path: Path) -> None:
    """100 000 characters, half an hour at this rate: 30 MB of audio pass."""

    async def scenario() -> None:
        text = (TEXT * 80)[:100_000]
        async with running(Drawling(), config(tmp_path)) as runner:
            tracemalloc.start()
            try:
                job = await ended(runner, await runner.submit("me", order(text, "wav")))
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert job.result is not None
        assert job.result.size_bytes == 44 + 300 * len(text)
        assert peak_bytes < 3_000_000

    asyncio.run(scenario())


def test_nothing_is_taken_before_the_start_and_after_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(Talker(), config(tmp_path)) as runner:
            pass
        with pytest.raises(Unavailable):
            await runner.submit("me", order("Text."))
        with pytest.raises(Unavailable):
            runner.list("me")
        await runner.stop()

    asyncio.run(scenario())
