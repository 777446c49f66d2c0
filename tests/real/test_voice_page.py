"""The page's panel "Try a voice" in a real browser, before the real WebSocket door."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.real.browser import Browsers, Complaints, chromium
from tests.real.speech_server import HEAR, RATE_HZ, VOICES, SpeechServer
from tests.real.test_page import CONTRAST, OVERFLOWING
from tests.tts.fake_engine import FakeEngine, ramp_pcm
from tts.config import LimitsConfig, ServiceConfig

pytestmark = pytest.mark.real

HALF_A_SECOND = RATE_HZ // 2
Opened = Callable[..., AbstractContextManager[tuple[Page, Complaints]]]


@pytest.fixture(scope="module")
def browsers() -> Iterator[Browsers]:
    with chromium() as browsers:
        yield browsers


@pytest.fixture
def opened(browsers: Browsers) -> Opened:
    """Opens the page with the panel open, and keeps what it sounds."""

    @contextmanager
    def open_page(server: SpeechServer, **context: object) -> Iterator[tuple[Page, Complaints]]:
        profile = browsers.get().new_context(**{"locale": "en-US", **context})
        try:
            page = profile.new_page()
            complaints = Complaints(page)
            page.add_init_script(HEAR)
            page.goto(server.url)
            page.click("#voice-panel summary")
            yield page, complaints
        finally:
            profile.close()

    return open_page


def engine(pieces: int, **more: object) -> FakeEngine:
    return FakeEngine(piece_samples=(HALF_A_SECOND,) * pieces, voices=VOICES, **more)  # type: ignore[arg-type]


def heard(page: Page) -> list[int]:
    """The samples that were played, as 16-bit numbers; those of silence are left out."""
    samples = page.evaluate("window.heard.map((x) => x * 32768).filter((x) => x !== 0)")
    return [int(sample) for sample in samples]


def sounds(page: Page, samples: int) -> None:
    """Wait until so many samples have been heard."""
    for _ in range(1000):
        if page.evaluate("window.heard.filter((x) => x !== 0).length") >= samples:
            return
        page.wait_for_timeout(20)
    raise AssertionError("it stays silent")


def sounding(samples: int) -> list[int]:
    """What is heard of an engine's first samples."""
    ramp = np.frombuffer(ramp_pcm(samples), "<i2")
    return [int(sample) for sample in ramp if sample != 0]


def test_it_plays_every_sample_and_begins_before_the_last_has_come(opened: Opened) -> None:
    gate = threading.Semaphore(0)
    with SpeechServer(engine(6, gate=gate)) as server, opened(server) as (page, complaints):
        expect(page.locator("#voice-choice option")).to_have_text(["ann", "bob"])
        page.click("#voice-speak")
        expect(page.locator("#voice-line")).to_have_text("Waiting for the first sound…")
        gate.release(2)
        expect(page.locator("#voice-line")).to_contain_text("First sound after")
        sounds(page, 1)
        # The service has not made the rest.
        assert [step for _, step in server.engine.steps] == [0, 1]
        gate.release(4)
        expect(page.locator("#voice-line")).to_contain_text("Finished")
        expect(page.locator("#voice-line")).to_contain_text("3.0 s in all")
        assert heard(page) == sounding(6 * HALF_A_SECOND)
        expect(page.locator("#voice-speak")).to_be_focused()
        assert page.locator("#voice-progress").get_attribute("aria-label") == "Spoken so far"
        assert page.evaluate("document.querySelector('#voice-progress').value") == 1
        assert complaints.lines == []


def test_stop_silences_it_and_ends_the_work(opened: Opened) -> None:
    gate = threading.Semaphore(10)
    with SpeechServer(engine(100, gate=gate)) as server, opened(server) as (page, complaints):
        page.click("#voice-speak")
        expect(page.locator("#voice-line")).to_contain_text("First sound after")
        sounds(page, HALF_A_SECOND)
        page.click("#voice-stop")
        expect(page.locator("#voice-line")).to_contain_text("Stopped after")
        played = page.evaluate("window.heard.length")
        page.wait_for_timeout(300)
        assert page.evaluate("window.heard.length") == played
        assert played < 10 * HALF_A_SECOND
        # It fades within 10 ms instead of breaking off.
        tail = page.evaluate("window.heard.slice(-128).map(Math.abs)")
        assert tail[-1] < 0.01
        service = server.service
        assert service is not None
        server.wait_for(lambda: service.streams == 0)
        # The step that was waiting may still end; no later one.
        gate.release(10)
        server.wait_for(lambda: len(server.engine.dropped) == 1)
        assert len(server.engine.steps) <= 11
        # And it speaks again.
        page.click("#voice-speak")
        expect(page.locator("#voice-line")).to_contain_text("First sound after")
        page.keyboard.press("Enter")  # the button to stop has the focus
        expect(page.locator("#voice-line")).to_contain_text("Stopped after")
        assert complaints.lines == []


def test_the_chosen_voice_emotion_and_text_are_spoken(opened: Opened) -> None:
    with SpeechServer(engine(1)) as server, opened(server) as (page, _):
        expect(page.get_by_label("Emotion")).to_be_visible()
        page.get_by_label("Emotion").select_option("happy")
        page.get_by_label("Language").select_option("zh")
        assert page.input_value("#voice-text").startswith("您好")
        page.get_by_label("Text").fill("A text of my own.")
        page.get_by_label("Language").select_option("en")
        page.click("#voice-speak")
        expect(page.locator("#voice-line")).to_contain_text("Finished")
        assert server.engine.emotions[-1] == "happy"
        assert server.engine.steps[-1] == ("A text of my own.", 0)
        page.get_by_label("Voice").select_option("bob")
        expect(page.get_by_label("Emotion")).to_be_hidden()
        expect(page.get_by_label("Language")).to_be_hidden()


def test_what_cannot_be_spoken_is_said_plainly(opened: Opened) -> None:
    with SpeechServer(engine(1)) as server, opened(server) as (page, _):
        page.get_by_label("Text").fill("?!")
        page.click("#voice-speak")
        expect(page.locator("#voice-alert")).to_contain_text("at least one letter or digit")
        expect(page.locator("#voice-speak")).to_be_visible()
        page.get_by_label("Text").fill("Hello.")
        page.click("#voice-speak")
        expect(page.locator("#voice-line")).to_contain_text("Finished")
        expect(page.locator("#voice-alert")).to_be_empty()


def test_an_overloaded_service_is_named_in_the_pages_language(opened: Opened) -> None:
    config = ServiceConfig(limits=LimitsConfig(max_streams=1, max_queued=0))
    gate = threading.Semaphore(0)
    with SpeechServer(engine(2, gate=gate), config) as server:
        with opened(server) as (first, _), opened(server, locale="zh-CN") as (second, _):
            first.click("#voice-speak")
            service = server.service
            assert service is not None
            server.wait_for(lambda: service.streams == 1)
            expect(second.locator("#voice-speak")).to_have_text("朗读")
            second.click("#voice-speak")
            expect(second.locator("#voice-alert")).to_have_text("声音正忙，请稍后再试。")
            second.click("#language")
            expect(second.locator("#voice-alert")).to_contain_text("The voices are busy.")


def test_an_engine_that_fails_in_the_middle_is_reported(opened: Opened) -> None:
    with SpeechServer(engine(4, fails_at=1)) as server, opened(server) as (page, _):
        page.click("#voice-speak")
        expect(page.locator("#voice-alert")).to_contain_text("The voice could not speak: scripted")


def test_where_a_key_is_needed_it_is_asked_for_and_opens_the_socket_too(opened: Opened) -> None:
    for token in ("plain-token", "with/and=in,it"):
        with SpeechServer(engine(1), token=token) as server, opened(server) as (page, _):
            expect(page.locator("#token-dialog")).to_be_visible()
            page.fill("#token-input", token)
            page.keyboard.press("Enter")
            expect(page.locator("#voice-choice option")).to_have_count(2)
            page.click("#voice-speak")
            expect(page.locator("#voice-line")).to_contain_text("Finished")


def test_the_second_language_has_every_word_of_the_panel(opened: Opened) -> None:
    with SpeechServer(engine(1)) as server, opened(server, locale="zh-CN") as (page, _):
        expect(page.locator("#voice-panel h2")).to_have_text("试听声音")
        assert page.locator("#voice-form label span").all_inner_texts() == [
            *("声音", "情绪", "语言", "文本")
        ]
        assert page.input_value("#voice-language") == "zh"
        page.click("#voice-speak")
        expect(page.locator("#voice-line")).to_contain_text("已读完")


def test_by_keyboard_alone(opened: Opened) -> None:
    with SpeechServer(engine(1)) as server, opened(server) as (page, _):
        keys = page.keyboard
        expect(page.locator("#voice-choice")).to_be_visible()
        expect(page.locator("#voice-panel summary")).to_be_focused()
        for id in ("voice-choice", "voice-emotion", "voice-language", "voice-text", "voice-speak"):
            keys.press("Tab")
            expect(page.locator(f"#{id}")).to_be_focused()
        keys.press("Enter")
        expect(page.locator("#voice-status")).to_contain_text("Finished")
        expect(page.locator("#voice-speak")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panels_text_stands_out_from_its_ground(opened: Opened, scheme: str) -> None:
    with SpeechServer(engine(1)) as server, opened(server, color_scheme=scheme) as (page, _):
        expect(page.locator("#voice-speak")).to_be_visible()
        for element in ("#voice-panel h2", "#voice-form label", "#voice-text", "#voice-choice"):
            ratio = page.locator(element).first.evaluate(CONTRAST)
            assert ratio >= 4.5, (element, ratio)


@pytest.mark.parametrize("width", [320, 768])
def test_the_panel_fits_any_width(opened: Opened, width: int) -> None:
    with (
        SpeechServer(engine(1)) as server,
        opened(server, viewport={"width": width, "height": 640}) as (page, _),
    ):
        expect(page.locator("#voice-speak")).to_be_visible()
        page.get_by_label("Text").fill("word" * 200)
        assert page.evaluate(OVERFLOWING) == []
