"""`voices pull`: the official pretrained files, from the hub to the folder of pretrained files.

In: arguments.  Out: an exit status: 0 when everything asked for is there, 1 when `--verify` finds
that something is not, 130 when stopped by Ctrl-C.  Results go to standard output, progress to
standard error.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tts.config import ConfigError, ServiceConfig
from tts.pretrained import official
from tts.terminal import Terminal, megabytes

if TYPE_CHECKING:
    from tts.pretrained.hub import Hub
    from tts.pretrained.pulling import Order

DEFAULT_VERSION = "v2Pro"
"""Costs what v2 costs and sounds closer to its reference."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument(
        "versions",
        nargs="*",
        metavar="VERSION",
        help=f"{', '.join(official.WEIGHTS)}; without one, {DEFAULT_VERSION}",
    )
    command.add_argument(
        "--to", type=Path, metavar="FOLDER", help="without, the configured pretrained_dir"
    )
    command.add_argument("--revision", default="main", help="branch, tag or commit on the hub")
    command.add_argument(
        "--no-chinese", action="store_true", help="without the Chinese language model (650 MB)"
    )
    command.add_argument(
        "--g2pw", action="store_true", help="also Chinese readings by context (590 MB)"
    )
    command.add_argument(
        "--language-model", action="store_true", help="also the large language detector (131 MB)"
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="say what would be fetched")
    what.add_argument("--verify", action="store_true", help="read every file and check it")
    what.add_argument(
        "--replace", action="store_true", help="overwrite files that are not the official ones"
    )


def run(args: argparse.Namespace, config: ServiceConfig) -> int:
    """Pull, or say what a pull would do.  Raises `VoiceError` and `OSError`."""
    versions = tuple(dict.fromkeys(args.versions)) or (DEFAULT_VERSION,)
    unknown = [version for version in versions if version not in official.WEIGHTS]
    if unknown:
        raise ConfigError(f"VERSION = {unknown[0]!r}: allowed are {', '.join(official.WEIGHTS)}")

    # Half a second to import, which no other command should wait for.
    from tts.pretrained.hub import Hub, PullError, Unreachable
    from tts.pretrained.pulling import Order, by_hand

    order = Order(
        versions=versions,
        folder=args.to or config.gpt_sovits.pretrained_dir,
        revision=args.revision,
        chinese=not args.no_chinese,
        g2pw=args.g2pw,
        language_model=args.language_model,
    )
    hub, terminal = Hub(), Terminal()
    try:
        if args.dry_run or args.verify:
            return _say_states(order, hub, terminal, verify=args.verify)
        return _pull(order, hub, terminal, replace_changed=args.replace)
    except Unreachable as error:
        raise PullError(f"{error}\n{by_hand(order, hub)}") from error
    except KeyboardInterrupt:
        terminal.say("stopped; what has come is kept: pull again to go on")
        return 130


def _pull(order: "Order", hub: "Hub", terminal: Terminal, *, replace_changed: bool) -> int:
    from tts.pretrained.pulling import pull

    fetched = pull(order, hub, terminal, replace_changed=replace_changed)
    if fetched:
        print(f"{order.folder}: {fetched} files fetched, all checksums right")
    else:
        print(f"{order.folder}: everything is here; nothing was fetched")
    print(
        "Next, make a voice of 3 to 10 seconds of speech that you may use:\n"
        "  parley voices add NAME --clip CLIP.wav --text 'what it says' --language en\n"
        "  parley voices compile NAME\n"
        "  parley say 'Hello.' --voice NAME --out hello.wav"
    )
    return 0


def _say_states(order: "Order", hub: "Hub", terminal: Terminal, *, verify: bool) -> int:
    from tts.pretrained.pulling import survey

    found = survey(order, hub, terminal, thorough=verify)
    for item, state in found:
        size = f" ({megabytes(item.file.size_bytes)})" if state.kind == "wanted" else ""
        print(state.said + size)
    wanted = [item for item, state in found if state.kind == "wanted"]
    right = all(state.kind == "here" for _, state in found)
    if not verify:
        total = megabytes(sum(item.file.size_bytes for item in wanted))
        print(f"to fetch: {len(wanted)} files, {total}")
        return 0
    print(
        "every file is right"
        if right
        else "not every file is right: pull again, with --replace if one is another file"
    )
    return 0 if right else 1
