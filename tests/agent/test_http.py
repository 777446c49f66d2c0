"""The HTTP door: the signalling contract, every refusal, and the way between workers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.doors import OFFER, Answer, Client, FakeWorker, bearer, workers

Scenario = Callable[[FakeWorker, Client], Awaitable[None]]


def with_worker(run_dir: Path, scenario: Scenario, **options: Any) -> None:
    async def run() -> None:
        worker = FakeWorker(run_dir, **options)
        async with worker.open() as client:
            await scenario(worker, client)

    asyncio.run(run())


def answer_to(run_dir: Path, method: str, path: str, options: Any, **worker: Any) -> Answer:
    async def run() -> Answer:
        async with FakeWorker(run_dir, **worker).open() as client:
            return await client.send(method, path, **options)

    return asyncio.run(run())


def test_an_offer_is_answered_and_starts_a_call_with_the_default_persona(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        answer = await client.offer()
        assert answer.status == 200
        assert answer.json == {"sdp": "answer to v=0", "type": "answer", "pc_id": "w0-0"}
        await asyncio.sleep(0)
        assert worker.personas_called == ["anna"]
        assert worker.sessions.running == 1

    with_worker(tmp_path, scenario)


@pytest.mark.parametrize("key", ["request_data", "requestData"])
def test_the_persona_is_chosen_by_the_offer(tmp_path: Path, key: str) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        answer = await client.offer({**OFFER, key: {"persona": "wei"}})
        assert answer.status == 200
        await asyncio.sleep(0)
        assert worker.personas_called == ["wei"]

    with_worker(tmp_path, scenario)


def test_a_session_asked_for_first_remembers_the_persona(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        started = await client.offer({"body": {"persona": "wei"}}, "/start")
        assert started.json["iceConfig"] == {"iceServers": [{"urls": ["stun:stun.example.org"]}]}
        session = started.json["sessionId"]
        assert (await client.offer(path=f"/sessions/{session}/api/offer")).status == 200
        await asyncio.sleep(0)
        assert worker.personas_called == ["wei"]

    with_worker(tmp_path, scenario)


def test_a_further_offer_goes_to_the_running_call(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        pc_id = (await client.offer()).json["pc_id"]
        again = {"sdp": "v=0 again", "type": "offer", "pc_id": pc_id, "restart_pc": True}
        assert (await client.offer(again)).json == {
            "sdp": "answer to v=0 again",
            "type": "answer",
            "pc_id": pc_id,
        }
        assert worker.peers[0].restarts == [True]
        assert worker.sessions.running == 1

    with_worker(tmp_path, scenario)


def test_an_offer_for_a_call_that_is_gone_starts_a_new_one(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        answer = await client.offer({**OFFER, "pc_id": "w0-long-gone"})
        assert answer.json["pc_id"] == "w0-0"

    with_worker(tmp_path, scenario)


@pytest.mark.parametrize("names", [("sdp_mid", "sdp_mline_index"), ("sdpMid", "sdpMLineIndex")])
def test_trickled_candidates_reach_the_line(tmp_path: Path, names: tuple[str, str]) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        pc_id = (await client.offer()).json["pc_id"]
        candidate = {"candidate": "candidate:1 ...", names[0]: "0", names[1]: 0}
        answer = await client.patch({"pc_id": pc_id, "candidates": [candidate]})
        assert answer.json == {"status": "success"}
        assert worker.peers[0].candidates == [
            {"candidate": "candidate:1 ...", "sdp_mid": "0", "sdp_mline_index": 0}
        ]

    with_worker(tmp_path, scenario)


def test_a_malformed_candidate_leaves_the_call_alone(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        pc_id = (await client.offer()).json["pc_id"]
        answer = await client.patch({"pc_id": pc_id, "candidates": [{"candidate": "nonsense"}]})
        assert (answer.status, answer.error["code"]) == (400, "malformed_candidate")
        assert worker.sessions.running == 1

    with_worker(tmp_path, scenario)


def patch(pc_id: str) -> dict[str, Any]:
    return {"pc_id": pc_id, "candidates": []}


JSON = {"Content-Type": "application/json"}
REFUSALS = [
    ("POST", "/api/offer", {"data": b"{", "headers": JSON}, 400, "malformed_json", None),
    ("POST", "/api/offer", {"data": b"\xff", "headers": JSON}, 400, "malformed_json", None),
    ("POST", "/api/offer", {"data": b"[" * 99_999, "headers": JSON}, 400, "malformed_json", None),
    ("POST", "/api/offer", {"data": b"[]", "headers": JSON}, 422, "bad_request", None),
    ("POST", "/api/offer", {"data": b"x=1"}, 415, "unsupported_media_type", None),
    ("POST", "/api/offer", {"json": {"type": "offer"}}, 422, "bad_request", "sdp"),
    ("POST", "/api/offer", {"json": {"sdp": 5, "type": "offer"}}, 422, "bad_request", "sdp"),
    ("POST", "/api/offer", {"json": {"sdp": "v=0", "type": "x"}}, 422, "bad_request", "type"),
    ("POST", "/api/offer", {"json": {"sdp": "x", "type": "offer"}}, 400, "malformed_sdp", "sdp"),
    (
        "POST",
        "/api/offer",
        {"json": {**OFFER, "request_data": "anna"}},
        422,
        "bad_request",
        "request_data",
    ),
    (
        "POST",
        "/api/offer",
        {"json": {**OFFER, "request_data": {"persona": "ana"}}},
        422,
        "unknown_persona",
        "request_data.persona",
    ),
    (
        "POST",
        "/api/offer",
        {"json": {**OFFER, "request_data": {"persona": ["anna"]}}},
        422,
        "unknown_persona",
        "request_data.persona",
    ),
    ("POST", "/api/offer", {"json": {"sdp": "v" * 300_000}}, 413, "body_too_large", None),
    ("PATCH", "/api/offer", {"json": patch("w0-x")}, 404, "unknown_call", "pc_id"),
    ("PATCH", "/api/offer", {"json": patch("w9-x")}, 404, "unknown_call", "pc_id"),
    ("PATCH", "/api/offer", {"json": patch("w²-é")}, 404, "unknown_call", "pc_id"),
    ("PATCH", "/api/offer", {"json": {"candidates": []}}, 422, "bad_request", "pc_id"),
    ("PUT", "/api/offer", {"json": {}}, 405, "method_not_allowed", None),
    ("GET", "/api/offer", {}, 405, "method_not_allowed", None),
    ("GET", "/api/nothing", {}, 404, "not_found", None),
    ("GET", "/../agent.toml", {}, 404, "not_found", None),
    ("GET", "/load", {}, 404, "not_found", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "options", "status", "code", "field"), REFUSALS)
def test_a_refusal_is_json_with_a_code(
    tmp_path: Path, method: str, path: str, options: Any, status: int, code: str, field: str | None
) -> None:
    answer = answer_to(tmp_path, method, path, options)
    assert (answer.status, answer.error["code"]) == (status, code)
    if field is not None:
        assert answer.error["field"] == field


def test_an_unknown_persona_is_answered_with_the_nearest_and_all_there_are(tmp_path: Path) -> None:
    body = {**OFFER, "request_data": {"persona": "ana"}}
    answer = answer_to(tmp_path, "POST", "/api/offer", {"json": body})
    assert answer.error["message"] == (
        'unknown persona "ana"; did you mean "anna"? (allowed: anna, wei)'
    )


def test_a_defect_is_answered_without_its_trace(tmp_path: Path) -> None:
    answer = answer_to(
        tmp_path, "POST", "/api/offer", {"json": OFFER}, breaks=ZeroDivisionError("secret")
    )
    assert (answer.status, answer.error["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_a_refused_offer_leaves_its_line_free(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        for _ in range(3):
            assert (await client.offer({"sdp": "x", "type": "offer"})).status == 400
        assert worker.sessions.free == 1
        assert (await client.offer()).status == 200

    with_worker(tmp_path, scenario, max_calls=1)


def test_one_call_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        assert (await client.offer()).status == 200
        answer = await client.offer()
        assert (answer.status, answer.error["code"]) == (503, "full")
        assert answer.headers["Retry-After"] == "5"
        assert 'parley_offers_refused_total{code="full",worker="0"} 1.0' in worker.metrics.render()
        await worker.peers[0].close("hung up")
        await worker.sessions.idle.wait()
        assert (await client.offer()).status == 200

    with_worker(tmp_path, scenario, max_calls=1)


def test_a_draining_worker_takes_no_call_and_says_so(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        pc_id = (await client.offer()).json["pc_id"]
        drain = asyncio.create_task(worker.sessions.drain(60))
        await asyncio.sleep(0)
        answer = await client.offer()
        assert (answer.status, answer.error["code"]) == (503, "draining")
        assert (await client.patch({"pc_id": pc_id, "candidates": []})).status == 200
        assert (await client.get("/readyz")).status == 503
        await worker.peers[0].close("hung up")
        await drain

    with_worker(tmp_path, scenario)


def test_before_the_models_are_there_no_call_is_taken(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        answer = await client.offer()
        assert (answer.status, answer.error["code"]) == (503, "starting")
        assert answer.error["message"] == "not ready yet: tts"
        ready = await client.get("/readyz")
        assert ready.status == 503
        assert ready.json["workers"]["0"]["parts"] == {"models": True, "tts": False}
        worker.ready["tts"] = True
        assert (await client.get("/readyz")).status == 200
        assert (await client.offer()).status == 200

    with_worker(tmp_path, scenario, ready={"models": True, "tts": False})


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "token_required"),
        ({"Authorization": "Bearer"}, "token_required"),
        ({"Authorization": "Bearer wrong"}, "wrong_token"),
        ({"Authorization": "Basic right"}, "wrong_token"),
        ({"Authorization": "Bearer r\u00efght"}, "wrong_token"),
    ],
)
@pytest.mark.parametrize("path", ["/api/personas", "/api/ice", "/metrics"])
def test_without_the_token_nothing_is_told(
    tmp_path: Path, path: str, headers: dict[str, str], code: str
) -> None:
    answer = answer_to(tmp_path, "GET", path, {"headers": headers}, token="right")
    assert (answer.status, answer.error["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_with_the_token_calls_are_taken_and_the_page_needs_none(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        assert (await client.offer()).status == 401
        assert (await client.offer(headers=bearer("right"))).status == 200
        assert (await client.get("/")).status == 200
        assert (await client.get("/client.js")).status == 200
        assert (await client.get("/healthz")).status == 200

    with_worker(tmp_path, scenario, token="right")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:5173"}, 200),
        ({"Origin": "https://app.example.org"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example:7860", "Origin": "http://evil.example:7860"}, 403),
        ({"Host": "localhost:7860"}, 200),
        ({"Host": "[::1]:7860"}, 200),
        ({"Host": "[::1"}, 403),
    ],
)
def test_only_pages_of_this_machine_and_allowed_sites_may_call_on_loopback(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    options = {"json": OFFER, "headers": headers}
    server = {"allowed_origins": ["https://app.example.org"]}
    answer = answer_to(tmp_path, "POST", "/api/offer", options, server=server)
    assert answer.status == status
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    assert allowed == (headers.get("Origin") if status == 200 else None)


def test_a_public_address_takes_its_own_page_under_any_name(tmp_path: Path) -> None:
    headers = {"Host": "talk.example.org", "Origin": "https://talk.example.org", **bearer("t")}
    options = {"json": OFFER, "headers": headers}
    server = {"host": "0.0.0.0"}
    answer = answer_to(tmp_path, "POST", "/api/offer", options, server=server, token="t")
    assert answer.status == 200
    headers["Origin"] = "https://other.example.org"
    answer = answer_to(tmp_path, "POST", "/api/offer", options, server=server, token="t")
    assert (answer.status, answer.error["code"]) == (403, "foreign_origin")


def test_a_preflight_of_a_page_that_may_call_is_answered(tmp_path: Path) -> None:
    headers = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST"}
    answer = answer_to(tmp_path, "OPTIONS", "/api/offer", {"headers": headers}, token="right")
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_the_page_comes_with_headers_that_keep_foreign_code_out(tmp_path: Path) -> None:
    answer = answer_to(tmp_path, "GET", "/", {})
    assert answer.text.startswith("<!doctype html>")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Permissions-Policy"] == "microphone=(self)"


def test_personas_are_listed_without_their_prompts(tmp_path: Path) -> None:
    assert answer_to(tmp_path, "GET", "/api/personas", {}).json == {
        "default": "anna",
        "personas": [
            {"id": "anna", "name": "Anna", "language": "en", "interruption": "open"},
            {"id": "wei", "name": "Wei", "language": "zh", "interruption": "open"},
        ],
    }


def test_a_persona_without_its_voice_is_not_offered(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        listed = (await client.get("/api/personas")).json["personas"]
        assert [entry["id"] for entry in listed] == ["anna"]
        answer = await client.offer({**OFFER, "request_data": {"persona": "wei"}})
        assert (answer.status, answer.error["code"]) == (422, "voice_unavailable")
        assert answer.error["message"] == "wei cannot speak: no such voice"

    with_worker(tmp_path, scenario, silent={"wei": "no such voice"})


def test_a_call_is_taken_while_the_language_model_is_down(tmp_path: Path) -> None:
    async def scenario(worker: FakeWorker, client: Client) -> None:
        assert (await client.get("/readyz")).status == 503
        assert (await client.offer()).status == 200

    with_worker(tmp_path, scenario, ready={"models": True, "tts": True, "llm": False})


def test_a_request_about_a_call_of_another_worker_reaches_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with workers(tmp_path, 2) as [(first, front), (second, back)]:
            pc_id = (await back.offer()).json["pc_id"]
            candidate = {"candidate": "c", "sdp_mid": "0"}
            patched = await front.patch({"pc_id": pc_id, "candidates": [candidate]})
            assert patched.json == {"status": "success"}
            assert [item["candidate"] for item in second.peers[0].candidates] == ["c"]
            again = await front.offer({"sdp": "v=0 b", "type": "offer", "pc_id": pc_id})
            assert again.json["sdp"] == "answer to v=0 b"
            refused = await front.patch({"pc_id": "w1-none", "candidates": []})
            assert (refused.status, refused.error["code"]) == (404, "unknown_call")
            assert first.sessions.running == 0

    asyncio.run(scenario())


def test_an_offer_that_finds_its_worker_full_goes_to_the_least_loaded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with workers(tmp_path, 3) as pairs:
            (first, front), (_, middle), (third, _) = pairs
            for client in (front, front, middle):
                assert (await client.offer()).status == 200
            body = {**OFFER, "request_data": {"persona": "wei"}}
            assert (await front.offer(body)).json["pc_id"] == "w2-0"
            assert third.personas_called == ["wei"]
            for _ in range(2):
                assert (await front.offer()).status == 200
            answer = await front.offer()
            assert (answer.status, answer.error["code"]) == (503, "full")
            assert answer.headers["Retry-After"] == "5"
            assert [worker.sessions.running for worker, _ in pairs] == [2, 2, 2]

    asyncio.run(scenario())


def test_a_call_whose_worker_is_gone_gets_a_new_one_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker = FakeWorker(tmp_path, index=0, count=2)  # worker 1 never starts
        async with worker.open() as client:
            answer = await client.offer({**OFFER, "pc_id": "w1-lost"})
            assert answer.json["pc_id"] == "w0-0"
            patched = await client.patch({"pc_id": "w1-lost", "candidates": []})
            assert (patched.status, patched.error["code"]) == (404, "unknown_call")

    asyncio.run(scenario())


def test_health_and_metrics_tell_of_all_workers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with workers(tmp_path, 2) as [(_, front), (_, back)]:
            await back.offer()
            health = (await front.get("/healthz")).json
            assert health["status"] == "ok"
            assert health["workers"]["1"] == {"calls": 1, "draining": False}
            metrics = (await front.get("/metrics")).text
            assert 'parley_calls_in_progress{worker="0"} 0.0' in metrics
            assert 'parley_calls_in_progress{worker="1"} 1.0' in metrics

    asyncio.run(scenario())


def test_health_says_when_a_worker_is_missing(tmp_path: Path) -> None:
    answer = answer_to(tmp_path, "GET", "/healthz", {}, count=2)
    assert answer.json == {
        "status": "degraded",
        "workers": {"0": {"calls": 0, "draining": False}, "1": None},
    }
