"""Which files the text frontends of cloned voices read on this machine.

In: the configuration.  Out: `FrontendFiles`.  The files are looked for and not opened.  One place,
so that a voice is spoken as it was compiled.  Any thread.
"""

from pathlib import Path

from tts.config import GptSovitsConfig
from tts.pretrained import official
from tts.text.readers import FrontendFiles

DEBIAN_JDIC = Path("/var/lib/mecab/dic/open-jtalk/naist-jdic")
"""Debian's package open-jtalk-mecab-naist-jdic."""

CACHE_FOLDER = ".cache"
"""Where the folder of voices keeps what the frontends compile for themselves."""


def frontend_files(config: GptSovitsConfig) -> FrontendFiles:
    """What is configured; else what is found in the folder of pretrained files; else nothing."""
    pretrained = config.pretrained_dir
    roberta = _found(pretrained / official.ROBERTA)
    return FrontendFiles(
        # Its words are those of the RoBERTa: without that folder it cannot read.
        g2pw=(config.g2pw or _found(pretrained / official.G2PW)) if roberta else None,
        roberta=roberta,
        tagger=config.tagger,
        language_model=config.language_model or _found(pretrained / official.LANGUAGE_MODEL),
        open_jtalk=config.open_jtalk or _found(DEBIAN_JDIC),
        cache=config.voices_dir / CACHE_FOLDER,
    )


def _found(path: Path) -> Path | None:
    return path if path.exists() else None
