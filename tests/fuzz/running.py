"""Runs one target under libFuzzer, from seeds on.

The process ends inside; what it leaves behind is a folder of seeds in the system's temporary one.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris


def run(target: Callable[[bytes], None], seeds: Iterable[bytes], words: Iterable[str] = ()) -> None:
    """Never returns: libFuzzer ends the process, with 0 unless a run raised or took too long.

    `words`: what is worth trying inside.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    lines = (json.dumps(word) for word in words)  # quoted alike, as far as it is ASCII
    (folder / "words").write_text("\n".join(lines) + "\n", encoding="ascii")
    own = ["-timeout=10", "-max_len=4096", f"-dict={folder / 'words'}", str(corpus)]
    atheris.Setup([*sys.argv, *own], target)
    atheris.Fuzz()
