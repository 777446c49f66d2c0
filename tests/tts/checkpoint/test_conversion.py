"""A checkpoint turned into safetensors is the same checkpoint."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tts.checkpoint.files import CKPT, VERSIONS, golden_checkpoint, with_hparams
from tts.checkpoint import CheckpointError, convert, describe, read
from tts.checkpoint import conversion as conversion_module

pytestmark = pytest.mark.golden

FILES = [f"sovits_{v}.pth" for v in VERSIONS] + [f"t2s_{v}.ckpt" for v in VERSIONS]


@pytest.mark.parametrize("name", FILES)
def test_the_converted_file_holds_the_same_model(name: str, tmp_path: Path) -> None:
    out = tmp_path / "voice.safetensors"
    digest = convert(CKPT / name, out)
    assert digest == hashlib.sha256(out.read_bytes()).hexdigest()
    before, after = golden_checkpoint(name), read(out)
    assert (after.spec, after.info) == (before.spec, before.info)
    assert set(after.tensors) == set(before.tensors)
    for key, array in before.tensors.items():
        assert after.tensors[key].dtype == array.dtype
        np.testing.assert_array_equal(after.tensors[key], array)


def test_only_the_format_of_the_description_changes(tmp_path: Path) -> None:
    out = tmp_path / "voice.safetensors"
    convert(CKPT / "sovits_v2Pro.pth", out)
    before, after = describe(CKPT / "sovits_v2Pro.pth"), describe(out)
    assert (before.format, after.format) == ("torch", "safetensors")
    assert (after.kind, after.version, after.spec) == (before.kind, before.version, before.spec)
    assert (after.parameters, after.dtypes) == (before.parameters, before.dtypes)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = {
        convert(CKPT / "sovits_v2.pth", tmp_path / "a"),
        convert(with_hparams("v2", tmp_path), tmp_path / "b"),
        convert(tmp_path / "a", tmp_path / "c"),
    }
    assert len(digests) == 1


def test_the_layout_is_that_of_safetensors(tmp_path: Path) -> None:
    out = tmp_path / "voice.safetensors"
    convert(CKPT / "t2s_v1.ckpt", out)
    data = out.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    assert all(isinstance(v, str) for v in header.pop("__metadata__").values())
    ends = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    assert [a for a, _ in ends] == [0, *(b for _, b in ends[:-1])]
    assert ends[-1][1] == len(data) - 8 - length
    begin, end = header["ar_predict_layer.weight"]["data_offsets"]
    expected = golden_checkpoint("t2s_v1.ckpt").tensors["ar_predict_layer.weight"]
    assert data[8 + length + begin : 8 + length + end] == expected.tobytes()


def test_a_conversion_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "voice.safetensors"
    out.write_bytes(b"before")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion_module, "write_plain", full)
    with pytest.raises(OSError, match="No space left"):
        convert(CKPT / "t2s_v1.ckpt", out)
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_is_no_checkpoint_is_not_converted(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"<!DOCTYPE html>" + b" " * 100)
    with pytest.raises(CheckpointError, match="a web page"):
        convert(tmp_path / "a.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def rewritten(folder: Path, change: Any) -> Path:
    """The converted T2S v1 file with a changed header."""
    source = folder / "source"
    convert(CKPT / "t2s_v1.ckpt", source)
    data = source.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    changed = change(header) or header
    encoded = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    path = folder / "a.safetensors"
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data[8 + length :])
    return path


BIAS = "bert_proj.bias"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h.pop("__metadata__") and None, "a safetensors file that Parley did not write"),
        (lambda h: h[BIAS].update(shape=[31]), "takes 62 bytes, its place has 64"),
        (lambda h: h[BIAS].update(shape=[2**50, 2**50]), "of a storage that has 32"),
        (lambda h: h[BIAS].update(shape=[-32]), "the size -32"),
        (lambda h: h[BIAS].update(dtype="F99"), "has the unknown dtype 'F99'"),
        (lambda h: h[BIAS].update(dtype="I16"), "holds I16"),
        (lambda h: h[BIAS].pop("shape") and None, "is no tensor"),
        (lambda h: h[BIAS].update(data_offsets=[0, 64]), "begins at"),
        (lambda h: h[BIAS].update(data_offsets=[64, 0]), "of a storage that has 0"),
        (lambda h: h.pop(BIAS) and None, "begins at"),
        (lambda h: h["__metadata__"].update(config="{"), "its config is not JSON"),
        (lambda h: h["__metadata__"].update(config="[]"), "its 'config' is a list, not a dict"),
        (lambda h: h["__metadata__"].update(config="{}"), "config model.head is missing"),
        (lambda h: b"{" * 200000, "its header is damaged: it is not JSON"),
        (lambda h: b"[" * 200000, "a text file, not a checkpoint"),
        (lambda h: b'{"a":' + b"[" * 200000, "its header is damaged: it is not JSON"),
        (lambda h: b"{" + b" " * (1 << 20), "its header has 1048577 bytes"),
    ],
)
def test_a_damaged_safetensors_header_is_refused(change: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as refusal:
        read(rewritten(tmp_path, change))
    assert reason in str(refusal.value)


def test_a_safetensors_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    source = tmp_path / "a.safetensors"
    convert(CKPT / "t2s_v1.ckpt", source)
    whole = source.read_bytes()
    for kept in (len(whole) - 1, len(whole) // 2, 1000):
        source.write_bytes(whole[:kept])
        with pytest.raises(CheckpointError, match="it is cut off"):
            read(source)


def test_a_name_decides_nothing(tmp_path: Path) -> None:
    shutil.copy(CKPT / "t2s_v1.ckpt", tmp_path / "a.safetensors")
    assert read(tmp_path / "a.safetensors").spec == read(CKPT / "t2s_v1.ckpt").spec
