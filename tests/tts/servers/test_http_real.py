"""The HTTP door on real sockets: who gets in, what is read of them, how failures look."""

import asyncio
import hashlib
import io
import json
import os
import ssl
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from loguru import logger

from tests.tts.certificates import Authority
from tests.tts.servers.http_doors import (
    CONFIG,
    KEY,
    MANAGER_KEY,
    WITH_KEYS,
    Echo,
    error_in,
    raw,
    served,
)
from tts.config import ConfigError, ServiceConfig, TlsConfig
from tts.errors import EngineFailed, SlowReader

pytestmark = pytest.mark.real

Ask = Callable[..., Awaitable[tuple[int, dict[str, str], Any]]]


def door(scenario: Callable[[int], Awaitable[None]], config: ServiceConfig = CONFIG) -> None:
    """Run a scenario against an `Echo` behind a door."""

    async def run() -> None:
        async with served(Echo().operations(), config) as (_, port):
            await scenario(port)

    asyncio.run(run())


async def ask(
    port: int, method: str, path: str, **more: Any
) -> tuple[int, "aiohttp.typedefs.LooseHeaders", Any]:
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.request(method, path, **more) as response,
    ):
        text = await response.text()
        kind = response.content_type
        return (
            response.status,
            response.headers,
            json.loads(text) if kind == "application/json" else text,
        )


# What comes back.


def test_a_body_and_a_query_are_read_and_checked() -> None:
    async def scenario(port: int) -> None:
        status, _, answer = await ask(port, "POST", "/echo", json={"text": "hi", "speed": 2})
        assert (status, answer) == (200, {"text": "hi", "speed": 2.0, "tags": []})
        status, _, answer = await ask(port, "GET", "/query?text=hi&count=3&tag=a&tag=b")
        assert status == 200
        assert (answer["text"], answer["count"], answer["tag"]) == ("hi", 3, ["a", "b"])

    door(scenario)


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code", "words"),
    [
        ("GET", "/nowhere", {}, 404, "not_found", ["/nowhere"]),
        ("PUT", "/echo", {}, 405, "method_not_allowed", ["PUT", "POST"]),
        ("POST", "/echo", {"data": b"{}"}, 415, "unsupported_media_type", ["application/json"]),
        ("POST", "/echo", {"json": {}}, 400, "bad_request", ["text", "missing"]),
        ("POST", "/echo", {}, 400, "bad_request", ["text", "missing"]),
        ("POST", "/echo", {"json": {"text": 5}}, 400, "bad_request", ["text = 5", "string"]),
        ("POST", "/echo", {"json": {"text": "a", "sped": 1}}, 400, "bad_request", ["'speed'"]),
        ("POST", "/echo", {"json": {"text": "a", "speed": "1"}}, 400, "bad_request", ["speed"]),
        ("GET", "/query?count=x", {}, 400, "bad_request", ["count = 'x'", "integer"]),
        ("GET", "/query?count=1&count=2", {}, 400, "bad_request", ["count", "2 times"]),
        ("GET", "/busy", {}, 429, "overloaded", ["all streams"]),
        ("POST", "/form", {"json": {}}, 415, "unsupported_media_type", ["multipart/form-data"]),
    ],
)
def test_every_failure_has_the_one_form(
    method: str, path: str, more: dict[str, Any], status: int, code: str, words: list[str]
) -> None:
    async def scenario(port: int) -> None:
        given, _, answer = await ask(port, method, path, **more)
        error = answer["error"]
        assert (given, error["code"]) == (status, code)
        assert [word for word in words if word not in error["message"]] == []
        assert {"code", "message", "type", "param"} <= set(error)
        assert error.get("field") == error["param"]

    door(scenario)


def test_a_refusal_says_when_to_try_again_and_what_is_allowed() -> None:
    async def scenario(port: int) -> None:
        _, headers, _ = await ask(port, "GET", "/busy")
        assert headers["Retry-After"] == "3"
        _, headers, _ = await ask(port, "PUT", "/echo")
        assert headers["Allow"] == "POST"

    door(scenario)


def test_a_defect_is_logged_and_never_shown() -> None:
    logged: list[str] = []

    async def scenario(port: int) -> None:
        status, _, answer = await ask(port, "GET", "/fail")
        assert (status, answer["error"]["code"]) == (500, "internal")
        assert "secret" not in json.dumps(answer)

    sink = logger.add(lambda line: logged.append(str(line)), level="ERROR")
    try:
        door(scenario)
    finally:
        logger.remove(sink)
    assert len(logged) == 1
    assert "request failed" in logged[0] and "a secret of the service" in logged[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"text": "\\ud800"}',
        b"[" * 1500,
        b'{"a":' * 300,
        b"null",
        b"[]",
        b'"text"',
        b'{"text": "a", "speed": 1e999}',
        b'{"text": "a", "speed": ' + b"9" * 1500 + b"}",
        b'{"text": NaN}',
    ],
)
def test_no_json_makes_it_fail_otherwise_than_by_a_refusal(body: bytes) -> None:
    async def scenario(port: int) -> None:
        headers = {"Content-Type": "application/json"}
        status, _, answer = await ask(port, "POST", "/echo", data=body, headers=headers)
        if status != 200:
            assert (status, answer["error"]["code"]) == (400, "bad_request")

    door(scenario)


def test_it_tells_whether_it_lives_and_is_ready() -> None:
    async def scenario() -> None:
        async with served([]) as (one, port):
            assert (await ask(port, "GET", "/healthz"))[2] == {"status": "ok"}
            assert (await ask(port, "GET", "/readyz"))[0] == 200
            assert (await ask(port, "GET", "/metrics"))[2] == "parley_tts_up 1\n"
            one._is_ready = lambda: False
            assert (await ask(port, "GET", "/readyz"))[::2] == (503, {"ready": False})

    asyncio.run(scenario())


def test_failures_are_told_of_with_what_was_asked_for() -> None:
    async def scenario() -> None:
        refused: list[tuple[str, str]] = []
        async with served(Echo().operations(), refused=refused) as (_, port):
            await ask(port, "GET", "/busy")
            await ask(port, "GET", "/nowhere")
            await ask(port, "GET", "/healthz")
        assert refused == [("test", "overloaded"), ("http", "not_found")]

    asyncio.run(scenario())


# Bodies.


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read() -> None:
    async def scenario(port: int) -> None:
        status, headers, body = await raw(
            port,
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2000000000\r\n\r\n",
        )
        assert (status, error_in(body)["code"]) == (413, "body_too_large")
        assert "2000000000" in error_in(body)["message"]
        assert headers["connection"] == "close"

    door(scenario)


def test_a_body_that_grows_too_large_is_refused_when_it_does() -> None:
    async def scenario(port: int) -> None:
        status, _, body = await raw(
            port,
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b" " * 1024 + b"\r\n"
            b"400\r\n" + b" " * 1024 + b"\r\n1\r\n \r\n",
        )
        assert (status, error_in(body)["code"]) == (413, "body_too_large")

    door(scenario)


def test_a_client_that_waits_before_it_sends_is_told_to_go_on() -> None:
    async def scenario(port: int) -> None:
        head = (
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        )
        status, _, body = await raw(port, head % 14, more=b'{"text": "hi"}')
        assert (status, json.loads(body)["text"]) == (200, "hi")
        # And not, when what it wants to send would be refused.
        status, _, body = await raw(port, head % 5000, more=b"never sent")
        assert (status, error_in(body)["code"]) == (413, "body_too_large")

    door(scenario)


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.servers.reading.BODY_TIMEOUT_S", 0.05)

    async def scenario(port: int) -> None:
        status, _, body = await raw(
            port,
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{",
        )
        assert (status, error_in(body)["code"]) == (408, "body_timeout")

    door(scenario)


def test_a_compressed_body_is_refused() -> None:
    async def scenario(port: int) -> None:
        status, _, answer = await ask(
            port,
            "POST",
            "/echo",
            data=b"\x1f\x8b",
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )
        assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")

    door(scenario)


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_a_file_of_a_form_arrives_whole(size: int) -> None:
    async def scenario(port: int) -> None:
        content = os.urandom(size)
        form = aiohttp.FormData()
        form.add_field("text", "héllo")
        form.add_field("tag", "a")
        form.add_field("tag", "b")
        form.add_field("clip", io.BytesIO(content), filename="x.wav", content_type="audio/wav")
        status, _, answer = await ask(port, "POST", "/form", data=form)
        assert status == 200
        assert (answer["text"], answer["tag"], answer["size"]) == ("héllo", ["a", "b"], size)
        assert (answer["name"], answer["type"]) == ("x.wav", "audio/wav")
        assert answer["sha256"] == hashlib.sha256(content).hexdigest()

    door(scenario)


def test_a_form_that_grows_too_large_is_refused() -> None:
    async def scenario(port: int) -> None:
        async def sent() -> Any:
            yield b'--x\r\nContent-Disposition: form-data; name="clip"; filename="c"\r\n\r\n'
            for _ in range(6):
                yield bytes(1_000_000)

        status, _, answer = await ask(
            port,
            "POST",
            "/form",
            data=sent(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert (status, answer["error"]["code"]) == (413, "body_too_large")

    door(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--x\r\n\r\n\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\na',
        b'--x\r\nContent-Disposition: form-data; name="clip"\r\n\r\na\r\n--x--\r\n',
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\nContent-Transfer-Encoding: base64'
        b"\r\n\r\n!!\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\nContent-Length: -5\r\n\r\na\r\n'
        b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100 + b"--x--\r\n",
    ],
)
def test_a_broken_form_is_a_bad_request(body: bytes) -> None:
    async def scenario(port: int) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        status, _, answer = await ask(port, "POST", "/form", data=body, headers=headers)
        assert (status, answer["error"]["code"]) == (400, "bad_request")

    door(scenario)


def test_a_form_needs_a_boundary() -> None:
    async def scenario(port: int) -> None:
        headers = {"Content-Type": "multipart/form-data"}
        status, _, answer = await ask(port, "POST", "/form", data=b"--x--", headers=headers)
        assert (status, answer["error"]["code"]) == (400, "bad_request")

    door(scenario)


def test_a_long_text_may_stand_in_the_url() -> None:
    async def scenario(port: int) -> None:
        text = "語" * CONFIG.limits.max_text_chars
        _, _, answer = await ask(port, "GET", "/query", params={"text": text})
        assert answer["text"] == text

    door(scenario)


# Who may ask.


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("localhost:80", True), ("127.0.0.1", True), ("[::1]:9", True), ("evil.example", False)],
)
def test_on_loopback_a_foreign_name_for_this_machine_is_refused(host: str, allowed: bool) -> None:
    async def scenario(port: int) -> None:
        status, _, body = await raw(port, f"GET /query HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (status == 200) is allowed
        if not allowed:
            assert (status, error_in(body)["code"]) == (403, "forbidden")

    door(scenario)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("http://localhost:5173", True), ("https://a.example", True), ("https://b.example", False)],
)
def test_pages_of_foreign_sites_are_refused(origin: str, allowed: bool) -> None:
    async def scenario(port: int) -> None:
        status, headers, answer = await ask(port, "GET", "/query", headers={"Origin": origin})
        if allowed:
            assert status == 200
            assert headers["Access-Control-Allow-Origin"] == origin
            assert headers["Vary"] == "Origin"
        else:
            assert (status, answer["error"]["code"]) == (403, "forbidden")
            assert "Access-Control-Allow-Origin" not in headers

    door(scenario)


def test_a_browsers_question_is_answered_without_a_key() -> None:
    async def scenario(port: int) -> None:
        status, headers, _ = await ask(
            port,
            "OPTIONS",
            "/echo",
            headers={
                "Origin": "https://a.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, x-stainless-lang",
            },
        )
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert "POST" in headers["Access-Control-Allow-Methods"]
        assert headers["Access-Control-Allow-Headers"] == "authorization, x-stainless-lang"
        status, headers, _ = await ask(
            port,
            "OPTIONS",
            "/echo",
            headers={"Origin": "https://b.example", "Access-Control-Request-Method": "POST"},
        )
        assert status == 403
        assert "Access-Control-Allow-Methods" not in headers

    door(scenario, WITH_KEYS)


def test_where_there_are_keys_any_name_for_this_machine_will_do() -> None:
    """A proxy in front passes its own name on."""

    async def scenario(port: int) -> None:
        head = f"GET /query HTTP/1.1\r\nHost: tts.example\r\nX-API-Key: {KEY}\r\n\r\n"
        assert (await raw(port, head.encode()))[0] == 200

    door(scenario, WITH_KEYS)


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": f"Bearer {KEY}"}, "", 200),
        ({"Authorization": f"bearer {KEY}"}, "", 200),
        ({"X-API-Key": KEY}, "", 200),
        ({}, f"?key={KEY}", 200),
        ({"Sec-WebSocket-Protocol": f"parley.v1, parley-key.{KEY}"}, "", 200),
        ({}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({"Authorization": f"Basic {KEY}"}, "", 401),
        ({"Authorization": "Bearer wrong"}, f"?key={KEY}", 401),
        ({"X-API-Key": "wrong"}, "", 401),
        ({"X-API-Key": ""}, "", 401),
        ({}, "?key=wrong", 401),
    ],
)
def test_a_key_is_asked_for(headers: dict[str, str], query: str, status: int) -> None:
    async def scenario(port: int) -> None:
        given, answered, answer = await ask(port, "GET", f"/query{query}", headers=headers)
        assert given == status
        if status == 401:
            assert answer["error"]["code"] == "unauthenticated"
            assert answered["WWW-Authenticate"] == "Bearer"
            assert KEY not in json.dumps(answer)
        else:
            assert answer["caller"] == "reader"

    door(scenario, WITH_KEYS)


def test_only_operations_that_say_so_take_a_key_from_the_query() -> None:
    async def scenario(port: int) -> None:
        assert (await ask(port, "GET", f"/busy?key={KEY}"))[0] == 401

    door(scenario, WITH_KEYS)


def test_what_is_open_needs_no_key_and_what_manages_needs_a_better_one() -> None:
    async def scenario(port: int) -> None:
        for path in ("/healthz", "/readyz", "/openapi.json"):
            assert (await ask(port, "GET", path))[0] == 200
        assert (await ask(port, "GET", "/metrics"))[0] == 401
        status, _, answer = await ask(port, "DELETE", "/things/a", headers={"X-API-Key": KEY})
        assert (status, answer["error"]["code"]) == (403, "forbidden")
        assert "may_manage" in answer["error"]["message"]
        headers = {"X-API-Key": MANAGER_KEY}
        assert (await ask(port, "DELETE", "/things/a", headers=headers))[0] == 200

    door(scenario, WITH_KEYS)


def test_a_wrong_key_is_told_before_a_body_is_read() -> None:
    async def scenario(port: int) -> None:
        status, _, body = await raw(
            port,
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n",
        )
        assert (status, error_in(body)["code"]) == (401, "unauthenticated")

    door(scenario, WITH_KEYS)


@pytest.mark.parametrize(
    ("given", "timeout_s"),
    [("2.5", 2.5), ("3600", 3600.0), ("0", None), ("-1", None), ("nan", None), ("soon", None)],
)
def test_a_deadline_is_seconds(given: str, timeout_s: float | None) -> None:
    async def scenario(port: int) -> None:
        headers = {"X-Request-Timeout": given}
        status, _, answer = await ask(port, "GET", "/query", headers=headers)
        if timeout_s is not None:
            assert (status, answer["timeout_s"]) == (200, timeout_s)
        else:
            assert (status, answer["error"]["field"]) == (400, "X-Request-Timeout")

    door(scenario)


def test_a_unix_socket_is_its_owners_and_asks_for_keys_where_there_are_any(tmp_path: Path) -> None:
    """The daemon's port and other proxies lead to it: whoever has no key must not get in there."""

    async def scenario() -> None:
        path = tmp_path / "s"
        for config, headers, status, caller in (
            (CONFIG, {}, 200, ""),
            (WITH_KEYS, {}, 401, None),
            (WITH_KEYS, {"X-API-Key": "wrong"}, 401, None),
            (WITH_KEYS, {"X-API-Key": KEY}, 200, "reader"),
        ):
            async with served(Echo().operations(), config, address=f"unix:{path}") as (_, port):
                assert port == 1
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
                connector = aiohttp.UnixConnector(str(path))
                async with (
                    aiohttp.ClientSession("http://any.name", connector=connector) as session,
                    session.get("/query", headers=headers) as response,
                ):
                    found = (response.status, (await response.json()).get("caller"))
                    assert found == (status, caller)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("referer", "allowed"),
    [
        ("http://evil.example/page", False),
        (None, False),
        ("http://localhost:3000/page", True),
        ("https://a.example/page", True),
    ],
)
def test_what_a_foreign_page_shows_or_plays_is_not_asked_for_here(
    referer: str | None, allowed: bool
) -> None:
    """A GET of an <img> has no Origin; some of this service's own clients change things by GET."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    if referer is not None:
        headers["Referer"] = referer

    async def scenario(port: int) -> None:
        status, _, _ = await ask(port, "GET", "/query", headers=headers)
        assert status == (200 if allowed else 403)

    http = CONFIG.http.model_copy(update={"allowed_origins": ("https://a.example",)})
    door(scenario, CONFIG.model_copy(update={"http": http}))


# Encryption.


def test_half_a_configuration_of_tls_is_not_taken_for_none(tmp_path: Path) -> None:
    """Whoever asks for clients' certificates would be served in the clear otherwise."""
    tls = TlsConfig(client_ca=Authority(tmp_path).ca)

    async def scenario() -> None:
        with pytest.raises(ConfigError, match="`certificate` and `key` must both"):
            async with served(Echo().operations(), CONFIG.model_copy(update={"tls": tls})):
                pass

    asyncio.run(scenario())


def test_over_tls_only_and_with_the_clients_certificate_where_one_is_asked_for(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)

    async def scenario(asks: bool) -> list[int | str]:
        config = CONFIG.model_copy(update={"tls": authority.server(asks=asks)})
        trusting = ssl.create_default_context(cafile=str(authority.ca))
        showing = ssl.create_default_context(cafile=str(authority.ca))
        certificate, key = authority.issue("client")
        showing.load_cert_chain(certificate, key)
        found: list[int | str] = []
        async with served(Echo().operations(), config) as (_, port):
            for url, context in (
                (f"http://127.0.0.1:{port}/query", True),
                (f"https://127.0.0.1:{port}/query", True),
                (f"https://127.0.0.1:{port}/query", trusting),
                (f"https://127.0.0.1:{port}/query", showing),
            ):
                try:
                    async with (
                        aiohttp.ClientSession() as session,
                        session.get(url, ssl=context) as response,
                    ):
                        found.append(response.status)
                except (aiohttp.ClientError, ConnectionError):
                    found.append("refused")
        return found

    assert asyncio.run(scenario(asks=False)) == ["refused", "refused", 200, 200]
    assert asyncio.run(scenario(asks=True)) == ["refused", "refused", "refused", 200]


# Endings.


def test_an_answer_that_fails_half_way_is_cut_and_not_ended() -> None:
    async def scenario() -> None:
        for failure in (EngineFailed("scripted"), SlowReader("scripted"), KeyError("defect")):
            echo = Echo(then=failure)
            echo.go_on.set()
            async with (
                served(echo.operations()) as (_, port),
                aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
            ):
                # What was sent before may still be read; that it is all must not be believed.
                with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):
                    async with session.get("/stream") as response:
                        await response.read()
            assert echo.ended == [type(failure).__name__]

    asyncio.run(scenario())


def test_a_caller_who_goes_away_ends_the_work() -> None:
    async def scenario() -> None:
        echo = Echo()
        async with served(echo.operations()) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(10):
                await echo.begun.wait()
                writer.close()
                await writer.wait_closed()
                while not echo.ended:  # noqa: ASYNC110 - a list has no event
                    await asyncio.sleep(0.005)
        assert echo.ended == ["CancelledError"]

    asyncio.run(scenario())


def test_stopping_lets_a_running_answer_end_and_takes_nothing_new() -> None:
    async def scenario() -> None:
        echo = Echo()
        async with served(echo.operations()) as (one, port):
            async with (
                aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
                session.get("/stream") as response,
            ):
                await echo.begun.wait()
                stopping = asyncio.create_task(one.stop(10), name="stopping")
                await asyncio.sleep(0.05)
                with pytest.raises(aiohttp.ClientConnectorError):
                    await ask(port, "GET", "/healthz")
                echo.go_on.set()
                assert await response.read() == b"firstlast"
            await stopping
        assert echo.ended == ["finished"]

    asyncio.run(scenario())


def test_stopping_cuts_off_what_does_not_end_in_time() -> None:
    async def scenario() -> None:
        echo = Echo()
        async with (
            served(echo.operations()) as (one, port),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
            session.get("/stream") as response,
        ):
            await echo.begun.wait()
            async with asyncio.timeout(5):
                await one.stop(0.05)
            with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):
                await response.read()
        assert echo.ended == ["CancelledError"]

    asyncio.run(scenario())


def test_an_address_that_is_taken_is_an_error() -> None:
    async def scenario() -> None:
        async with served([]) as (_, port):
            with pytest.raises(OSError, match=str(port)):
                async with served([], address=f"127.0.0.1:{port}"):
                    pass

    asyncio.run(scenario())
