"""pulled.json: what was pulled into a folder of pretrained files, from where, with which bytes.

In and out: `Record`s by path below the folder.  The record lets a later pull know a file that did
not change without reading it, and lets anybody check a file with common tools.  Blocks; whoever
writes holds the folder's lock.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tts.voices.errors import VoiceError

NAME = "pulled.json"


@dataclass(frozen=True, slots=True)
class Record:
    """One file, as it was when it had been checked."""

    size_bytes: int
    sha256: str
    url: str
    revision: str
    """As it was asked for: a branch, a tag or a commit."""
    commit: str
    """What that was; empty for a file from elsewhere than a repository."""
    changed_ns: int
    """The file's time of last change."""
    archive: str = ""
    """The archive that the file was unpacked from, in its repository."""

    def is_unchanged(self, path: Path) -> bool:
        """Whether size and time of the file on disk are those on record."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.changed_ns)


def load_records(folder: Path) -> dict[str, Record]:
    """The records of a folder, none if nothing was pulled.  Raises `VoiceError`."""
    path = folder / NAME
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return {name: Record(**fields) for name, fields in said["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise VoiceError(
            f"{path}: not a record of pulled files ({error}); delete it, and pull again: "
            "the files are then checked by reading them"
        ) from error


def save_records(folder: Path, records: Mapping[str, Record]) -> None:
    """Write all records, in one step."""
    said = {"files": {name: asdict(records[name]) for name in sorted(records)}}
    new = folder / f".{NAME}.new"
    new.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(new, folder / NAME)
