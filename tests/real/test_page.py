"""The page in a real browser, against a daemon that says what each test tells it to."""

import re
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.real.browser import (
    ALLOW_MICROPHONE,
    FAKE_DEVICE,
    Browsers,
    Complaints,
    chromium,
    playing,
)
from tests.real.fake_daemon import FakeDaemon

pytestmark = pytest.mark.real

LOUD = re.compile(r"^([1-9]\d|100)$")
LATENCY = {"endpoint_ms": 240, "stt_ms": 0, "llm_ms": 180, "tts_ms": 60, "send_ms": 20}

TIMELINE = {
    "turn": 2,
    "from_s": 64.3,
    "length_ms": 3000,
    "spans": [
        {"lane": "caller", "kind": "speech", "from_ms": 200, "to_ms": 1200},
        {"lane": "caller", "kind": "silence", "from_ms": 1200, "to_ms": 1540},
        {"lane": "draft", "kind": "adopted", "from_ms": 1320, "to_ms": 1540},
        {"lane": "agent", "kind": "thinking", "from_ms": 1540, "to_ms": 1700},
        {"lane": "agent", "kind": "speech", "from_ms": 1700, "to_ms": 3000},
        {"lane": "floor", "kind": "duck", "from_ms": 2000, "to_ms": 2100},
        {"lane": "floor", "kind": "hold", "from_ms": 2100, "to_ms": 2300, "reason": "backchannel"},
        {"lane": "later", "kind": "unheard of", "from_ms": 0, "to_ms": 10},
    ],
    "judgements": [
        {"at_ms": 1280, "pause": 1, "probability": 0.4, "needed_ms": 900, "sound": 0.45},
        {
            "at_ms": 1320,
            "pause": 1,
            "probability": 0.83,
            "needed_ms": 340,
            "sound": 0.8,
            "words": 0.9,
            "habit": 0.5,
        },
    ],
    "decisions": [
        {"at_ms": 1540, "kind": "end", "probability": 0.83, "silence_ms": 340},
        {"at_ms": 2300, "kind": "restore", "reason": "backchannel"},
        {"at_ms": 2350, "kind": "drop", "reason": "something new"},
    ],
}


@dataclass
class Open:
    """An open page and the daemon behind it."""

    page: Page
    daemon: FakeDaemon
    complaints: Complaints


Opened = Callable[..., AbstractContextManager[Open]]


@pytest.fixture(scope="module")
def browsers() -> Iterator[Browsers]:
    with chromium() as browsers:
        yield browsers


@pytest.fixture
def opened(browsers: Browsers) -> Opened:
    """Opens the page in a fresh profile; by default with a microphone that works."""

    @contextmanager
    def open_page(
        *flags: str, daemon: FakeDaemon | None = None, init_script: str = "", **context: object
    ) -> Iterator[Open]:
        browser = browsers.get(*(flags or (FAKE_DEVICE, ALLOW_MICROPHONE)))
        profile = browser.new_context(**{"locale": "en-US", **context})
        try:
            with daemon or FakeDaemon() as running:
                page = profile.new_page()
                complaints = Complaints(page)
                page.add_init_script(init_script)
                page.goto(running.url)
                yield Open(page, running, complaints)
        finally:
            profile.close()

    return open_page


@pytest.fixture
def home(opened: Opened) -> Iterator[Open]:
    with opened() as home:
        yield home


@pytest.fixture
def call(home: Open) -> Open:
    start(home.page)
    return home


def start(page: Page) -> None:
    page.click("#start")
    expect(page.locator("#mute")).to_be_enabled()


def heading(page: Page) -> str:
    return page.inner_text("h1")


def test_a_call_sends_the_persona_and_is_ready_to_talk(home: Open) -> None:
    home.page.get_by_text("Pip, a tutor for children").click()
    start(home.page)
    offers = [r for r in home.daemon.requests if r.method == "POST"]
    assert [r.path for r in offers] == ["/api/offer"]
    assert set(offers[0].body) == {"sdp", "type", "request_data"}
    assert offers[0].body["type"] == "offer"
    assert offers[0].body["request_data"] == {"persona": "tutor-en"}
    ready = home.daemon.messages("client-ready")
    assert [m["data"] for m in ready] == [
        {"version": "2.0.0", "about": {"library": "parley-page", "library_version": "1"}}
    ]
    assert home.page.inner_text("#state") == "Listening"
    assert home.page.inner_text("#call-name") == "Pip, a tutor for children"
    assert home.complaints.lines == []


def test_candidates_trickle_under_the_calls_id(call: Open) -> None:
    patches = [r for r in call.daemon.requests if r.method == "PATCH"]
    assert {r.body["pc_id"] for r in patches} == {"peer-0"}
    sent = [item for r in patches for item in r.body["candidates"]]
    assert {frozenset(item) for item in sent} == {
        frozenset({"candidate", "sdp_mid", "sdp_mline_index"})
    }
    assert all(item["candidate"].startswith("candidate:") for item in sent)


def test_the_page_pings_and_reports_its_playout_delay(call: Open) -> None:
    daemon = call.daemon
    daemon.wait_for(lambda: sum(isinstance(m, str) for m in daemon.received) >= 2)
    daemon.wait_for(lambda: len(daemon.messages("client-message")) >= 2)
    report = daemon.messages("client-message")[-1]["data"]
    assert report["t"] == "playout-delay"
    assert 0 <= report["d"]["delay_ms"] <= 1000


def test_a_final_transcript_replaces_the_partial_ones(call: Open) -> None:
    entries = call.page.locator("#transcript .caller")
    for text in ("what is", "what is the capital"):
        call.daemon.send("user-transcription", text=text, final=False)
        expect(entries.locator(".text")).to_have_text([text])
        expect(entries).to_have_class(["caller partial"])
    call.daemon.send("user-transcription", text="What is the capital of Peru?", final=True)
    expect(entries.locator(".text")).to_have_text(["What is the capital of Peru?"])
    expect(entries).to_have_class(["caller"])
    expect(call.page.locator("#announcer p")).to_have_text(
        ["You said: What is the capital of Peru?"]
    )


def test_an_empty_final_transcript_removes_the_partial(call: Open) -> None:
    call.daemon.send("user-transcription", text="uh", final=False)
    expect(call.page.locator("#transcript li")).to_have_count(1)
    call.daemon.send("user-transcription", text="", final=True)
    expect(call.page.locator("#transcript li")).to_have_count(0)
    expect(call.page.locator("#transcript-empty")).to_be_visible()


def test_the_agents_words_appear_as_they_are_spoken(call: Open) -> None:
    text = call.page.locator("#transcript .agent .text")
    call.daemon.tell(type="agent-text", utterance=1, text="Lima is the capital. ")
    call.daemon.tell(type="agent-text", utterance=1, text="It lies by the sea 🌊 there.")
    call.daemon.tell(type="agent-progress", utterance=1, spoken_chars=0)
    expect(call.page.locator("#state")).to_have_text("Speaking")
    expect(text).to_have_count(0)
    call.daemon.tell(type="agent-progress", utterance=1, spoken_chars=4)
    expect(text).to_have_text("Lima")
    call.daemon.tell(type="agent-progress", utterance=1, spoken_chars=41)
    expect(text).to_have_text("Lima is the capital. It lies by the sea 🌊")
    call.daemon.tell(type="agent-ended", utterance=1, spoken_chars=48, interrupted=False)
    expect(text).to_have_text("Lima is the capital. It lies by the sea 🌊 there.")
    expect(text.locator("s")).to_have_count(0)
    expect(call.page.locator("#state")).to_have_text("Listening")


def test_words_cut_off_by_an_interruption_are_shown_and_named_as_unspoken(call: Open) -> None:
    call.daemon.tell(type="agent-text", utterance=1, text="Lima is the capital of Peru.")
    call.daemon.tell(type="agent-progress", utterance=1, spoken_chars=11)
    call.daemon.tell(type="agent-ended", utterance=1, spoken_chars=11, interrupted=True)
    entry = call.page.locator("#transcript .agent")
    expect(entry.locator("s")).to_have_text("capital of Peru.")
    expect(entry.locator(".hidden")).to_have_text("not spoken:")
    expect(entry.locator(".note")).to_have_text("Interrupted")
    expect(entry.locator(".text")).to_have_text("Lima is the not spoken: capital of Peru.")
    expect(call.page.locator("#announcer p")).to_have_text(
        ["Interrupted. Not spoken: capital of Peru."]
    )


def test_a_turns_latency_is_shown_by_stage(call: Open) -> None:
    call.daemon.tell(type="turn-latency", turn=1, stages=LATENCY, total_ms=500)
    call.daemon.tell(type="turn-latency", turn=2, stages={"llm_ms": 300, "odd_ms": 9}, total_ms=701)
    turns = call.page.locator("#latency-turns li")
    expect(turns.locator(".turn-head")).to_have_text(["Turn 2701 ms", "Turn 1500 ms"])
    expect(turns.nth(1).locator("dd")).to_have_text(["240", "0", "180", "60", "20"])
    expect(turns.nth(0).locator("dt")).to_have_text(["Thinking"])
    widths = (
        turns.nth(1).locator(".turn-bar span").evaluate_all("all => all.map(e => e.style.width)")
    )
    assert widths == ["24%", "0%", "18%", "6%", "2%"]
    expect(call.page.locator("#latency-summary")).to_have_text("median 601 ms")


def test_foreign_messages_change_nothing(call: Open) -> None:
    call.daemon.send("bot-llm-text", text="hello")
    call.daemon.send("a-type-of-the-future", text="hello")
    call.daemon.tell(type="another-of-the-future")
    call.daemon.tell(type="turn-latency", turn=1, stages=None, total_ms="soon")
    call.daemon.tell(type="agent-ended", utterance=9, spoken_chars=3, interrupted=True)
    call.daemon.send("user-transcription", text="<b>still</b> here", final=True)
    expect(call.page.locator("#transcript li .text")).to_have_text(["<b>still</b> here"])
    expect(call.page.locator("#latency-turns li")).to_have_count(0)
    assert call.complaints.lines == []


def parts(page: Page) -> list[str]:
    """What the parts of the newest picture say of themselves, as they are drawn."""
    options = page.locator("#timeline-turns li:first-child [role=option]")
    return [option.get_attribute("aria-label") or "" for option in options.all()]


def test_a_turn_is_drawn_with_what_was_decided_and_why(call: Open) -> None:
    expect(call.page.locator("#timeline-empty")).to_be_visible()
    call.daemon.tell(type="turn-timeline", **TIMELINE)
    expect(call.page.locator("#timeline-empty")).to_be_hidden()
    expect(call.page.locator("#timeline-turns .turn-head")).to_contain_text(["At 1:04.3"])
    expect(call.page.locator("#timeline-summary")).to_have_text("no turn")
    assert parts(call.page) == [
        "200 ms: you speak for 1000 ms",
        "1200 ms: you are silent for 340 ms",
        "1320 ms: an answer is begun early; it is used 220 ms later",
        "1540 ms: the agent thinks for 160 ms",
        "1700 ms: the agent speaks for 1300 ms",
        "2000 ms: the agent lowers its voice for 100 ms",
        "2100 ms: the agent falls silent and keeps its place for 200 ms: "
        "you only show that you listen",
        "1280 ms: over with probability 0.40 (sound 0.45); it would end after 900 ms of silence",
        "1320 ms: over with probability 0.83 (sound 0.80, words 0.90, your habit 0.50); "
        "it would end after 340 ms of silence",
        "1540 ms: your turn is over, 340 ms after your last word",
        "2350 ms: this was no turn: something new",
    ]
    assert call.complaints.lines == []


def test_parts_of_a_timeline_are_read_with_the_arrow_keys(call: Open) -> None:
    call.daemon.tell(type="turn-timeline", **TIMELINE)
    detail = call.page.locator(".timeline-detail")
    expect(detail).to_have_text("Point at a part, or move through them with the arrow keys.")
    call.page.locator("#timeline-details summary").focus()
    call.page.keyboard.press("Tab")
    expect(detail).to_have_text("200 ms: you speak for 1000 ms")
    call.page.keyboard.press("ArrowLeft")
    expect(detail).to_have_text("200 ms: you speak for 1000 ms")
    call.page.keyboard.press("ArrowRight")
    expect(detail).to_have_text("1200 ms: you are silent for 340 ms")
    call.page.keyboard.press("End")
    expect(detail).to_have_text("2350 ms: this was no turn: something new")
    expect(call.page.locator("#timeline-turns [aria-selected=true]")).to_have_count(1)
    call.page.keyboard.press("Tab")  # one stop for all of them
    expect(call.page.locator("#timeline-turns :focus")).to_have_count(0)
    call.page.click("#language")
    assert parts(call.page)[0] == "200 毫秒：您说话 1000 毫秒"
    assert parts(call.page)[6] == "2100 毫秒：对方停下等待 200 毫秒：您只是在应声"


def test_a_part_of_a_timeline_is_read_by_pointing_at_it_or_near_it(call: Open) -> None:
    call.daemon.tell(type="turn-timeline", **TIMELINE)
    detail = call.page.locator(".timeline-detail")
    call.page.locator(".draft-adopted").hover()
    expect(detail).to_contain_text("an answer is begun early")
    box = call.page.locator(".floor-hold").bounding_box()
    assert box is not None
    call.page.mouse.click(box["x"] + box["width"] + 2, box["y"] + box["height"] / 2)
    expect(detail).to_contain_text("falls silent and keeps its place")


def test_the_page_keeps_the_last_ten_timelines_newest_first(call: Open) -> None:
    for number in range(13):
        call.daemon.tell(type="turn-timeline", **{**TIMELINE, "turn": number, "from_s": number})
    call.daemon.tell(type="turn-timeline", turn=99, length_ms="long")
    heads = call.page.locator("#timeline-turns .turn-head span:first-child")
    expect(heads).to_have_text([f"At 0:{number:04.1f}" for number in range(12, 2, -1)])
    call.page.click("#hang-up")
    expect(heads).to_have_count(10)
    call.page.click("#again")
    expect(call.page.locator("#mute")).to_be_enabled()
    expect(heads).to_have_count(0)


def test_a_long_turn_scrolls_in_its_own_frame(opened: Opened) -> None:
    with opened(viewport={"width": 375, "height": 740}) as home:
        start(home.page)
        home.daemon.tell(type="turn-timeline", **{**TIMELINE, "length_ms": 60_000})
        expect(home.page.locator("#timeline-details")).not_to_have_attribute("open", "")
        home.page.click("#timeline-details summary")
        frame = home.page.locator(".timeline-scroll")
        expect(frame).to_be_visible()
        assert frame.evaluate("(e) => e.scrollWidth > 3 * e.clientWidth")
        assert home.page.evaluate("document.body.scrollWidth <= innerWidth")


def test_the_microphone_level_moves_and_mute_stills_it(call: Open) -> None:
    meter = call.page.locator("#meter")
    expect(meter).to_have_attribute("aria-valuenow", LOUD)
    call.page.click("#mute")
    expect(call.page.locator("#mute")).to_have_text("Unmute")
    expect(call.page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    expect(call.page.locator("#state")).to_have_text("You are muted")
    expect(meter).to_have_attribute("aria-valuenow", "0")
    expect(meter).to_have_attribute("aria-valuetext", "muted")
    call.page.click("#mute")
    expect(call.page.locator("#state")).to_have_text("Listening")
    expect(meter).to_have_attribute("aria-valuenow", LOUD)


def test_a_silent_microphone_is_pointed_out_until_it_is_heard(
    opened: Opened, tmp_path: Path
) -> None:
    microphone = tmp_path / "late.wav"
    rate = 16_000
    with wave.open(str(microphone), "wb") as wav:
        wav.setparams((1, 2, rate, 0, "NONE", ""))
        wav.writeframes(bytes(2 * 12 * rate))
        wav.writeframes(b"\x00\x20\x00\xe0" * rate)
    with opened(*playing(microphone)) as home:
        start(home.page)
        expect(home.page.locator("#notice")).to_contain_text(
            "Nothing can be heard from your microphone", timeout=10_000
        )
        expect(home.page.locator("#notice")).to_be_empty(timeout=20_000)


def test_a_notice_of_the_server_is_shown_in_the_callers_words(call: Open) -> None:
    notice = call.page.locator("#notice")
    call.daemon.tell(type="notice", code="llm-down", text="upstream")
    expect(notice).to_have_text("The agent has trouble thinking at the moment.")
    call.daemon.send("user-started-speaking")
    call.page.click("#language")
    expect(notice).to_have_text("对方暂时无法思考。")


def test_hanging_up_keeps_the_transcript_and_offers_another_call(call: Open) -> None:
    call.daemon.send("user-transcription", text="Goodbye.", final=True)
    expect(call.page.locator("#transcript li")).to_have_count(1)
    call.page.click("#hang-up")
    expect(call.page.locator("#ended-reason")).to_have_text("You ended the call.")
    expect(call.page.locator("#transcript li .text")).to_have_text(["Goodbye."])
    expect(call.page.locator("#again")).to_be_focused()
    call.page.click("#again")
    expect(call.page.locator("#mute")).to_be_enabled()
    expect(call.page.locator("#transcript li")).to_have_count(0)
    call.page.click("#hang-up")
    call.page.click("#another")
    expect(call.page.locator("#start")).to_be_focused()
    assert call.complaints.lines == []


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("agent ended the call", "The agent ended the call."),
        ("server stopping", "The server is shutting down, so the call ended."),
        ("anything else", "The server closed the call."),
    ],
)
def test_the_end_of_a_call_says_why(call: Open, reason: str, shown: str) -> None:
    call.daemon.tell(type="call-ended", reason=reason)
    expect(call.page.locator("#ended-reason")).to_have_text(shown)


def test_a_call_that_ends_in_mid_sentence_shows_what_was_left_unspoken(call: Open) -> None:
    call.daemon.tell(type="agent-text", utterance=1, text="Once upon a time.")
    call.daemon.tell(type="agent-text", utterance=2, text="Never begun.")
    call.daemon.tell(type="agent-progress", utterance=1, spoken_chars=9)
    call.daemon.send("user-transcription", text="I have to", final=False)
    expect(call.page.locator("#transcript li")).to_have_count(2)
    call.page.click("#hang-up")
    expect(call.page.locator("#transcript s")).to_have_text(["a time."])
    expect(call.page.locator("#transcript .note")).to_have_count(0)
    expect(call.page.locator(".partial")).to_have_count(0)
    expect(call.page.locator(".speaking")).to_have_count(0)


def test_a_channel_that_closes_without_a_word_ends_the_call(call: Open) -> None:
    call.daemon.close_channel()
    expect(call.page.locator("#ended-reason")).to_have_text("The server closed the call.")


def test_a_refused_microphone_is_explained(opened: Opened) -> None:
    with opened(FAKE_DEVICE) as home:
        home.page.click("#start")
        expect(home.page.locator("#home-alert")).to_contain_text("The microphone is blocked.")
        expect(home.page.locator("#start")).to_be_focused()
        assert [r.path for r in home.daemon.requests] == ["/api/personas"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("NotFoundError", "No microphone was found."),
        ("NotReadableError", "Another program may be using it"),
    ],
)
def test_a_microphone_that_cannot_be_opened_is_explained(
    opened: Opened, error: str, shown: str
) -> None:
    script = f"""navigator.mediaDevices.getUserMedia =
        () => Promise.reject(new DOMException("no", "{error}"));"""
    with opened(init_script=script) as home:
        home.page.click("#start")
        expect(home.page.locator("#home-alert")).to_contain_text(shown)


def test_an_insecure_page_says_that_it_has_no_microphone(opened: Opened) -> None:
    resolve = "--host-resolver-rules=MAP parley.test 127.0.0.1"
    with opened(FAKE_DEVICE, ALLOW_MICROPHONE, resolve) as home:
        home.page.goto(home.daemon.url.replace("127.0.0.1", "parley.test"))
        home.page.click("#start")
        expect(home.page.locator("#home-alert")).to_contain_text("only to secure pages")


@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [
        (503, "full", "All lines are busy. Please try again in a moment."),
        (503, "draining", "The server is shutting down and takes no new calls."),
        (503, "starting", "The server is still starting."),
        (422, "unknown_persona", "The server could not take the call: no such persona"),
    ],
)
def test_a_call_that_is_not_taken_says_why(
    opened: Opened, status: int, code: str, shown: str
) -> None:
    daemon = FakeDaemon()
    daemon.refusal = (status, code, "no such persona")
    with opened(daemon=daemon) as home:
        home.page.click("#start")
        expect(home.page.locator("#home-alert")).to_contain_text(shown)
        daemon.refusal = None
        start(home.page)
        expect(home.page.locator("#home-alert")).to_be_empty()


def test_a_server_that_is_gone_is_named(opened: Opened) -> None:
    with opened() as home:
        expect(home.page.locator(".persona")).to_have_count(6)
        home.page.route("**/api/ice", lambda route: route.abort())
        home.page.click("#start")
        expect(home.page.locator("#home-alert")).to_contain_text("The server cannot be reached.")


def test_a_token_is_asked_for_once_and_kept_for_the_tab(opened: Opened) -> None:
    with opened(daemon=FakeDaemon(token="open-sesame")) as home:
        dialog = home.page.locator("#token-dialog")
        expect(dialog).to_be_visible()
        expect(home.page.locator("#token-input")).to_be_focused()
        home.page.keyboard.type("wrong")
        home.page.keyboard.press("Enter")
        expect(home.page.locator("#token-wrong")).to_have_text("That token was not accepted.")
        home.page.keyboard.type("open-sesame")
        home.page.keyboard.press("Enter")
        expect(home.page.locator(".persona")).to_have_count(6)
        expect(dialog).to_be_hidden()
        home.page.reload()
        expect(home.page.locator(".persona")).to_have_count(6)
        expect(dialog).to_be_hidden()
        start(home.page)
        assert all(
            r.headers["Authorization"] == "Bearer open-sesame" for r in home.daemon.requests[-3:]
        )


def test_declining_to_give_a_token_leaves_a_way_back(opened: Opened) -> None:
    with opened(daemon=FakeDaemon(token="secret")) as home:
        expect(home.page.locator("#token-input")).to_be_focused()
        home.page.keyboard.press("Escape")
        expect(home.page.locator("#home-alert")).to_have_text("An access token is needed to call.")
        home.page.click("#reload")
        expect(home.page.locator("#token-dialog")).to_be_visible()


def test_a_whole_call_by_keyboard_alone(home: Open) -> None:
    page, keys = home.page, home.page.keyboard
    expect(page.locator(".persona")).to_have_count(6)
    keys.press("Tab")
    expect(page.locator("#language")).to_be_focused()
    keys.press("Enter")
    expect(page.locator("h1")).to_have_text("开始对话")
    keys.press("Space")
    expect(page.locator("h1")).to_have_text("Have a conversation")
    keys.press("Tab")
    keys.press("ArrowDown")
    assert page.locator("input:checked").get_attribute("value") == "customer-service-zh"
    keys.press("ArrowUp")
    keys.press("Tab")
    expect(page.locator("#start")).to_be_focused()
    keys.press("Enter")
    expect(page.locator("#mute")).to_be_focused()
    keys.press("Space")
    expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
    keys.press("Escape")
    expect(page.locator("#mute")).to_be_visible()
    keys.press("Tab")
    expect(page.locator("#hang-up")).to_be_focused()
    keys.press("Enter")
    expect(page.locator("#again")).to_be_focused()


def test_escape_stops_a_call_that_is_being_set_up(opened: Opened) -> None:
    never = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {});"
    with opened(init_script=never) as home:
        home.page.click("#start")
        expect(home.page.locator("#state")).to_have_text("Waiting for the microphone…")
        expect(home.page.locator("#hang-up")).to_have_text("Cancel")
        home.page.keyboard.press("Escape")
        expect(home.page.locator("#start")).to_be_focused()
        expect(home.page.locator("#home-alert")).to_be_empty()


def test_sound_that_the_browser_holds_back_starts_with_a_click(opened: Opened) -> None:
    held_back = """
        const play = HTMLMediaElement.prototype.play;
        let clicked = false;
        addEventListener("click", (e) => { clicked = e.target.id === "listen"; }, true);
        HTMLMediaElement.prototype.play = function () {
          if (clicked) return play.call(this);
          return Promise.reject(new DOMException("", "NotAllowedError"));
        };"""
    with opened(init_script=held_back) as home:
        home.page.click("#start")
        expect(home.page.locator("#notice")).to_have_text("Your browser is holding back the sound.")
        home.page.click("#listen")
        expect(home.page.locator("#listen")).to_be_hidden()
        expect(home.page.locator("#notice")).to_be_empty()


def test_the_language_follows_the_browser_and_the_choice_is_remembered(opened: Opened) -> None:
    with opened(locale="zh-CN") as home:
        assert heading(home.page) == "开始对话"
        assert home.page.locator("html").get_attribute("lang") == "zh-CN"
        expect(home.page.locator("input:checked")).to_have_value("customer-service-zh")
        home.page.click("#language")
        assert heading(home.page) == "Have a conversation"
        home.page.reload()
        assert heading(home.page) == "Have a conversation"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened: Opened, scheme: str) -> None:
    with opened(color_scheme=scheme) as home:
        expect(home.page.locator(".persona")).to_have_count(6)
        for element in ("h1", ".lead", ".persona-name", ".persona-language", "#start", "#language"):
            ratio = home.page.locator(element).first.evaluate(CONTRAST)
            assert ratio >= 4.5, (element, ratio)


@pytest.mark.parametrize("width", [320, 375, 768, 1440])
def test_nothing_is_cut_off_at_any_width(opened: Opened, width: int) -> None:
    with opened(viewport={"width": width, "height": 640}) as home:
        assert home.page.evaluate(OVERFLOWING) == []
        start(home.page)
        home.daemon.tell(type="agent-text", utterance=1, text="An answer " * 40)
        home.daemon.tell(type="agent-ended", utterance=1, spoken_chars=200, interrupted=True)
        home.daemon.tell(type="turn-latency", turn=1, stages=LATENCY, total_ms=500)
        home.daemon.tell(type="turn-timeline", **TIMELINE)
        home.daemon.tell(type="notice", code="tts-down", text="")
        expect(home.page.locator("#notice")).not_to_be_empty()
        assert home.page.evaluate(OVERFLOWING) == []
        last = home.page.locator("#transcript s").bounding_box()
        dock = home.page.locator(".dock").bounding_box()
        assert last is not None and dock is not None
        assert last["y"] + last["height"] <= dock["y"]


def test_reduced_motion_stops_every_animation(opened: Opened) -> None:
    with opened(reduced_motion="reduce") as home:
        start(home.page)
        home.daemon.tell(type="agent-progress", utterance=1, spoken_chars=0)
        expect(home.page.locator("#state")).to_have_text("Speaking")
        assert home.page.evaluate("document.getAnimations().length") == 0


OVERFLOWING = """() => [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && !e.closest(".hidden"))
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map((e) => e.id || e.className || e.tagName)"""
"""Names of visible elements that reach beyond the window."""

CONTRAST = """(element) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (colour) => {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((byte) => {
        const value = byte / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const clear = "rgba(0, 0, 0, 0)";
    let ground = element;
    while (getComputedStyle(ground).backgroundColor === clear) ground = ground.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
    const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }"""
"""Contrast of an element's text against what lies behind it, as WCAG 2 counts it."""
