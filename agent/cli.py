"""The command `parley`: one function a subcommand, each importing only what it needs.

In: arguments and the environment.  Out: an exit status: 0, 1 when something failed, 2 when the
arguments or the configuration cannot be used.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.config import Config, Secrets

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
VOICE_COMMANDS = {
    "voices": "list, add, compile, pull and look into cloned voices",
    "say": "speak a text in any voice",
}
"""Commands of the synthesis service, which knows their arguments."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; see the module's docstring for the exit status."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    if rest and not args.hands_on:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    args.rest = rest
    try:
        status: int = args.run(args)
        return status
    except BrokenPipeError:  # `parley check | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _serve(args: argparse.Namespace) -> int:
    from agent.logs import set_up_logging
    from agent.persona import load_personas
    from agent.supervisor import serve
    from agent.tables import ConfigError

    set_up_logging(args.log_level)
    try:
        config, secrets = _load(args)
        load_personas(config.calls.personas_dir)
        return serve(config, secrets, log_level=args.log_level, say=_say_ready)
    except ConfigError as error:
        return _refuse(error)


def _say_ready(url: str) -> None:
    print(f"\n  Parley is ready: {url}\n", flush=True)


def _check(args: argparse.Namespace) -> int:
    from agent.check import inspect
    from agent.tables import ConfigError

    try:
        config, secrets = _load(args)
    except ConfigError as error:
        return _refuse(error)
    report = inspect(config, secrets)
    for subject, finding in report.findings:
        print(f"{subject:<20} {finding}")
    for problem in report.problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if report.problems else 0


def _talk(args: argparse.Namespace) -> int:
    import asyncio

    from agent.logs import set_up_logging
    from agent.tables import ConfigError
    from agent.talk import TalkFailed, check_out, read_wav, talk, talk_to_own_daemon

    set_up_logging("WARNING")
    try:
        question = read_wav(args.wav)
        check_out(args.out)
        config, secrets = _load(args)
        if args.url is not None:
            conversation = talk(args.url, secrets.token, question, args.out, args.persona)
        else:
            conversation = talk_to_own_daemon(config, secrets, question, args.out, args.persona)
        print(asyncio.run(conversation))
    except ConfigError as error:
        return _refuse(error)
    except TalkFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _replay(args: argparse.Namespace) -> int:
    from agent.config import config_path, load
    from agent.replay_command import ReplayFailed, Request, run
    from agent.tables import ConfigError

    finding = [override for override in args.set if override.startswith("calls.")]
    request = Request(
        args.call,
        [override for override in args.set if override not in finding],
        args.persona,
        args.json,
        args.timeline,
    )
    try:
        print(run(request, load(config_path(args.config, os.environ), finding)))
    except ConfigError as error:
        return _refuse(error)
    except ReplayFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _tts(args: argparse.Namespace) -> int:
    """`tts serve` runs here, with transcriptions; what else `tts` can do is the service's own."""
    from agent.config import cache_dir, config_path, load, service_settings
    from agent.tables import ConfigError
    from agent.voice_commands import hand_on

    if args.rest[:1] != ["serve"]:
        return hand_on(args.rest)
    import asyncio

    from agent.logs import set_up_logging
    from agent.speech_service import serve
    from tts.config import ConfigError as ServiceConfigError
    from tts.config import secrets
    from tts.errors import TtsError

    parser = argparse.ArgumentParser(prog="parley tts serve", allow_abbrev=False)
    parser.add_argument("--http", default="127.0.0.1:7861", help='"host:port" or "unix:/path"')
    parser.add_argument("--grpc", default="127.0.0.1:7862", help="the same; empty for none")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="INFO")
    own = parser.parse_args(args.rest[1:])
    set_up_logging(own.log_level)
    try:
        config = load(config_path(args.config, os.environ), args.set)
        asyncio.run(
            serve(
                service_settings(config),
                config.stt,
                secrets(os.environ),
                grpc=own.grpc,
                http=own.http,
                cache_dir=cache_dir(os.environ),
            )
        )
    except (ConfigError, ServiceConfigError) as error:
        return _refuse(error)
    except (TtsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _voice_command(args: argparse.Namespace) -> int:
    from agent.config import cache_dir, config_path, load
    from agent.tables import ConfigError
    from agent.voice_commands import run
    from agent.weights import WeightsMissing

    try:
        config = load(config_path(args.config, os.environ), args.set)
        return run(args.command, args.rest, config, cache_dir(os.environ))
    except ConfigError as error:
        return _refuse(error)
    except WeightsMissing as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _config_docs(args: argparse.Namespace) -> int:
    from agent.config_docs import PATH, render

    text = render()
    if args.write:
        PATH.write_text(text, encoding="utf-8")
    elif args.check:
        if not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
            print(
                f"error: {PATH.name} is not what the schema says; run: make docs", file=sys.stderr
            )
            return 1
    else:
        print(text, end="")
    return 0


def _version(args: argparse.Namespace) -> int:
    try:
        print(f"parley {version('parley-voice')}")
    except PackageNotFoundError:
        print("parley, run from its source without being installed")
    return 0


def _load(args: argparse.Namespace) -> "tuple[Config, Secrets]":
    """Read the configuration and the secrets; raises `ConfigError`."""
    from agent.config import config_path, load, read_secrets

    config = load(config_path(args.config, os.environ), args.set)
    return config, read_secrets(config, os.environ)


def _refuse(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parley", description="Spoken conversations in cloned voices, self-hosted."
    )
    parser.set_defaults(hands_on=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    configured = argparse.ArgumentParser(add_help=False)
    configured.add_argument("--config", type=Path, help="configuration file (./agent.toml)")
    configured.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="override a key of the file, for example stt.model=tiny.en; may be repeated",
    )

    serve = commands.add_parser("serve", parents=[configured], help="run the daemon")
    serve.add_argument("--log-level", choices=LOG_LEVELS, default="INFO")
    serve.set_defaults(run=_serve)

    check = commands.add_parser(
        "check", parents=[configured], help="load everything, open nothing, say what is what"
    )
    check.set_defaults(run=_check)

    talk = commands.add_parser(
        "talk", parents=[configured], help="hold a call with a recording in place of a person"
    )
    talk.add_argument("--wav", type=Path, required=True, help="what the caller says (PCM WAV)")
    talk.add_argument("--out", type=Path, required=True, help="stereo recording to write")
    talk.add_argument("--persona", help="id of the persona to call")
    talk.add_argument(
        "--url",
        help="a running daemon, its token in the environment; else one is started for the call",
    )
    talk.set_defaults(run=_talk)

    replay = commands.add_parser(
        "replay",
        parents=[configured],
        help="take the turns of a recorded call again, maybe with other settings",
    )
    replay.add_argument("call", metavar="CALL", help="an event log, or a call's id")
    replay.add_argument("--persona", help="whose temperament to take: a file, or a persona's id")
    replay.add_argument("--json", action="store_true", help="print JSON instead of a table")
    replay.add_argument("--timeline", type=Path, metavar="SVG", help="draw the turns there")
    replay.set_defaults(run=_replay)

    tts = commands.add_parser(
        "tts",
        parents=[configured],
        help="serve the voices alone, and make keys for them: tts serve, tts key NAME",
        add_help=False,
        allow_abbrev=False,
    )
    tts.set_defaults(run=_tts, hands_on=True)

    for name, does in VOICE_COMMANDS.items():
        handed_on = commands.add_parser(
            name, parents=[configured], help=does, add_help=False, allow_abbrev=False
        )
        handed_on.set_defaults(run=_voice_command, hands_on=True)

    docs = commands.add_parser("config-docs", help="print docs/configuration.md")
    target = docs.add_mutually_exclusive_group()
    target.add_argument("--write", action="store_true", help="write the file instead")
    target.add_argument("--check", action="store_true", help="fail if the file is not current")
    docs.set_defaults(run=_config_docs)

    commands.add_parser("version", help="print the version").set_defaults(run=_version)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
