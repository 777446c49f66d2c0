"""Where the files that people meet lie: the page, the shipped personas.

In a checkout they are at its root; an installed wheel carries them under share/parley.
"""

import sysconfig
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent
_INSTALLED = Path(sysconfig.get_path("data")) / "share" / "parley"


def web_dir() -> Path:
    """Return the folder of the page's files; raises `FileNotFoundError`."""
    return _folder("web")


def personas_dir() -> Path:
    """Return the folder of the shipped personas; raises `FileNotFoundError`."""
    return _folder("personas")


def _folder(name: str) -> Path:
    for root in (_CHECKOUT, _INSTALLED):
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f'the folder "{name}" is neither in the checkout nor installed')
