"""The checked-in stubs are those of `tts.proto`."""

from pathlib import Path

from tts.servers.proto import generate


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    generate.generate(tmp_path)
    made = tmp_path / "tts" / "servers" / "proto"
    for name in generate.STUBS:
        assert (made / name).read_bytes() == generate.PROTO.with_name(name).read_bytes(), name
