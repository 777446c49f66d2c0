"""`parley voices` and `parley say`: the synthesis service's own commands, in its own process.

In: the command, its arguments and the configuration.  Out: the command's exit status.  Knows where
the configuration puts voices, and how to write down what a reference clip says; everything else
about voices is `tts`'.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import soundfile

from agent import weights
from agent.config import Config

LONGEST_CLIP_S = 30.0
"""Longer recordings are no reference clips."""


def run(command: str, arguments: Sequence[str], config: Config, cache_dir: Path) -> int:
    """Run `voices` or `say`.

    Raises `agent.weights.WeightsMissing` when a clip is to be written down and the model for it is
    not there.
    """
    if command == "voices" and arguments[:1] == ["add"]:
        arguments = _with_text(arguments, config, cache_dir)
    settings = config.tts.service.model_dump_json()
    return hand_on([command, "--settings", settings, *arguments])


def hand_on(arguments: Sequence[str]) -> int:
    """Have the service's own command line do it; it shares this process' terminal."""
    child = subprocess.Popen([sys.executable, "-m", "tts", *arguments])
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # Ctrl-C reached the child, too: it ends by itself, cleanly.
            continue


def _with_text(arguments: Sequence[str], config: Config, cache_dir: Path) -> list[str]:
    """The arguments of `voices add`, with what the clip says if they do not say it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in ("--clip", "--text", "--language"):
        parser.add_argument(option)
    try:
        known, _ = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError:
        return list(arguments)  # the command itself says what is wrong
    if known.text is not None or known.clip is None or not _could_be_a_reference(known.clip):
        return list(arguments)
    language, text = transcribe(Path(known.clip), known.language, config, cache_dir)
    print(f'the clip says ({language}): "{text}"', file=sys.stderr)
    print(
        "if that is not word for word what is said, add the voice again with --text",
        file=sys.stderr,
    )
    written = [*arguments, "--text", text]
    return written if known.language is not None else [*written, "--language", language]


def _could_be_a_reference(clip: str) -> bool:
    """Whether it is worth transcribing; if not, the command itself says why."""
    try:
        duration_s: float = soundfile.info(clip).duration
        return 0 < duration_s <= LONGEST_CLIP_S
    except (soundfile.SoundFileError, OSError):
        return False


def transcribe(
    clip: Path, language: str | None, config: Config, cache_dir: Path
) -> tuple[str, str]:
    """Language and text of a recording.  Takes seconds.

    Raises `agent.weights.WeightsMissing` without the model.
    """
    from faster_whisper import WhisperModel  # heavy, and only needed here

    stt = config.stt
    model = WhisperModel(
        str(weights.whisper(stt.model, cache_dir)),
        device=stt.device,
        compute_type=stt.compute_type,
        cpu_threads=stt.threads,
    )
    segments, about = model.transcribe(str(clip), language=language, beam_size=5)
    text = "".join(segment.text for segment in segments).strip()
    return about.language, text
