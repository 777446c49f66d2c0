"""Broken and malicious files: each is refused with its own reason, and none runs anything."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.tts.checkpoint.files import hostile_files
from tts.checkpoint import (
    Checkpoint,
    CheckpointError,
    WrongKind,
    describe,
    read,
    read_sovits,
    read_t2s,
)

LOADS = {"good_nano_v2.pth", "good_nano_t2s.ckpt", "dtype_float64.ckpt", "missing_prefix.ckpt"}

REFUSED = {
    "pickle_os_system.pth": "it asks for 'posix.system'",
    "pickle_builtins_eval.pth": "it asks for '__builtin__.eval'",
    "pickle_getattr_chain.pth": "it asks for '__builtin__.getattr'",
    "pickle_subprocess.ckpt": "it asks for 'commands.check_output'",
    "pickle_os_system_header05.pth": "it asks for 'posix.system'",
    "pickle_legacy_not_zip.pth": "a file of the old torch format",
    "plain_pickle.pth": "a bare pickle",
    "pickle_dotted_utils.pth": "it asks for 'utils.os.system'",
    "pickle_dotted_torch.pth": "it asks for 'torch.serialization.os.system'",
    "hparams_odd_attributes.pth": "the tensor 'enc_p.text_embedding.weight' is missing",
    "truncated_60pct.ckpt": "it is cut off or damaged: the zip directory at its end is missing",
    "truncated_tail.ckpt": "it is cut off or damaged: the zip directory at its end is missing",
    "bitflip_crc.ckpt": "it is damaged: Bad CRC-32",
    "huge_shape_small_data.pth": "its tensors claim 8796093022208 bytes",
    "stride_out_of_bounds.pth": "reaches element 1048575 of a storage that has 16",
    "stride_zero_blowup.pth": "shows 4294967296 elements of a storage that has 1",
    "negative_size.pth": "a tensor has the size -1",
    "deflate_bomb_128MiB.pth": "is compressed (134217728 bytes out of",
    "nan_weights.ckpt": "is not finite",
    "nan_single.ckpt": "is not finite: 1 of",
    "inf_weights.ckpt": "is not finite",
    "dtype_int64.ckpt": "holds I64",
    "dtype_bool.ckpt": "holds BOOL",
    "dtype_complex64.ckpt": "holds C64",
    "weight_not_tensor.ckpt": "is a str, not a tensor",
    "missing_key.ckpt": "the tensor 'ar_audio_embedding.word_embeddings.weight' is missing",
    "unexpected_key.ckpt": "one tensor is not part of it",
    "shape_mismatch.ckpt": "have 7 (ar_audio_embedding.word_embeddings.weight [1025, 7])",
    "config_contradicts_weights.ckpt": "config model.hidden_dim is 65536, but the weights have 8",
    "config_head_does_not_divide.ckpt": "config model.head is 3, which does not divide the width 8",
    "no_weight.ckpt": "it has no 'weight'",
    "no_config.ckpt": "it has no 'config'",
    "weight_is_list.ckpt": "its 'weight' is a list",
    "missing_key.pth": "the tensor 'enc_p.proj.weight' is missing",
    "missing_half_of_weight_norm.pth": "one tensor is missing: 'dec.ups.0.weight_g'",
    "config_upsample_zero.pth": "config model.upsample_rates is 0; it must be 1 or more",
    "bare_tensor.pth": "it holds a single tensor",
    "html_error_page.pth": "a web page, not a checkpoint",
    "git_lfs_pointer.pth": "a Git LFS pointer",
    "empty.pth": "an empty file (0 bytes)",
    "only_pk.pth": "a file of 2 bytes",
    "only_header05.pth": "a file of 2 bytes",
    "random_bytes.pth": "no checkpoint of any known format",
    "header_99.pth": "the unknown version mark '99'",
    "header05_on_v2.pth": "its first bytes say v2Pro, its weights are those of v2",
    "zip_path_traversal.pth": "points outside of the archive",
    "pickle_malformed_deep.pth": "its pickle is malformed: the stack is empty",
    "pickle_nested_lists.pth": "it holds a list, not a checkpoint",
}

# A T2S model under another name is a good file; only who asks for a SoVITS one refuses it.
OF_THE_OTHER_KIND = {"t2s_file_named_pth.pth"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    expected = hostile_files(folder)
    assert set(expected) == LOADS | set(REFUSED) | OF_THE_OTHER_KIND
    return folder


@pytest.fixture
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder in which starting anything fails the test."""

    def ran(*arguments: object, **named: object) -> None:
        raise AssertionError(f"the file ran {arguments}")

    for module, name in ((os, "system"), (os, "popen"), (subprocess, "Popen")):
        monkeypatch.setattr(module, name, ran)
    monkeypatch.setitem(sys.modules, "posix", None)
    monkeypatch.setitem(sys.modules, "utils", None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(REFUSED))
@pytest.mark.parametrize("ask", [read, read_t2s, read_sovits])
def test_a_hostile_file_is_refused_with_its_reason_and_runs_nothing(
    ask: object, name: str, hostile: Path, nothing_runs: Path
) -> None:
    assert callable(ask)
    with pytest.raises(CheckpointError) as refusal:
        ask(hostile / name)
    assert str(refusal.value).startswith(f"{name}: ")
    assert REFUSED[name] in str(refusal.value)
    assert list(nothing_runs.iterdir()) == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_describing_a_hostile_file_runs_nothing(
    name: str, hostile: Path, nothing_runs: Path
) -> None:
    try:
        describe(hostile / name)
    except CheckpointError as refusal:
        assert REFUSED[name] in str(refusal)
    else:  # only what is wrong with the values is not seen without reading them
        assert "is not finite" in REFUSED[name] or "Bad CRC" in REFUSED[name]
    assert list(nothing_runs.iterdir()) == []


@pytest.mark.parametrize("name", sorted(LOADS | OF_THE_OTHER_KIND))
def test_a_sound_file_among_them_loads(name: str, hostile: Path, nothing_runs: Path) -> None:
    checkpoint = read(hostile / name)
    assert isinstance(checkpoint, Checkpoint)
    assert describe(hostile / name).spec == checkpoint.spec
    assert list(nothing_runs.iterdir()) == []


def test_a_model_of_the_other_kind_is_named(hostile: Path) -> None:
    with pytest.raises(WrongKind, match="t2s_file_named_pth.pth: a T2S checkpoint"):
        read_sovits(hostile / "t2s_file_named_pth.pth")
    with pytest.raises(WrongKind, match="good_nano_v2.pth: a SoVITS checkpoint"):
        read_t2s(hostile / "good_nano_v2.pth")


@pytest.mark.golden
@pytest.mark.parametrize("name", sorted(LOADS | set(REFUSED)))
def test_no_file_takes_more_memory_than_stated(name: str, hostile: Path) -> None:
    tracemalloc.start()
    try:
        read(hostile / name)
    except CheckpointError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak <= 4 * (hostile / name).stat().st_size + (64 << 20)
