"""`voices pull` against a hub of our own."""

import fcntl
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tts.pretrained.hub_server import (
    COMMIT,
    Cut,
    HubServer,
    Stall,
    Status,
    Whole,
    Wrong,
    serving,
)
from tts.pretrained import official, pulling
from tts.pretrained.download import TRIES
from tts.pretrained.hub import Checksum, Hub, PullError, RemoteFile, Unreachable
from tts.pretrained.pulling import G2PW_ARCHIVE, G2PW_REPOSITORY, Order, pull, survey
from tts.terminal import Terminal

pytestmark = pytest.mark.real

V2 = official.files(["v2"], chinese=False)
T2S, SOVITS = V2[:2]
LARGE_BYTES = 3_000_000


def content_of(path: str) -> bytes:
    size = LARGE_BYTES if path == SOVITS else 300 if path.endswith(".json") else 20_000
    return random.Random(path).randbytes(size)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with serving(HubServer()) as server:
        for path in official.files([*official.WEIGHTS], chinese=True):
            server.give(official.REPOSITORY, path, content_of(path))
        yield server


class Run:
    """One user's pulls into one folder."""

    def __init__(self, hub: HubServer, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.said = io.StringIO()
        self.waited_s: list[float] = []
        self.order = Order(versions=("v2",), folder=folder, chinese=False)

    def pull(self, *, replace_changed: bool = False, token: str = "") -> int:
        hub = Hub(self.hub.endpoint, token or None)
        return pull(
            self.order,
            hub,
            Terminal(self.said),
            replace_changed=replace_changed,
            wait=self.waited_s.append,
        )

    def states(self, *, thorough: bool = False) -> dict[str, str]:
        found = survey(self.order, Hub(self.hub.endpoint), Terminal(self.said), thorough=thorough)
        return {item.file.path: state.kind for item, state in found}

    @property
    def parts(self) -> list[Path]:
        """What has come of `SOVITS` while it is not whole."""
        return list(self.folder.rglob(f".{Path(SOVITS).name}.*.part"))

    @property
    def files(self) -> set[str]:
        """What lies in the folder, but the lock."""
        paths = (p for p in self.folder.rglob("*") if p.is_file())
        return {p.relative_to(self.folder).as_posix() for p in paths} - {".pull.lock"}


@pytest.fixture
def run(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("tts.pretrained.hub.get_token", lambda: None)  # not this machine's user's
    return Run(hub, tmp_path / "pretrained")


def test_a_pull_brings_every_file_with_the_hubs_bytes_and_records_it(run: Run) -> None:
    assert run.pull() == len(V2)
    assert run.files == {*V2, "pulled.json"}
    for path in V2:
        assert (run.folder / path).read_bytes() == content_of(path)
    record = json.loads((run.folder / "pulled.json").read_text())["files"][SOVITS]
    assert record["sha256"] == hashlib.sha256(content_of(SOVITS)).hexdigest()
    assert (record["size_bytes"], record["revision"]) == (LARGE_BYTES, "main")
    assert record["commit"] == COMMIT
    assert record["url"] == f"{run.hub.endpoint}/{official.REPOSITORY}/resolve/{COMMIT}/{SOVITS}"
    assert run.said.getvalue().splitlines() == [
        f"{path}: {len(content_of(path)) / 1e6:.1f} MB, checksum right" for path in V2
    ]


def test_each_version_brings_what_it_needs(run: Run) -> None:
    run.order = replace(run.order, versions=("v1", "v2ProPlus"), chinese=True)
    assert run.pull() == 11
    assert run.files == {
        "pulled.json",
        "s1bert25hz-2kh-longer-epoch=68e-step=50232.ckpt",
        "s2G488k.pth",
        "s1v3.ckpt",
        "v2Pro/s2Gv2ProPlus.pth",
        *official.HUBERT_FILES,
        official.SPEAKER,
        *official.ROBERTA_FILES,
    }


def test_a_second_pull_asks_the_hub_nothing(run: Run) -> None:
    run.pull()
    sent = dict(run.hub.sent_bytes)
    assert run.pull() == 0
    assert run.hub.described == 1
    assert run.hub.sent_bytes == sent


def test_a_right_file_that_is_there_already_is_kept_and_recorded(run: Run) -> None:
    (run.folder / SOVITS).parent.mkdir(parents=True)
    (run.folder / SOVITS).write_bytes(content_of(SOVITS))
    assert run.pull() == len(V2) - 1
    assert run.hub.ranges[SOVITS] == []
    assert run.pull() == 0
    assert run.hub.described == 1


def test_another_file_in_an_official_place_is_named_and_kept(run: Run) -> None:
    own = b"somebody's own"
    (run.folder / SOVITS).parent.mkdir(parents=True)
    (run.folder / SOVITS).write_bytes(own)
    with pytest.raises(PullError) as refused:
        run.pull()
    for part in (
        SOVITS,
        hashlib.sha256(own).hexdigest(),
        hashlib.sha256(content_of(SOVITS)).hexdigest(),
        "--replace",
    ):
        assert part in str(refused.value)
    assert (run.folder / SOVITS).read_bytes() == own
    assert run.hub.sent_bytes == {}
    assert run.pull(replace_changed=True) == len(V2)
    assert (run.folder / SOVITS).read_bytes() == content_of(SOVITS)


def test_a_file_that_changed_since_it_was_pulled_is_noticed(run: Run) -> None:
    run.pull()
    with (run.folder / T2S).open("ab") as file:
        file.write(b"!")
    with pytest.raises(PullError, match="changed since it was pulled: 20001 bytes"):
        run.pull()


def test_verifying_reads_what_looks_unchanged(run: Run) -> None:
    run.pull()
    path = run.folder / T2S
    before = path.stat()
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run.states()[T2S] == "here"
    assert run.states(thorough=True) == {p: "different" if p == T2S else "here" for p in V2}


def test_a_survey_before_the_first_pull_writes_nothing(run: Run) -> None:
    assert run.states() == dict.fromkeys(V2, "wanted")
    assert not run.folder.exists()


def test_another_revision_replaces_what_was_pulled(run: Run) -> None:
    run.pull()
    run.hub.revisions.add("v2.1")
    run.hub.give(official.REPOSITORY, T2S, b"newer" * 1000)
    run.order = replace(run.order, revision="v2.1")
    assert run.pull() == 1
    assert (run.folder / T2S).read_bytes() == b"newer" * 1000


def test_a_broken_connection_is_taken_up_where_it_broke(run: Run) -> None:
    run.hub.fail(SOVITS, Cut(1_000_000), Cut(500_000))
    run.pull()
    assert (run.folder / SOVITS).read_bytes() == content_of(SOVITS)
    assert run.hub.ranges[SOVITS] == ["", "bytes=1000000-", "bytes=1500000-"]
    assert run.hub.sent_bytes[SOVITS] == LARGE_BYTES
    assert run.waited_s == [1.0, 1.0]


def test_the_next_pull_goes_on_where_the_last_one_gave_up(run: Run) -> None:
    run.hub.fail(SOVITS, Cut(2_000_000), *[Cut(0)] * (TRIES - 1))
    with pytest.raises(Unreachable, match="what has come is kept"):
        run.pull()
    assert not (run.folder / SOVITS).exists()
    assert run.waited_s == [1.0, 2.0, 4.0, 8.0, 16.0]
    run.pull()
    assert (run.folder / SOVITS).read_bytes() == content_of(SOVITS)
    assert run.hub.ranges[SOVITS][-1] == "bytes=2000000-"
    assert run.hub.sent_bytes[SOVITS] == LARGE_BYTES
    assert f"{SOVITS}: going on at 2.0 MB" in run.said.getvalue()
    assert run.files == {*V2, "pulled.json"}


def test_a_killed_pull_leaves_nothing_that_looks_whole_and_is_taken_up(run: Run) -> None:
    told = threading.Event()
    run.hub.fail(SOVITS, Stall(1_500_000, told))
    command = [sys.executable, "-m", "tts", "voices", "pull", "v2", "--no-chinese"]
    process = subprocess.Popen(
        [*command, "--to", str(run.folder)],
        env={**os.environ, "HF_ENDPOINT": run.hub.endpoint, "HF_TOKEN": "x"},
    )
    try:
        while (have := sum(part.stat().st_size for part in run.parts)) < 1_000_000:
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        told.set()
    have = sum(part.stat().st_size for part in run.parts)
    assert run.files.isdisjoint({SOVITS})
    run.pull()
    assert (run.folder / SOVITS).read_bytes() == content_of(SOVITS)
    assert run.hub.ranges[SOVITS] == ["", f"bytes={have}-"]
    assert run.parts == []


def test_a_server_without_ranges_is_begun_anew(run: Run) -> None:
    run.hub.fail(SOVITS, Cut(1_000_000), Whole())
    run.pull()
    assert (run.folder / SOVITS).read_bytes() == content_of(SOVITS)
    assert run.hub.sent_bytes[SOVITS] == LARGE_BYTES + 1_000_000


@pytest.mark.parametrize("path", [SOVITS, official.HUBERT_FILES[0]])
def test_wrong_bytes_are_refused_and_removed(run: Run, path: str) -> None:
    run.hub.fail(path, Wrong())
    right = content_of(path)
    wrong = bytes(byte ^ 1 for byte in right)
    with pytest.raises(PullError) as refused:
        run.pull()
    sums = [hashlib.sha256(content).hexdigest() for content in (wrong, right)]
    if path != SOVITS:  # a small file, of which the hub states the checksum that git uses
        header = b"blob %d\0" % len(right)
        sums = [hashlib.sha1(header + content).hexdigest() for content in (wrong, right)]
    for part in (path, *sums):
        assert part in str(refused.value)
    assert not any(Path(path).name in name for name in run.files)
    run.pull()
    assert (run.folder / path).read_bytes() == right


def test_too_many_bytes_are_refused(run: Run) -> None:
    with serving(HubServer()) as liar:
        liar.give(official.REPOSITORY, "x", b"12345" * 400)
        file = Hub(liar.endpoint).files(official.REPOSITORY, "main")["x"]
        run.order = replace(run.order, versions=(), language_model=True)
        short = replace(file, size_bytes=1500, path=official.LANGUAGE_MODEL)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pulling, "LANGUAGE_MODEL", short)
            with pytest.raises(PullError, match="2000 bytes, but the hub states"):
                run.pull()


def test_a_busy_hub_is_asked_again_when_it_says(run: Run) -> None:
    run.hub.fail(official.REPOSITORY, Status(429, "7"), Status(500))
    run.hub.fail(SOVITS, Status(503), Status(429, "30"))
    assert run.pull() == len(V2)
    assert run.waited_s == [7.0, 2.0, 1.0, 30.0]


def test_a_hub_that_asks_for_much_patience_is_left_alone(run: Run) -> None:
    run.hub.fail(SOVITS, Status(429, "3600"))
    with pytest.raises(PullError, match="status 429 .1 try, and it asks to wait 3600 s"):
        run.pull()
    assert run.waited_s == []


def test_a_missing_repository_or_revision_is_named(run: Run) -> None:
    run.order = replace(run.order, revision="no-such")
    with pytest.raises(PullError, match="revision/no-such.*status 404"):
        run.pull()


def test_a_file_that_the_repository_lacks_is_named(run: Run) -> None:
    del run.hub.repositories[official.REPOSITORY][T2S]
    with pytest.raises(PullError, match=f"no file '{T2S}' at revision 'main'"):
        run.pull()


def test_a_token_goes_to_the_hub_and_nowhere_else(run: Run) -> None:
    run.hub.token = "secret"
    with pytest.raises(PullError, match="status 401, it wants a token; set HF_TOKEN"):
        run.pull()
    with pytest.raises(PullError, match="status 401, the token sent is not accepted"):
        run.pull(token="other")
    assert run.pull(token="secret") == len(V2)
    assert run.hub.told_store == [""] * len(V2)


@pytest.mark.parametrize("body", [b"<html>Log in to the wireless network</html>", b"{}", b"[1]"])
def test_something_that_is_no_hub_is_named(run: Run, body: bytes) -> None:
    run.hub.fail(official.REPOSITORY, Status(200, body=body))
    with pytest.raises(PullError, match="does not answer as a hub does.*is HF_ENDPOINT right"):
        run.pull()


def test_without_a_network_everything_that_is_there_still_counts(run: Run) -> None:
    run.pull()
    run.hub.endpoint = "http://127.0.0.1:9"
    assert run.pull() == 0
    assert run.states(thorough=True) == dict.fromkeys(V2, "here")


def test_a_full_disk_is_told_before_anything_is_fetched(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = sum(len(content_of(path)) for path in V2)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=total - 500_000))
    with pytest.raises(PullError, match=r"need 3.0 MB, but the disk has 2.5 MB left.*--to"):
        run.pull()
    assert run.hub.sent_bytes == {}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=total))
    assert run.pull() == len(V2)


def test_two_processes_fetch_each_file_once(run: Run) -> None:
    command = [sys.executable, "-m", "tts", "voices", "pull", "v2", "--no-chinese"]
    environment = {**os.environ, "HF_ENDPOINT": run.hub.endpoint, "HF_TOKEN": "x"}
    run.folder.mkdir()
    with (run.folder / ".pull.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        both = [
            subprocess.Popen(
                [*command, "--to", str(run.folder)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in both:  # each stands before the lock
            assert process.stderr is not None
            assert "another pull is at work here" in process.stderr.readline()
    ends = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    said = sorted(out.splitlines()[0].removeprefix(f"{run.folder}: ") for out, _ in ends)
    assert said == [
        f"{len(V2)} files fetched, all checksums right",
        "everything is here; nothing was fetched",
    ]
    assert run.hub.sent_bytes == {path: len(content_of(path)) for path in V2}
    assert run.files == {*V2, "pulled.json"}


def test_the_command_says_what_to_do_without_a_network(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tts", "voices", "pull", "v1", "--to", str(tmp_path)],
        env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "x"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    for part in (
        "http://127.0.0.1:9/api/models/lj1995/GPT-SoVITS/revision/main",
        "HF_ENDPOINT",
        "HTTPS_PROXY",
        f"put them into {tmp_path}",
        "    s2G488k.pth",
    ):
        assert part in ended.stderr


def test_a_proxy_is_used(hub: HubServer, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tts", "voices", "pull", "v2", "--dry-run", "--to", str(tmp_path)],
        env={
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            "HF_ENDPOINT": "http://hub.invalid",
            "HF_TOKEN": "x",
            "HTTP_PROXY": hub.endpoint,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == "to fetch: 8 files, 3.1 MB"
    assert hub.described == 1


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_the_chinese_reading_model_is_unpacked_and_its_archive_removed(run: Run) -> None:
    run.order = replace(run.order, versions=(), g2pw=True)
    run.hub.give(
        G2PW_REPOSITORY,
        G2PW_ARCHIVE,
        zipped({"G2PWModel_1.1/g2pW.onnx": b"model" * 999, "G2PWModel_1.1/x/chars.txt": b"a b"}),
    )
    brought = [f"{official.G2PW}/g2pW.onnx", f"{official.G2PW}/x/chars.txt"]
    assert run.pull() == 1 + len(official.HUBERT_FILES)
    assert run.files == {"pulled.json", *official.HUBERT_FILES, *brought}
    assert (run.folder / brought[0]).read_bytes() == b"model" * 999
    assert run.pull() == 0
    (run.folder / brought[1]).write_bytes(b"a c")
    with pytest.raises(PullError, match="chars.txt: changed since it was pulled"):
        run.pull()
    assert run.pull(replace_changed=True) == 1
    assert (run.folder / brought[1]).read_bytes() == b"a b"


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"not a zip file" * 100, "cannot be unpacked"),
        (zipped({"a/x": b"1", "b/x": b"2"}), r"not one folder, but \['a', 'b'\]"),
        (zipped({"../x": b"1"}), r"not one folder, but \['..'\]"),
        (zipped({"/x": b"1"}), r"not one folder, but \[''\]"),
    ],
)
def test_an_archive_that_is_not_one_folder_is_named(run: Run, archive: bytes, said: str) -> None:
    run.order = replace(run.order, versions=(), g2pw=True)
    run.hub.give(G2PW_REPOSITORY, G2PW_ARCHIVE, archive)
    with pytest.raises(PullError, match=f"G2PWModel.zip: {said}"):
        run.pull()
    assert not (run.folder / official.G2PW).exists()


def test_the_language_detector_is_checked_by_the_checksum_that_is_known(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pulling.LANGUAGE_MODEL.size_bytes == 131_266_198
    content = b"lid" * 5000
    run.hub.give("a/b", "lid.176.bin", content)
    file = RemoteFile(
        path=official.LANGUAGE_MODEL,
        url=f"{run.hub.endpoint}/a/b/resolve/{COMMIT}/lid.176.bin",
        size_bytes=len(content),
        checksum=Checksum("sha256", hashlib.sha256(content).hexdigest()),
        commit="",
    )
    monkeypatch.setattr(pulling, "LANGUAGE_MODEL", file)
    run.order = replace(run.order, versions=(), language_model=True)
    assert run.pull() == 1 + len(official.HUBERT_FILES)
    assert (run.folder / official.LANGUAGE_MODEL).read_bytes() == content


def test_a_damaged_record_is_named(run: Run) -> None:
    run.pull()
    (run.folder / "pulled.json").write_text("{")
    with pytest.raises(Exception, match=r"pulled.json: not a record of pulled files .*delete it"):
        run.pull()
