"""Names that a stranger gives of files: what lies inside a folder that is meant for it, or nothing.

In: such a folder and a name.  Out: the path of a file in it, or `BadRequest`.  A name never reaches
anything else: no absolute path, no "..", no symbolic link on the way.  Blocking; any thread.
"""

from pathlib import Path, PurePosixPath

from tts.errors import BadRequest
from tts.pretrained.official import PREFIX, WEIGHTS


def file_inside(folder: Path | None, name: str, *, field: str) -> Path:
    """A file by its name.  Raises `BadRequest` naming `field` for what may not be named."""
    shown = repr(name if len(name) <= 200 else name[:200] + "…")
    if folder is None:
        raise BadRequest(f"{field} = {shown}: no folder is set up that files may be named in")
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or "\\" in name or name.startswith("/") or ".." in parts:
        raise BadRequest(f"{field} = {shown}: allowed is the name of a file in the folder for it")
    path = folder
    try:
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise BadRequest(f"{field} = {shown}: it is a symbolic link, which is not followed")
        is_there = path.is_file()
    except OSError:  # a name that no file can have
        is_there = False
    if not is_there:
        raise BadRequest(f"{field} = {shown}: there is no such file in the folder for it")
    return path


def weights_named(weights_dir: Path | None, name: str, *, field: str) -> str:
    """Weights as a manifest names them: official ones, or a file in the folder for others.

    "official:v2" and "v2" mean the same.  Raises `BadRequest`.
    """
    version = name.removeprefix(PREFIX)
    if version in WEIGHTS:
        return PREFIX + version
    if name.startswith(PREFIX) or weights_dir is None:
        raise BadRequest(f"{field} = {name!r}: allowed are {', '.join(WEIGHTS)}")
    return str(file_inside(weights_dir, name, field=field).absolute())
