"""Brings the official pretrained files into a folder: finds, checks, fetches, records.

In: an `Order`.  Out: the files, laid out as upstream lays them out, and `pulled.json`.  A file that
is on record, for the revision asked for, and did not change is not asked about again, so that a
second pull needs no network; any other file on disk is read and compared with what the hub states.
One pull at a time works in a folder.  Blocks; one thread.
"""

import fcntl
import shutil
import time
import zipfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from tts.pretrained import official
from tts.pretrained.download import Patience, digest_of, fetch, matches, part_of
from tts.pretrained.hub import Checksum, Hub, PullError, RemoteFile, TryAgain
from tts.pretrained.record import Record, load_records, save_records
from tts.terminal import Terminal, megabytes, minutes

G2PW_REPOSITORY = "XXXXRT/GPT-SoVITS-Pretrained"
G2PW_ARCHIVE = "G2PWModel.zip"
LANGUAGE_MODEL = RemoteFile(
    path=official.LANGUAGE_MODEL,
    url="https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.bin",
    size_bytes=131_266_198,
    checksum=Checksum("sha256", "7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e"),
    commit="",
)
"""fastText's own file.  Its publisher states no checksum; this one is what many projects pin."""

_LOCK = ".pull.lock"
# Whoever has no network should not wait long to hear so.
_LISTING_TRIES = 3
# The archive is a model, which hardly packs: room for it beside what comes out of it.
_ROOM_PER_ARCHIVE_BYTE = 2.2


@dataclass(frozen=True, slots=True)
class Order:
    """What to pull, and to where."""

    versions: tuple[str, ...]
    folder: Path
    revision: str = "main"
    chinese: bool = True
    """With the Chinese language model (650 MB)."""
    g2pw: bool = False
    language_model: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One file of an order."""

    file: RemoteFile
    revision: str
    unpacked: str = ""
    """For an archive, the folder that it becomes."""


@dataclass(frozen=True, slots=True)
class State:
    """How an item lies on the disk."""

    kind: Literal["here", "wanted", "different"]
    said: str


class Report:
    """Tells a person how far a pull is; see `tts.pretrained.download.Progress`."""

    def __init__(
        self, terminal: Terminal, total_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal = terminal
        self._total_bytes = total_bytes
        self._clock = clock
        self._began_s = clock()
        self._come_bytes = 0
        self._file: RemoteFile | None = None
        self._have_bytes = 0

    def begin(self, file: RemoteFile, have_bytes: int) -> None:
        """Name the file whose bytes come next."""
        self._file, self._have_bytes = file, have_bytes
        if have_bytes:
            self._terminal.say(f"{file.path}: going on at {megabytes(have_bytes)}")

    def advance(self, count: int) -> None:
        """Show bytes, rate and time left."""
        assert self._file is not None
        self._have_bytes += count
        self._come_bytes += count
        rate = self._come_bytes / max(self._clock() - self._began_s, 1e-3)
        left_s = (self._total_bytes - self._come_bytes) / max(rate, 1.0)
        self._terminal.show(
            f"{PurePosixPath(self._file.path).name} {megabytes(self._have_bytes)} of "
            f"{megabytes(self._file.size_bytes)}; in all {megabytes(self._come_bytes)} of "
            f"{megabytes(self._total_bytes)}, {megabytes(max(rate, 0))}/s, "
            f"{minutes(max(left_s, 0))} left"
        )

    def waiting(self, reason: str, wait_s: float) -> None:
        """Say why nothing comes."""
        self._terminal.say(f"{reason}; trying again in {wait_s:.0f} s")


def pull(
    order: Order,
    hub: Hub,
    terminal: Terminal,
    *,
    replace_changed: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Bring everything that is missing, and return how many files that were.

    Raises `PullError`: before anything is fetched when a file on disk is another one than the
    official (unless it may be replaced) or the disk has no room; later when one cannot be had.
    """
    order.folder.mkdir(parents=True, exist_ok=True)
    with _alone(order.folder, terminal):
        records = load_records(order.folder)
        items = find(order, records, hub, terminal, wait)
        states = [look(item, order.folder, records, thorough=False) for item in items]
        save_records(order.folder, records)
        changed = [state.said for state in states if state.kind == "different"]
        if changed and not replace_changed:
            raise PullError(
                "nothing was fetched, to not overwrite these; move them away or say --replace:\n  "
                + "\n  ".join(changed)
            )
        wanted = [i for i, state in zip(items, states, strict=True) if state.kind != "here"]
        _check_room(order.folder, wanted)
        report = Report(terminal, sum(_bytes_to_come(item, order.folder) for item in wanted))
        for item in wanted:
            _obtain(item, order.folder, records, hub, report, wait)
            save_records(order.folder, records)
            terminal.say(f"{item.file.path}: {megabytes(item.file.size_bytes)}, checksum right")
    return len(wanted)


def survey(
    order: Order,
    hub: Hub,
    terminal: Terminal,
    *,
    thorough: bool,
    wait: Callable[[float], None] = time.sleep,
) -> list[tuple[Item, State]]:
    """How everything ordered lies on the disk; fetches and writes nothing.

    `thorough` reads every file anew, also those that look unchanged.  Raises `PullError`.
    """
    records = load_records(order.folder)
    items = find(order, records, hub, terminal, wait)
    return [(item, look(item, order.folder, records, thorough=thorough)) for item in items]


def find(
    order: Order,
    records: dict[str, Record],
    hub: Hub,
    terminal: Terminal,
    wait: Callable[[float], None],
) -> list[Item]:
    """The ordered files, as the records or else the hub describe them.  Raises `PullError`."""

    def listed(repository: str, paths: Sequence[str], revision: str) -> list[RemoteFile]:
        found = {path: _known(path, revision, records) for path in paths}
        unknown = [path for path, file in found.items() if file is None]
        if unknown:
            there = _listing(hub, repository, revision, terminal, wait)
            for path in unknown:
                if path not in there:
                    raise PullError(
                        f"{repository} on {hub.endpoint} has no file {path!r} at revision "
                        f"{revision!r}; is this the right repository, and --revision?"
                    )
                found[path] = there[path]
        return [file for file in found.values() if file is not None]

    paths = official.files(order.versions, chinese=order.chinese)
    items = [
        Item(file, order.revision) for file in listed(official.REPOSITORY, paths, order.revision)
    ]
    if order.g2pw:
        archive = listed(G2PW_REPOSITORY, [G2PW_ARCHIVE], "main")[0]
        items.append(Item(archive, "main", unpacked=official.G2PW))
    if order.language_model:
        items.append(Item(LANGUAGE_MODEL, ""))
    return items


def look(item: Item, folder: Path, records: dict[str, Record], *, thorough: bool) -> State:
    """How one item lies on the disk.  A right file without a record gets one."""
    if item.unpacked:
        return _look_inside(item, folder, records, thorough)
    file, path = item.file, folder / item.file.path
    record = records.get(file.path)
    if not path.is_file():
        return State("wanted", f"{file.path}: missing")
    ours = record is not None and record.is_unchanged(path)
    if record is not None and ours and record.revision == item.revision and not thorough:
        return State("here", f"{file.path}: here, unchanged since it was checked")
    digest = digest_of(path)
    if matches(digest, file.checksum):
        records[file.path] = _record(path, file, item.revision, digest.sha256)
        return State("here", f"{file.path}: here, checksum right")
    if record is not None and ours and digest.sha256 == record.sha256:
        return State("wanted", f"{file.path}: here as of revision {record.revision!r}")
    why = "not the official file" if record is None else "changed since it was pulled"
    return State(
        "different",
        f"{file.path}: {why}: {path.stat().st_size} bytes with {file.checksum.kind} "
        f"{digest.of_kind(file.checksum.kind)}, not {file.size_bytes} bytes with "
        f"{file.checksum.hex}",
    )


def by_hand(order: Order, hub: Hub) -> str:
    """What to do when the hub cannot be reached."""
    paths = official.files(order.versions, chinese=order.chinese)
    lines = [
        "What can be done:",
        "- ask a mirror of the hub: set HF_ENDPOINT, for example to https://hf-mirror.com;",
        "- go through a proxy: set HTTPS_PROXY to its address;",
        f"- or bring the files from {hub.endpoint}/{official.REPOSITORY} on another machine, and",
        f"  put them into {order.folder} under the same names; nothing else is needed:",
        *(f"    {path}" for path in paths),
    ]
    if order.g2pw:
        lines.append(
            f"    {official.G2PW}/ (unpacked from {hub.endpoint}/{G2PW_REPOSITORY}: {G2PW_ARCHIVE})"
        )
    if order.language_model:
        lines.append(f"    {LANGUAGE_MODEL.path} (from {LANGUAGE_MODEL.url})")
    return "\n".join(lines)


@contextmanager
def _alone(folder: Path, terminal: Terminal) -> Generator[None]:
    """Hold the folder's lock, which ends with the process at the latest."""
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            terminal.say(f"{folder}: another pull is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _known(path: str, revision: str, records: dict[str, Record]) -> RemoteFile | None:
    """A file as it stands on record for this revision."""
    record = records.get(path)
    if record is None or record.revision != revision:
        return None
    checksum = Checksum("sha256", record.sha256)
    return RemoteFile(path, record.url, record.size_bytes, checksum, record.commit)


def _listing(
    hub: Hub,
    repository: str,
    revision: str,
    terminal: Terminal,
    wait: Callable[[float], None],
) -> dict[str, RemoteFile]:
    patience = Patience(
        wait,
        lambda reason, wait_s: terminal.say(f"{reason}; trying again in {wait_s:.0f} s"),
        tries=_LISTING_TRIES,
    )
    while True:
        try:
            return hub.files(repository, revision)
        except TryAgain as error:
            patience.failed(error)


def _record(path: Path, file: RemoteFile, revision: str, sha256: str, archive: str = "") -> Record:
    found = path.stat()
    return Record(
        found.st_size, sha256, file.url, revision, file.commit, found.st_mtime_ns, archive
    )


def _look_inside(item: Item, folder: Path, records: dict[str, Record], thorough: bool) -> State:
    """How an unpacked archive lies on the disk."""
    inside = {p: record for p, record in records.items() if record.archive == item.file.path}
    if not inside:
        if (folder / item.unpacked).exists():
            return State("here", f"{item.unpacked}: here, put there by somebody, not checked")
        return State("wanted", f"{item.unpacked}: missing")
    for name, record in inside.items():
        path = folder / name
        if not path.is_file():
            return State("wanted", f"{name}: missing")
        if record.is_unchanged(path) and not thorough:
            continue
        sha256 = digest_of(path).sha256
        if sha256 != record.sha256:
            return State(
                "different",
                f"{name}: changed since it was pulled: sha256 {sha256}, not {record.sha256}",
            )
    return State("here", f"{item.unpacked}: here, {len(inside)} files as they were unpacked")


def _bytes_to_come(item: Item, folder: Path) -> int:
    part = part_of(item.file, folder / item.file.path)
    have_bytes = part.stat().st_size if part.exists() else 0
    return max(0, item.file.size_bytes - have_bytes)


def _check_room(folder: Path, items: Sequence[Item]) -> None:
    needed = 0
    for item in items:
        room = item.file.size_bytes * (_ROOM_PER_ARCHIVE_BYTE - 1) if item.unpacked else 0
        needed += _bytes_to_come(item, folder) + round(room)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PullError(
            f"{folder}: the files need {megabytes(needed)}, but the disk has "
            f"{megabytes(free)} left; make room, or name another folder with --to"
        )


def _obtain(
    item: Item,
    folder: Path,
    records: dict[str, Record],
    hub: Hub,
    report: Report,
    wait: Callable[[float], None],
) -> None:
    """Fetch one item, unpack it if it is an archive, and put it on record."""
    target = folder / item.file.path
    sha256 = fetch(hub, item.file, target, report, wait)
    records[item.file.path] = _record(target, item.file, item.revision, sha256)
    if not item.unpacked:
        return
    for name in [name for name, record in records.items() if record.archive == item.file.path]:
        del records[name]
    for path in _unpack(target, folder / item.unpacked):
        name = path.relative_to(folder).as_posix()
        records[name] = _record(
            path, item.file, item.revision, digest_of(path).sha256, item.file.path
        )
    target.unlink()


def _unpack(archive: Path, folder: Path) -> list[Path]:
    """Make `folder` of the one folder in a zip file, in one step; the files in it, sorted.

    Raises `PullError` for a file that is not that.
    """
    new, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for rest in (new, old):
        shutil.rmtree(rest, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            tops = {name.split("/", 1)[0] for name in packed.namelist()}
            if len(tops) != 1 or tops & {"", ".", ".."}:
                raise PullError(f"{archive}: not one folder, but {sorted(tops)}")
            packed.extractall(new)  # drops ".." and leading slashes from names
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise PullError(f"{archive}: cannot be unpacked: {error}") from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(old)
    (new / tops.pop()).rename(folder)
    for rest in (new, old):
        shutil.rmtree(rest, ignore_errors=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())
