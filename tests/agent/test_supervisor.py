"""Children that are kept running, and the daemon's port; with small shells as children."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.child import Child
from agent.config import Config, LlmConfig, Secrets, read_resolved
from agent.lifeline import EXIT_FAILED, EXIT_UNUSABLE
from agent.restart import Backoff, RestartPolicy
from agent.supervisor import (
    SAME_SIGNAL_S,
    Children,
    Supervisor,
    listen,
    llm_command,
    plan,
    with_voices_of_personas,
)
from agent.tables import ConfigError

SECRETS = Secrets()
QUICK = Backoff(first_s=0.01, factor=1.0)


def shell(script: str, *, fatal_status: int | None = None) -> Child:
    policy = RestartPolicy(QUICK)
    return Child("child", ["/bin/sh", "-c", script], fatal_status=fatal_status, policy=policy)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(main())


async def line_count(path: Path, count: int) -> None:
    while not path.exists() or len(path.read_text().splitlines()) < count:  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)


async def pid_other_than(child: Child, old: int | None) -> int:
    while (pid := child.pid) is None or pid == old:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return pid


def test_a_child_that_dies_is_started_again_until_it_is_stopped(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = tmp_path / "starts"
        child = shell(f"echo started >> {log}; exit 3")
        running = asyncio.create_task(child.run())
        await line_count(log, 3)
        child.stop()
        await running
        assert child.restarts >= 2
        assert child.pid is None

    run(scenario)


def test_a_killed_child_comes_back_with_another_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = tmp_path / "starts"
        child = shell(f"echo started >> {log}; exec sleep 60")
        running = asyncio.create_task(child.run())
        await line_count(log, 1)
        first = await pid_other_than(child, None)
        os.kill(first, signal.SIGKILL)
        await line_count(log, 2)
        await pid_other_than(child, first)
        assert child.restarts == 1
        child.stop()
        assert await running == -signal.SIGTERM

    run(scenario)


def test_a_child_that_can_never_work_is_not_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = shell(f"exit {EXIT_UNUSABLE}", fatal_status=EXIT_UNUSABLE)
        assert await child.run() == EXIT_UNUSABLE
        assert child.restarts == 0

    run(scenario)


def test_a_childs_lines_are_passed_on_under_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        long = "head -c 200000 /dev/zero | tr '\\0' x; echo"
        child = shell(f"echo one; {long}; echo last words >&2; exit 2", fatal_status=2)
        await child.run()

    run(scenario)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "[child] one"
    assert lines[-1] == "[child] last words"
    assert max(map(len, lines)) < 100_000


def test_cancelling_kills_the_child(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = tmp_path / "starts"
        child = shell(f"echo $$ >> {log}; exec sleep 60")
        running = asyncio.create_task(child.run())
        await line_count(log, 1)
        pid = int(log.read_text())  # noqa: ASYNC240
        running.cancel()
        await asyncio.wait({running})
        while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)

    run(scenario)


def test_a_port_in_use_is_a_clear_error() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            listen("127.0.0.1", port)
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in str(caught.value)
    assert "--set server.port=0" in str(caught.value)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_the_page_is_named_by_an_address_one_can_open(
    tmp_path: Path, host: str, shown: str
) -> None:
    with listen(host, 0) as listener:
        supervisor = supervisor_for(Children([], []), listener, tmp_path)
        assert supervisor.url == f"http://{shown}:{listener.getsockname()[1]}/"


def supervisor_for(children: Children, listener: socket.socket, folder: Path) -> Supervisor:
    return Supervisor(children, listener, folder, drain_s=60.0, say=lambda url: None)


def test_remote_services_are_not_started_here(tmp_path: Path) -> None:
    def names(tables: dict[str, object]) -> list[str]:
        config = Config.model_validate(tables)
        with listen("127.0.0.1", 0) as listener:
            children = plan(config, SECRETS, listener, tmp_path, log_level="INFO")
        assert read_resolved(tmp_path / "config.json") == config
        return [child.name for child in children.all]

    local = {"local_model_path": tmp_path / "m.gguf"}
    assert names({"llm": local}) == ["tts", "llm", "worker-0"]
    assert names({"llm": {"base_url": "http://127.0.0.1:1/v1"}}) == ["tts", "worker-0"]
    assert names({"llm": local, "tts": {"address": "127.0.0.1:1"}, "server": {"workers": 2}}) == [
        "llm",
        "worker-0",
        "worker-1",
    ]


def test_a_child_has_its_own_variables_besides_the_parent_s() -> None:
    async def scenario() -> None:
        child = Child(
            "child",
            ["/bin/sh", "-c", 'test "$PARLEY_TOKEN" = t && test -n "$PATH"'],
            environment={"PARLEY_TOKEN": "t"},
            fatal_status=0,
        )
        assert await child.run() == 0

    run(scenario)


def test_cloned_voices_of_personas_are_loaded_before_the_first_call(tmp_path: Path) -> None:
    personas, voices = tmp_path / "personas", tmp_path / "voices"
    personas.mkdir()
    for name, voice in (("ann", "ann"), ("bob", "heart"), ("eve", "eve"), ("zoe", "ann")):
        text = f'name = "{name}"\nlanguage = "en"\nvoice = "{voice}"\nprompt = "x"\n'
        (personas / f"{name}.toml").write_text(text)
    for voice in ("ann", "eve", "nobody"):
        (voices / voice).mkdir(parents=True)

    def preloaded(**settings: object) -> tuple[str, ...]:
        config = Config.model_validate(
            {
                "calls": {"personas_dir": personas, "default_persona": "eve"},
                "tts": {"service": {"gpt_sovits": {"voices_dir": voices, **settings}}},
            }
        )
        return with_voices_of_personas(config).gpt_sovits.preload

    assert preloaded() == ("eve", "ann")
    assert preloaded(preload=["nobody"]) == ("nobody",)
    assert preloaded(preload=[]) == ()


def test_the_built_in_model_gets_its_settings() -> None:
    config = LlmConfig(local_model_path=Path("/m.gguf"), local_threads=3, local_slots=5)
    command = llm_command(config, 4711)
    assert command[1:3] == ["-m", "agent.llm.local_server"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options == {
        "--host": "127.0.0.1",
        "--port": "4711",
        "--model": "/m.gguf",
        "--threads": "3",
        "--slots": "5",
    }


def test_a_second_signal_cuts_the_drain_short(tmp_path: Path) -> None:
    async def scenario() -> None:
        stubborn = f"trap '' TERM; echo started >> {tmp_path}/starts; while :; do sleep 1; done"
        with listen("127.0.0.1", 0) as listener:
            children = Children([], [shell(stubborn)])
            running = asyncio.create_task(supervisor_for(children, listener, tmp_path).run())
            await line_count(tmp_path / "starts", 1)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(SAME_SIGNAL_S + 0.1)
            assert not running.done()
            os.kill(os.getpid(), signal.SIGTERM)
            assert await running == EXIT_FAILED

    run(scenario)


def test_a_drain_ends_the_workers_before_the_models(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = tmp_path / "ends"

        def leaving(name: str) -> Child:
            ends = f"trap 'echo {name} >> {log}; exit 0' TERM; echo up >> {tmp_path}/{name}"
            return shell(f"{ends}; while :; do sleep 0.1; done")

        with listen("127.0.0.1", 0) as listener:
            children = Children([leaving("model")], [leaving("worker")])
            supervisor = supervisor_for(children, listener, tmp_path)
            running = asyncio.create_task(supervisor.run())
            await line_count(tmp_path / "model", 1)
            await line_count(tmp_path / "worker", 1)
            supervisor.stop()
            assert await running == 0
        assert log.read_text().splitlines() == ["worker", "model"]  # noqa: ASYNC240

    run(scenario)
