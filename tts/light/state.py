"""What a light voice is made of, in a line: the packages that carry and speak it.

In: names of packages.  Out: `tts.types.Voice.state`.  Any thread.
"""

from importlib import metadata

FORMAT = 1
"""Raise it when code of this folder comes to speak the same request in another way."""


def state_of(*packages: str, gain_db: float) -> str:
    """One package that is not installed is told as such: a front end may do without it."""
    parts = [f"{name} {_version(name)}" for name in ("onnxruntime", *packages)]
    return "; ".join([f"light {FORMAT}", *parts, f"{gain_db} dB"])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
