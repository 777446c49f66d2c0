"""Whole calls from a browser to the real daemon with its real models.

A synthetic voice asks a question through the browser's microphone.  What arrives is judged by
transcript in both directions: the page must show the question, and what the browser played,
recorded there and transcribed here, must be what the page says the agent said.
"""

import base64
import io
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import jiwer
import numpy as np
import pytest
from faster_whisper import WhisperModel
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from agent import weights
from tests.real.browser import Browsers, Complaints, chromium, playing
from tests.real.daemon import running_daemon
from tests.real.pipecat_caller import PipecatCaller, build_bundle
from tests.tts.paces import pieces, spoken
from tts.light.hibari import VOICE, HibariEngine
from tts.types import SynthesisRequest

pytestmark = pytest.mark.real

QUESTION = "How long does the shipping to London take?"
WORDS = {"how", "long", "shipping", "london", "take"}
WAIT_S = 14
"""The microphone is silent this long first, while the call connects and the agent greets."""
ANSWER_MS = 60_000
MAX_WORD_ERROR = 0.2
"""Of the reply as heard back: what the transcriber itself mishears of a synthetic voice."""

RECORD = """() => {
  const recorder = new MediaRecorder(document.getElementById("agent-audio").srcObject);
  window.recording = { recorder, chunks: [] };
  recorder.ondataavailable = ({ data }) => window.recording.chunks.push(data);
  recorder.start();
}"""
PLACES = "parts => parts.map(e => [e.className.baseVal, e.getBoundingClientRect().x])"
"""The kind of each part of a timeline, and how far to the right it begins."""
STOP = """() => new Promise((resolve) => {
  const { recorder, chunks } = window.recording;
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.split(",")[1]);
  recorder.onstop = () => reader.readAsDataURL(new Blob(chunks));
  recorder.stop();
})"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_daemon(f"calls.log_dir={tmp_path_factory.mktemp('calls')}") as daemon:
        yield daemon.url


@pytest.fixture(scope="module")
def browsers() -> Iterator[Browsers]:
    with chromium() as browsers:
        yield browsers


@pytest.fixture
def page(browsers: Browsers, tmp_path: Path) -> Iterator[Page]:
    question = tmp_path / "question.wav"
    write_question(question)
    profile = browsers.get(*playing(question)).new_context(locale="en-US")
    yield profile.new_page()
    profile.close()


def write_question(path: Path) -> None:
    """Silence, then the question."""
    engine = HibariEngine(threads=1)
    said = pieces(spoken(engine, SynthesisRequest(QUESTION, VOICE.id, "en")))
    speech = np.concatenate([piece.samples for piece in said])
    silence = np.zeros(WAIT_S * VOICE.sample_rate_hz, np.float32)
    samples = np.concatenate([silence, speech / np.abs(speech).max() * 0.5])
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, VOICE.sample_rate_hz, 0, "NONE", ""))
        wav.writeframes((samples * 32767).astype("<i2").tobytes())


def transcribe(recording: str, cache_dir: Path) -> str:
    """Transcribe a recording of the browser's: base64 of WebM."""
    model = WhisperModel(str(weights.whisper("base", cache_dir)), compute_type="int8")
    segments, _ = model.transcribe(
        decode(base64.b64decode(recording)),
        language="en",
        vad_filter=True,  # in silence Whisper repeats what it last heard
        condition_on_previous_text=False,
    )
    return " ".join(segment.text for segment in segments)


def decode(webm: bytes) -> NDArray[np.float32]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
    with av.open(io.BytesIO(webm)) as container:
        frames = [
            resampled.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for resampled in resampler.resample(frame)
        ]
    return np.concatenate(frames)


def plain(text: str) -> str:
    """Lower-case words alone, as jiwer wants them."""
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split())


def test_a_call_from_the_page_is_understood_in_both_directions(
    page: Page, url: str, tmp_path: Path
) -> None:
    complaints = Complaints(page)
    page.goto(url)
    page.locator('input[value="customer-service-en"]').check()
    page.click("#start")
    expect(page.locator("#mute")).to_be_enabled(timeout=20_000)
    page.evaluate(RECORD)
    asked = page.locator("#transcript .caller:not(.partial) .text")
    expect(asked).to_have_count(1, timeout=ANSWER_MS)
    answered = page.locator("#transcript .caller ~ .agent:not(.speaking) .text")
    expect(answered).to_have_count(1, timeout=ANSWER_MS)
    page.wait_for_timeout(1000)  # what is still in the browser's jitter buffer is heard too
    recording = page.evaluate(STOP)
    shown = page.locator("#transcript .agent .text").all_inner_texts()
    question = asked.inner_text()
    stages = page.locator("#latency-turns li dt").all_inner_texts()
    turn = page.locator("#timeline-turns li", has=page.locator(".decision-end"))
    expect(turn).to_have_count(1, timeout=ANSWER_MS)
    drawn = turn.locator("[role=option]").evaluate_all(PLACES)
    page.click("#hang-up")

    assert WORDS <= set(plain(question).split())
    heard = transcribe(recording, tmp_path)
    assert jiwer.wer(plain(" ".join(shown)), plain(heard)) <= MAX_WORD_ERROR, (shown, heard)
    assert stages == ["End of turn", "Transcript", "Thinking", "Voice", "Sending"]
    order = ["caller-speech", "caller-silence", "over-score", "decision-end", "agent-speech"]
    first = {kind: min(x for other, x in drawn if other == kind) for kind in order}
    assert sorted(order, key=lambda kind: first[kind]) == order
    assert complaints.lines == []


def test_pipecats_own_client_completes_a_call(page: Page, url: str, tmp_path: Path) -> None:
    caller = PipecatCaller(page, url, build_bundle(tmp_path))
    ready = caller.connect(requestData={"persona": "customer-service-en"})
    assert ready["version"].startswith("2.")
    caller.wait_for("track")
    page.evaluate(RECORD)
    caller.wait_for("user-transcript", timeout_ms=ANSWER_MS)
    page.wait_for_function(ANSWERED, timeout=ANSWER_MS)
    page.wait_for_timeout(1000)
    recording = page.evaluate(STOP)
    caller.disconnect()
    said = [event["text"] for event in caller.events("user-transcript") if event["final"]]
    assert WORDS <= set(plain(said[0]).split())
    spoken = "".join(event["text"] for event in caller.events("bot-tts-text"))
    heard = transcribe(recording, tmp_path)
    assert jiwer.wer(plain(spoken), plain(heard)) <= MAX_WORD_ERROR, (spoken, heard)
    assert caller.events("error") == []


ANSWERED = """() => caller.events.some(
  ([name, data]) => name === "server-message" && data.type === "agent-ended" && data.utterance > 1
)"""
"""Whether the agent has spoken what follows its greeting."""
