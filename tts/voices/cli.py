"""`python -m tts voices ...`: the folder of voices from the command line.

In: arguments.  Out: text for people or, with --json, one JSON value on stdout, and an exit status
as in `tts.cli`.  Each command is a function of its arguments; what it says to errors is
`tts.cli`'s.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from tts import checkpoint
from tts.checkpoint import Description
from tts.voices import pull

Command = Callable[[argparse.Namespace], int]


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    """Add `voices` and its actions; each sets `action`, a `Command`."""
    parser = commands.add_parser("voices", help="list, add, compile and look into voices")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    action = actions.add_parser("pull", help="bring the official pretrained files from the hub")
    pull.add_arguments(action, "pretrained")
    action.set_defaults(action=pull.run)

    action = actions.add_parser("inspect", help="say what a checkpoint file is; nothing is run")
    action.add_argument("file", type=Path, metavar="FILE")
    _add_json(action)
    action.set_defaults(action=inspect)
    return parser


def inspect(args: argparse.Namespace) -> int:
    """Describe a checkpoint file.  Raises `CheckpointError`."""
    description = checkpoint.describe(args.file)
    if args.json:
        _print_json({"file": str(args.file), **dataclasses.asdict(description)})
    else:
        print("\n".join(_described(args.file, description)))
    return 0 if description.usable else 1


def _described(path: Path, about: Description) -> list[str]:
    """A checkpoint for people."""
    usable = "can be used" if about.usable else f"cannot be used: {about.note}"
    rows = {
        "languages": " ".join(about.languages),
        "parameters": f"{about.parameters:,}",
        "weights": f"{' '.join(about.dtypes)}, {about.size_bytes / 1e6:,.1f} MB, {about.format}",
        "training": about.info,
        "sizes": _sizes(about),
    }
    return [
        f"{path.name}: {about.kind} {about.version}, {usable}",
        *(f"  {name:10}  {value}" for name, value in rows.items() if value),
    ]


def _sizes(about: Description) -> str:
    """The numbers of a spec, in its order."""
    if about.spec is None:
        return ""
    sizes = dataclasses.asdict(about.spec)
    return ", ".join(f"{name} {value}" for name, value in sizes.items() if name != "version")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON value")


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
