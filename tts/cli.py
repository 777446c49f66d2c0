"""The command line of the TTS process: `python -m tts serve --address unix:/path`.

In: arguments.  Out: an exit status: 0 after a drain or a command that did its work, 1 when the
service cannot start or a command cannot do its work, 2 for arguments or a configuration it cannot
use.  What `voices` does stands in `tts.voices.cli`, what `say` does in `tts.say`.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from loguru import logger

from tts import say
from tts.access import key_table, new_key
from tts.checkpoint import CheckpointError
from tts.config import ConfigError, ServiceConfig, checked, load, parse_json, secrets
from tts.errors import TtsError
from tts.voices import cli as voices

Command = Callable[[argparse.Namespace], int]

# Keys of the table gpt_sovits that have an option of their own.
_OVERRIDES = {
    "voices_dir": ("--voices", "DIR", "the folder of cloned voices"),
    "pretrained_dir": ("--pretrained", "DIR", "the folder of official pretrained files"),
    "device": ("--device", "NAME", 'what cloned voices run on: "cpu", "cuda", "cuda:1", "auto"'),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; see the module's docstring for the exit status."""
    args = _parser().parse_args(argv)
    command: Command = args.run
    return command(args)


def _explained(command: Command) -> Command:
    """The command, with what goes wrong said in a line, and an exit status for it."""

    def explained(args: argparse.Namespace) -> int:
        try:
            return command(args)
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 2
        except OSError as error:
            said = f"{error.filename}: {error.strerror}" if error.filename else error
            print(said, file=sys.stderr)
            return 1
        except (TtsError, CheckpointError, ImportError) as error:
            print(error, file=sys.stderr)
            return 1

    return explained


def _voices(args: argparse.Namespace) -> int:
    action: voices.Action = args.action
    return action(args, _configuration(args))


def _say(args: argparse.Namespace) -> int:
    return say.run(args, _configuration(args))


def _key(args: argparse.Namespace) -> int:
    key = new_key()
    table = key_table(args.name, key)
    print(f"The key of {args.name}, which cannot be shown again:\n\n{key}\n")
    print("For agent.toml; in a file of `python -m tts serve` the table is [[access.keys]]:\n")
    print(f"[[tts.service.access.keys]]\n{table}", end="")
    return 0


def _configuration(args: argparse.Namespace) -> ServiceConfig:
    """What `_add_settings` asked for.  Raises `ConfigError`."""
    if args.settings is not None:
        config = parse_json(args.settings)
    else:
        config = load(args.config) if args.config else ServiceConfig()
    overrides = {key: value for key in _OVERRIDES if (value := getattr(args, key)) is not None}
    values = config.model_dump()
    return checked({**values, "gpt_sovits": {**values["gpt_sovits"], **overrides}})


def _serve(args: argparse.Namespace) -> int:
    logger.remove()
    logger.add(
        sys.stderr,
        level=args.log_level,
        format="{time} {level} {message} {extra}",
        diagnose=False,  # else a traceback shows the values of variables, speech among them
    )
    try:
        config = _configuration(args)
    except ConfigError as error:
        logger.bind(error=str(error)).error("configuration refused")
        return 2
    try:
        asyncio.run(serve(config, grpc=args.address, http=args.http, parent=args.exit_with_parent))
    except ConfigError as error:
        logger.bind(error=str(error)).error("configuration refused")
        return 2
    except (TtsError, OSError) as error:
        logger.bind(error=str(error)).error("cannot serve")
        return 1
    return 0


async def serve(config: ServiceConfig, *, grpc: str, http: str, parent: int | None) -> None:
    """Serve on these addresses, empty ones excepted; see `tts.app.run`."""
    from tts.app import Addresses, App, run  # the doors' packages take a while to import

    if not (grpc or http):
        raise ConfigError("--address, --http: one of them is needed, to be reached at all")
    await run(App(config, secrets(os.environ), Addresses(grpc=grpc, http=http)), parent=parent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tts", description="Parley's speech synthesis.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = voices.add_parser(commands)
    command.set_defaults(run=_explained(_voices))
    _add_settings(command)
    command = commands.add_parser("serve", help="serve voices over gRPC and HTTP")
    command.set_defaults(run=_serve)
    command.add_argument("--address", default="", help='of gRPC: "unix:/path" or "host:port"')
    command.add_argument("--http", default="", help="of REST and WebSocket, the same")
    _add_settings(command)
    command.add_argument(
        "--exit-with-parent",
        type=int,
        nargs="?",
        const=os.getppid(),
        metavar="PID",
        help="drain when the parent process ends; its PID leaves no gap while this one starts",
    )
    command.add_argument(
        "--log-level", type=str.upper, default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"]
    )
    command = commands.add_parser("key", help="make a key for a caller, and what to configure")
    command.set_defaults(run=_explained(_key))
    command.add_argument("name", metavar="NAME", help="what logs and limits call its owner")
    command = commands.add_parser(
        "say", prog="parley say", help="say a text into a file, or play it"
    )
    command.set_defaults(run=_explained(_say))
    say.add_arguments(command)
    _add_settings(command)
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    settings = command.add_mutually_exclusive_group()
    settings.add_argument("--config", type=Path, help="TOML file; see docs/configuration.md")
    settings.add_argument("--settings", metavar="JSON", help="the same as one JSON object")
    for key, (option, metavar, meaning) in _OVERRIDES.items():
        command.add_argument(option, dest=key, metavar=metavar, help=meaning)
