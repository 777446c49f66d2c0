"""`python -m tts voices ...`: the folder of voices from the command line.

In: arguments and the configuration.  Out: text for people or, with --json, one JSON value on
stdout, and an exit status as in `tts.cli`.  Each action is a function of both; what it says to
errors is `tts.cli`'s.  `voices inspect` stands in `tts.voices.inspecting`.
"""

import argparse
import datetime
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tts.config import ConfigError, GptSovitsConfig, ServiceConfig
from tts.errors import TtsError
from tts.pretrained import command as pull
from tts.pretrained.official import PREFIX, WEIGHTS
from tts.terminal import Terminal
from tts.voices import inspecting

if TYPE_CHECKING:
    from tts.voices.manifest import ConsentTable

Action = Callable[[argparse.Namespace, ServiceConfig], int]

DEFAULT_EMOTION = "neutral"
_NO_CONSENT = """\
voice {id!r} has no consent record. Whose voice is it, and may you use it? Say so with
  --consent "what they agreed to" --consent-by "their name"
when you add a voice, or write into {path}:
  [consent]
  who = "their name"
  when = {today}
  what = "what they agreed to"\
"""


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    """Add `voices` and its actions; each sets `action`, an `Action`."""
    parser = commands.add_parser(
        "voices", prog="parley voices", help="pull, add, compile, list and inspect voices"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    action = actions.add_parser("pull", help="bring the official pretrained files from the hub")
    pull.add_arguments(action)
    action.set_defaults(action=pull.run)

    action = actions.add_parser("add", help="make a voice, or give one another emotion")
    _add_arguments(action)
    action.set_defaults(action=add)

    action = actions.add_parser("compile", help="make voices ready to speak")
    which = action.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", default=[], metavar="ID")
    which.add_argument("--all", action="store_true", help="every voice that is not ready")
    which.add_argument("--folder", type=Path, help="a voice that lies in this folder, by any name")
    action.set_defaults(action=compile_voices)

    action = actions.add_parser(
        "list", help="say which voices there are and what state they are in"
    )
    action.add_argument("--json", action="store_true", help="print one JSON value")
    action.set_defaults(action=list_voices)

    action = actions.add_parser(
        "inspect", help="say what a checkpoint file or a voice is; nothing of it is run"
    )
    action.add_argument("target", metavar="FILE|FOLDER|ID")
    action.add_argument("--json", action="store_true", help="print one JSON value")
    action.set_defaults(action=inspecting.run)
    return parser


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="lower-case letters, digits, '-' and '_'")
    parser.add_argument("--clip", type=Path, required=True, help="3 to 10 s of one person speaking")
    parser.add_argument("--text", required=True, help="what is said in the clip, word for word")
    parser.add_argument("--language", required=True, help="of the text: zh, en, ja, ko, yue")
    parser.add_argument("--emotion", default=DEFAULT_EMOTION, help="how it is said")
    whole = parser.add_argument_group("for a new voice")
    whole.add_argument("--name", help="what people call it; without, the id")
    whole.add_argument("--description")
    whole.add_argument("--licence", help="terms under which the clip may be used")
    whole.add_argument(
        "--weights",
        metavar="VERSION",
        help=f"official ones: {', '.join(WEIGHTS)}; without, {pull.DEFAULT_VERSION}",
    )
    whole.add_argument("--t2s", metavar="FILE", help="weights of your own, .ckpt")
    whole.add_argument("--sovits", metavar="FILE", help="weights of your own, .pth")
    whole.add_argument(
        "--denoise", action="store_true", default=None, help="take the noise out of its clips"
    )
    consent = parser.add_argument_group("consent of the person whose voice it is")
    consent.add_argument("--consent", metavar="TEXT", help="what they agreed to")
    consent.add_argument("--consent-by", metavar="NAME", help="who agreed")
    consent.add_argument("--consent-evidence", metavar="TEXT", help="where that is written")


def add(args: argparse.Namespace, config: ServiceConfig) -> int:
    """Make a voice, or add an emotion to one.  Raises `VoiceError`, `ConfigError`, `OSError`."""
    # What these import takes a second, which no other command should wait for.
    from tts.voices.adding import NewReference, NewVoice, add_reference, add_voice
    from tts.voices.manifest import FILE_NAME, load_manifest
    from tts.voices.store import voice_folders

    voices_dir = config.gpt_sovits.voices_dir
    folder = voices_dir / args.id
    reference = NewReference(args.clip, args.text, args.language, args.emotion)
    consent = _consent(args)
    if folder in voice_folders(voices_dir):
        _refuse(args, "name", "description", "licence", "weights", "t2s", "sovits", "denoise")
        warnings = add_reference(voices_dir, args.id, reference, consent)
        print(f"{folder}: added the emotion {args.emotion!r}")
    else:
        t2s, sovits = _weights(args)
        new = NewVoice(
            name=args.name or args.id,
            t2s=t2s,
            sovits=sovits,
            description=args.description or "",
            licence=args.licence or "",
            denoise=bool(args.denoise),
            consent=consent,
        )
        warnings = add_voice(voices_dir, args.id, new, reference)
        print(f"{folder}: added")
    terminal = Terminal()
    for warning in warnings:
        terminal.say(f"{args.clip.name} {warning}")
    if load_manifest(folder).consent is None:
        today = datetime.date.today().isoformat()
        terminal.say(_NO_CONSENT.format(id=args.id, path=folder / FILE_NAME, today=today))
    print(f"next, compile it: parley voices compile {args.id}")
    return 0


def _weights(args: argparse.Namespace) -> tuple[str, str]:
    """Names or paths of both weights.  Raises `ConfigError` for an unknown version."""
    version = args.weights or pull.DEFAULT_VERSION
    if version not in WEIGHTS:
        raise ConfigError(f"--weights = {version!r}: allowed are {', '.join(WEIGHTS)}")
    if args.weights and args.t2s and args.sovits:
        raise ConfigError("--weights: with --t2s and --sovits none are left to be official")
    return args.t2s or PREFIX + version, args.sovits or PREFIX + version


def _consent(args: argparse.Namespace) -> "ConsentTable | None":
    """The consent record that the arguments make.  Raises `ConfigError` for half of one."""
    from tts.voices.manifest import ConsentTable

    said = {"--consent": args.consent, "--consent-by": args.consent_by}
    missing = [option for option, value in said.items() if not value]
    if len(missing) == len(said) and not args.consent_evidence:
        return None
    if missing:
        raise ConfigError(f"{missing[0]}: missing; a consent record says who agreed to what")
    return ConsentTable(
        who=args.consent_by,
        when=datetime.date.today(),
        what=args.consent,
        evidence=args.consent_evidence or "",
    )


def _refuse(args: argparse.Namespace, *names: str) -> None:
    """Raise `ConfigError` for options that belong to a new voice only."""
    for name in names:
        if getattr(args, name) is not None:
            raise ConfigError(
                f"--{name}: voice {args.id!r} is there already; change it in its voice.toml"
            )


def compile_voices(args: argparse.Namespace, config: ServiceConfig) -> int:
    """Compile voices, one after another.  Raises `VoiceNotFound` before any is compiled."""
    from tts.voices.store import State, find_folder, find_voice, voice_folders

    if args.folder is not None:
        return 0 if _compile(args.folder, config.gpt_sovits) else 1
    voices_dir, pretrained_dir = config.gpt_sovits.voices_dir, config.gpt_sovits.pretrained_dir
    ids = args.ids
    if args.all:
        ids = [folder.name for folder in voice_folders(voices_dir)]
        found = [find_voice(voices_dir, one, pretrained_dir) for one in ids]
        ids = [one.id for one in found if one.state is not State.READY]
        if not ids:
            print(f"{voices_dir}: nothing to compile")
    for voice_id in ids:
        find_folder(voices_dir, voice_id)
    compiled = [_compile(voices_dir / voice_id, config.gpt_sovits) for voice_id in ids]
    return 0 if all(compiled) else 1


def _compile(folder: Path, config: GptSovitsConfig) -> bool:
    """Compile one voice and say how it went; whether it went well."""
    import torch

    from tts.gpt_sovits.loading import Placement
    from tts.voices.compiling import compile_voice
    from tts.voices.text_files import frontend_files

    torch.set_num_threads(config.threads)
    terminal = Terminal()
    began_s = time.monotonic()
    try:
        voice = compile_voice(
            folder,
            pretrained_dir=config.pretrained_dir,
            files=frontend_files(config),
            device=Placement.of(config).device,
            report=lambda stage: terminal.show(f"{folder.name}: {stage} ..."),
        )
    except (TtsError, ImportError) as error:
        terminal.say(f"{folder.name}: not compiled\n{error}")
        return False
    terminal.clear()
    print(
        f"{folder.name}: compiled in {time.monotonic() - began_s:.1f} s;"
        f" emotions: {', '.join(voice.prompts)}; languages: {', '.join(voice.languages)};"
        f" gain {voice.gain_db:+.1f} dB"
    )
    return True


def list_voices(args: argparse.Namespace, config: ServiceConfig) -> int:
    """Print a line for each voice, and why those that are not ready are not."""
    from tts.voices import store

    voices_dir = config.gpt_sovits.voices_dir
    voices = store.list_voices(voices_dir, config.gpt_sovits.pretrained_dir)
    if args.json:
        inspecting.print_json([inspecting.summary(one) for one in voices])
        return 0
    if not voices:
        print(f"{voices_dir}: no voices; make one with: parley voices add")
    width = max((len(one.id) for one in voices), default=0)
    for one in voices:
        about = inspecting.summary(one)
        print(
            f"{one.id:{width}}  {one.state:12}  {' '.join(about['languages']):16}"
            f"  {' '.join(about['emotions'])}"
        )
        if one.reason:
            print(f"{'':{width}}  {one.reason}")
    return 0
