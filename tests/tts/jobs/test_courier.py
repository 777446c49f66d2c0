"""Call-backs over real sockets: signed, tried again, never to where they may not go."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.tts.jobs.receiver import SECRET, Receiver, receiving
from tests.tts.jobs.talker import Talker, config, ended, order, running
from tts.errors import EngineFailed
from tts.jobs import courier as courier_module
from tts.jobs import webhook as webhook_module
from tts.jobs.public import message
from tts.jobs.record import Job, Webhook
from tts.jobs.runner import JobRunner

pytestmark = pytest.mark.real

HOSTS = {"webhook_hosts": ("127.0.0.1",)}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of waiting are milliseconds."""
    waits_s = tuple(wait_s / 1000 for wait_s in webhook_module.WAITS_S[:3])
    monkeypatch.setattr(webhook_module, "WAITS_S", waits_s)
    monkeypatch.setattr(courier_module, "TIMEOUT_S", 0.1)


async def told(runner: JobRunner, job: Job) -> Webhook:
    """The webhook when nothing more will be tried."""
    async with asyncio.timeout(10):
        while True:
            now = runner.find("me", job.id)
            if now.ended and now.webhook is not None and now.webhook.next_s is None:
                return now.webhook
            await asyncio.sleep(0.005)


async def one_job(folder: Path, receiver: Receiver, talker: Talker, **values: Any) -> Webhook:
    settings = config(folder, **(HOSTS | values))
    async with running(talker, settings, webhook_secret=SECRET) as runner:
        job = await runner.submit("me", order("Text.", webhook=f"{receiver.url}/done?x=1"))
        webhook = await told(runner, job)
        assert all(call.is_signed() for call in receiver.calls)
        assert {call.id for call in receiver.calls} == {job.id.replace("job_", "whk_")}
        bodies = {call.body for call in receiver.calls}
        assert bodies == {message(runner.find("me", job.id), 7.0)}
    return webhook


def test_a_job_that_is_done_is_told_once_with_its_public_form(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving([]) as receiver:
            webhook = await one_job(tmp_path, receiver, Talker())
            (call,) = receiver.calls
        assert (call.path, call.content_type) == ("/done", "application/json")
        body = json.loads(call.body)
        assert (body["state"], body["chars"], body["spoken_chars"]) == ("done", 5, 5)
        assert body["audio"]["url"] == f"/v1/jobs/{body['id']}/audio"
        assert "webhook" not in body
        assert (webhook.attempts, webhook.error) == (1, "")
        assert webhook.delivered_s is not None

    asyncio.run(scenario())


def test_a_job_that_failed_is_told_of_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving([]) as receiver:
            await one_job(tmp_path, receiver, Talker(errors=[EngineFailed("no sound")] * 3))
            (call,) = receiver.calls
        body = json.loads(call.body)
        assert body["state"] == "failed"
        assert body["error"] == {"code": "engine_failed", "message": "no sound"}

    asyncio.run(scenario())


@pytest.mark.usefixtures("hasty")
def test_it_is_tried_again_after_errors_and_silence_and_redirects(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving([500, 0, 302]) as receiver:
            webhook = await one_job(tmp_path, receiver, Talker())
            # A redirect is not followed: it is an answer that is not 2xx.
            assert [call.path for call in receiver.calls] == ["/done"] * 4
        assert (webhook.attempts, webhook.error) == (4, "")

    asyncio.run(scenario())


@pytest.mark.usefixtures("hasty")
def test_it_is_given_up_after_enough_attempts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving([500] * 3 + [404] + [204]) as receiver:
            webhook = await one_job(tmp_path, receiver, Talker())
            assert len(receiver.calls) == 4
        assert (webhook.attempts, webhook.error) == (4, "it answered 404")
        assert webhook.delivered_s is None

    asyncio.run(scenario())


def test_a_call_back_that_is_due_survives_the_end_of_the_service(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = config(tmp_path, **HOSTS)
        now = [1_000_000.0]
        async with receiving([500]) as receiver:
            async with running(
                Talker(), settings, webhook_secret=SECRET, clock=lambda: now[0]
            ) as runner:
                job = await runner.submit("me", order("Text.", webhook=receiver.url))
                async with asyncio.timeout(10):
                    while True:
                        webhook = runner.find("me", job.id).webhook
                        assert webhook is not None
                        if webhook.attempts == 1:
                            break
                        await asyncio.sleep(0.005)
                assert webhook.next_s == now[0] + 10.0
            now[0] += 10.0
            async with running(
                Talker(), settings, webhook_secret=SECRET, clock=lambda: now[0]
            ) as runner:
                webhook = await told(runner, job)
            assert len(receiver.calls) == 2
            assert len({call.id for call in receiver.calls}) == 1
        assert (webhook.attempts, webhook.delivered_s) == (2, now[0])

    asyncio.run(scenario())


@pytest.mark.usefixtures("hasty")
def test_a_name_that_leads_to_a_private_address_is_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up when it is called, and what was found is what is connected to."""

    def leads_home(host: object, port: object, *args: object, **kwargs: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def scenario() -> None:
        settings = config(tmp_path, webhook_hosts=("*",))
        async with receiving([]) as receiver:
            port = receiver.url.rpartition(":")[2]
            monkeypatch.setattr(socket, "getaddrinfo", leads_home)
            async with running(Talker(), settings, webhook_secret=SECRET) as runner:
                job = await runner.submit(
                    "me", order("Text.", webhook=f"http://rebound.example:{port}/")
                )
                webhook = await told(runner, job)
            assert receiver.calls == []
        assert webhook.attempts == 4
        assert "rebound.example leads to no public address" in webhook.error

    asyncio.run(scenario())


def test_a_private_address_is_called_for_a_name_that_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leads_home(host: object, port: object, *args: object, **kwargs: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def scenario() -> None:
        settings = config(tmp_path, webhook_hosts=("hooks.internal",))
        async with receiving([]) as receiver:
            port = receiver.url.rpartition(":")[2]
            monkeypatch.setattr(socket, "getaddrinfo", leads_home)
            async with running(Talker(), settings, webhook_secret=SECRET) as runner:
                job = await runner.submit(
                    "me", order("Text.", webhook=f"http://hooks.internal:{port}/")
                )
                assert (await told(runner, job)).error == ""
            assert len(receiver.calls) == 1

    asyncio.run(scenario())


@pytest.mark.usefixtures("hasty")
def test_a_host_that_is_listed_no_more_is_not_called(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving([500] * 9) as receiver:
            talker = Talker(gate=asyncio.Semaphore(0))
            async with running(talker, config(tmp_path, **HOSTS), webhook_secret=SECRET) as runner:
                job = await runner.submit("me", order("Text.", webhook=receiver.url))
            async with running(Talker(), config(tmp_path), webhook_secret=SECRET) as runner:
                await ended(runner, job)
                webhook = await told(runner, job)
            assert receiver.calls == []
        assert webhook.attempts == 4

    asyncio.run(scenario())


@pytest.mark.usefixtures("hasty")
def test_a_host_that_hangs_keeps_no_other_waiting(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = config(tmp_path, **HOSTS)
        async with receiving([0] * 50) as hanging, receiving([]) as quick:
            async with running(Talker(), settings, webhook_secret=SECRET) as runner:
                for _ in range(3):
                    await runner.submit("me", order("Text.", webhook=hanging.url))
                job = await runner.submit("me", order("Text.", webhook=quick.url))
                assert (await told(runner, job)).error == ""

    asyncio.run(scenario())
