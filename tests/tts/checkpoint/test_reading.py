"""Checkpoints in upstream's formats: what is read off them, and what is refused."""

import json
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tts.checkpoint.files import (
    CKPT,
    MARKS,
    VERSIONS,
    Call,
    Named,
    Stored,
    golden_checkpoint,
    pickled,
    records_of,
    save,
    with_hparams,
    write_zip,
)
from tts.checkpoint import (
    CheckpointError,
    NeedsBase,
    UnsupportedVersion,
    describe,
    read,
    read_sovits,
    read_state,
    read_t2s,
)
from tts.checkpoint.layout import sovits_table, t2s_table
from tts.checkpoint.pickles import read_pickle
from tts.checkpoint.sizes import Seen, sovits_spec, t2s_spec
from tts.checkpoint.tensors import ITEM_BYTES, Storage, TensorRef, view
from tts.spec import SovitsSpec, T2sSpec

pytestmark = pytest.mark.golden

ALL_LANGUAGES = ("zh", "en", "ja", "ko", "yue")

SOVITS_CONFIG: dict[Any, Any] = {
    "data": {"sampling_rate": 32000, "filter_length": 2048, "hop_length": 640},
    "model": {
        "upsample_rates": [10, 8, 2, 2, 2],
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    },
}
T2S_CONFIG: dict[Any, Any] = {"data": {"max_sec": 54}, "model": {"head": 16}}


def golden(version: str) -> Path:
    return CKPT / f"sovits_{version}.pth"


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A small SoVITS v2 file after `change(weight, config)`."""
    tensors = golden_checkpoint("sovits_v2.pth").tensors
    weight: dict[str, Any] = {name: Stored.of(array) for name, array in tensors.items()}
    config = json.loads(json.dumps(SOVITS_CONFIG))
    change(weight, config)
    return save(path, {"weight": weight, "config": config, "info": "8epoch"})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_told_by_what_is_in_the_file(version: str) -> None:
    checkpoint = golden_checkpoint(f"sovits_{version}.pth")
    assert checkpoint.spec.version == version
    assert checkpoint.info == "8epoch_216iteration"
    assert set(checkpoint.tensors) == set(sovits_table(checkpoint.spec))
    assert {array.dtype.name for array in checkpoint.tensors.values()} == {"float16"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pickled_hparams_config_gives_the_same_model(version: str, tmp_path: Path) -> None:
    plain, other = (
        golden_checkpoint(f"sovits_{version}.pth"),
        read_sovits(with_hparams(version, tmp_path)),
    )
    assert other.spec == plain.spec
    assert list(other.tensors) == list(plain.tensors)
    for name, array in plain.tensors.items():
        np.testing.assert_array_equal(other.tensors[name], array)


def test_the_values_are_those_in_the_file() -> None:
    _, records = records_of(golden("v1"))
    tensors = golden_checkpoint("sovits_v1.pth").tensors
    weight = tensors["enc_p.ssl_proj.weight"]
    assert weight.shape == (20, 24, 1)
    assert weight.tobytes() == records["data/0"]
    assert tensors["enc_p.ssl_proj.bias"].tobytes() == records["data/1"]
    assert sum(array.nbytes for array in tensors.values()) == sum(map(len, records.values()))


def test_the_arrays_can_be_written_to() -> None:
    assert all(array.flags.writeable for array in read_t2s(CKPT / "t2s_v1.ckpt").tensors.values())


def test_the_sizes_are_read_off_the_shapes() -> None:
    assert golden_checkpoint("sovits_v2ProPlus.pth").spec == SovitsSpec(
        version="v2ProPlus",
        symbols=732,
        sample_rate_hz=32000,
        hop_samples=640,
        hidden=16,
        filters=40,
        heads=2,
        layers=4,
        kernel=3,
        latent=12,
        gin=28,
        ssl=24,
        mrte_hidden=24,
        style_hidden=20,
        reference_bins=704,
        speaker=1280,
        upsample_initial=48,
        upsample_rates=(10, 8, 2, 2, 2),
        upsample_kernels=(20, 16, 8, 2, 2),
        resblock_kernels=(3, 7, 11),
        resblock_dilations=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    )


@pytest.mark.parametrize(
    ("version", "hidden", "heads", "layers", "phones"),
    [
        ("v1", 32, 4, 2, 512),
        ("v2", 48, 4, 2, 732),
        ("v2Pro", 48, 2, 3, 732),
        ("v2ProPlus", 48, 8, 2, 732),
    ],
)
def test_a_t2s_file_is_read(
    version: str, hidden: int, heads: int, layers: int, phones: int
) -> None:
    checkpoint = read_t2s(CKPT / f"t2s_{version}.ckpt")
    assert checkpoint.spec == T2sSpec(
        hidden=hidden,
        heads=heads,
        layers=layers,
        ffn=4 * hidden,
        phones=phones,
        vocabulary=1025,
        eos=1024,
        bert=1024,
        max_sec=54.0,
    )
    assert checkpoint.info == "GPT-e15"
    assert set(checkpoint.tensors) == set(t2s_table(checkpoint.spec))


def seen(shapes: dict[str, list[int]], config: dict[Any, Any]) -> Seen:
    return Seen({name: tuple(shape) for name, shape in shapes.items()}, config)


@pytest.mark.parametrize(
    ("version", "parameters"),
    [("v1", 40778112), ("v2", 40815744), ("v2Pro", 65788032), ("v2ProPlus", 84698368)],
)
def test_full_size_models_have_their_known_tensors(version: str, parameters: int) -> None:
    shapes = json.loads((CKPT / "shapes" / f"{version}.json").read_text())
    sovits, told = sovits_spec(seen(shapes["sovits"], SOVITS_CONFIG), ())
    assert (sovits.version, told.name) == (version, version)
    assert (sovits.hidden, sovits.filters, sovits.heads, sovits.layers) == (192, 768, 2, 6)
    assert (sovits.latent, sovits.ssl, sovits.mrte_hidden) == (192, 768, 512)
    table = sovits_table(sovits)
    assert table == {name: tuple(shape) for name, shape in shapes["sovits"].items()}
    counted = [math.prod(s) for name, s in table.items() if "_codebook" not in name]
    assert sum(counted) == parameters


@pytest.mark.parametrize(("version", "parameters"), [("v1", 77493762), ("v2", 77606402)])
def test_full_size_t2s_models_have_their_known_tensors(version: str, parameters: int) -> None:
    shapes = json.loads((CKPT / "shapes" / f"{version}.json").read_text())["t2s"]
    shapes = {name.removeprefix("model."): shape for name, shape in shapes.items()}
    spec, told = t2s_spec(seen(shapes, T2S_CONFIG))
    assert told.name == version
    assert (spec.hidden, spec.heads, spec.layers, spec.ffn) == (512, 16, 24, 2048)
    table = t2s_table(spec)
    assert table == {name: tuple(shape) for name, shape in shapes.items()}
    assert sum(map(math.prod, table.values())) == parameters


def zero_filled(name: str, folder: Path, mark: bytes = b"PK") -> Path:
    """A golden flow-matching file, whose pickle is kept without its weights."""
    pickle = (CKPT / f"{name}.pkl").read_bytes()
    top = read_pickle(pickle)
    assert isinstance(top, dict)
    records = {
        f"data/{ref.storage.record}": bytes(ref.storage.elements * ITEM_BYTES[ref.dtype])
        for ref in top["weight"].values()
    }
    return write_zip(folder / f"{name}.pth", pickle, records, mark)


@pytest.mark.parametrize(
    ("name", "mark", "version", "rate_hz"),
    [
        ("sovits_v3", b"PK", "v3 or v4", 0),
        ("sovits_v4", b"PK", "v3 or v4", 0),
        ("sovits_v3", b"02", "v3", 24000),
        ("sovits_v4", b"04", "v4", 48000),
    ],
)
def test_a_flow_matching_model_is_described_and_not_read(
    name: str, mark: bytes, version: str, rate_hz: int, tmp_path: Path
) -> None:
    path = zero_filled(name, tmp_path, mark)
    found = describe(path)
    assert (found.kind, found.version, found.usable) == ("sovits", version, False)
    assert isinstance(found.spec, SovitsSpec)
    assert (found.spec.version, found.spec.sample_rate_hz) == (version, rate_hz)
    assert found.languages == ALL_LANGUAGES
    with pytest.raises(UnsupportedVersion, match=f"SoVITS {version} checkpoint, which is not supp"):
        read(path)


@pytest.mark.parametrize(("version", "rank"), [("v3", 2), ("v4", 4)])
def test_a_lora_says_that_it_needs_its_base(version: str, rank: int) -> None:
    path = CKPT / f"sovits_{version}_lora.pth"
    found = describe(path)
    assert (found.kind, found.version, found.spec) == ("sovits lora", version, None)
    assert not found.usable
    with pytest.raises(NeedsBase, match=f"a LoRA of SoVITS {version}, rank {rank}: it needs"):
        read(path)


def test_a_description_says_what_the_file_is() -> None:
    found = describe(golden("v1"))
    assert (found.format, found.kind, found.version) == ("torch", "sovits", "v1")
    assert found.languages == ("zh", "en", "ja")
    assert (found.dtypes, found.info) == (("F16",), "8epoch_216iteration")
    assert found.size_bytes == golden("v1").stat().st_size
    assert (found.usable, found.note) == (True, "")
    tensors = golden_checkpoint("sovits_v1.pth").tensors
    used = [a.size for name, a in tensors.items() if "_codebook" not in name]
    assert found.parameters == sum(used)
    assert found.spec == golden_checkpoint("sovits_v1.pth").spec


def test_a_description_of_t2s_knows_only_the_phone_table() -> None:
    assert describe(CKPT / "t2s_v1.ckpt").version == "v1"
    assert describe(CKPT / "t2s_v2Pro.ckpt").version == "v2 and later"
    assert describe(CKPT / "t2s_v2.ckpt").languages == ALL_LANGUAGES


@pytest.mark.parametrize("version", ["v2Pro", "v2ProPlus"])
def test_without_a_mark_the_weights_tell_the_pro_versions(version: str, tmp_path: Path) -> None:
    pickle, records = records_of(golden(version))
    assert read_sovits(write_zip(tmp_path / "a.pth", pickle, records)).spec.version == version


def test_the_mark_decides_where_the_weights_leave_it_open(tmp_path: Path) -> None:
    pickle, records = records_of(golden("v2Pro"))
    path = write_zip(tmp_path / "a.pth", pickle, records, MARKS["v2ProPlus"])
    assert read_sovits(path).spec.version == "v2ProPlus"


def test_weights_that_only_training_uses_are_left_out(tmp_path: Path) -> None:
    def add(weight: dict[str, Any], config: dict[str, Any]) -> None:
        weight["enc_q.pre.weight"] = Stored.of(np.zeros((4, 4, 1), np.float16))

    checkpoint = read_sovits(changed(tmp_path / "a.pth", add))
    assert "enc_q.pre.weight" not in checkpoint.tensors


def test_the_state_dicts_own_notes_are_passed_over() -> None:
    # As torch pickles a module's state dict: an OrderedDict with the attribute `_metadata`.
    state = b"}X\x01\x00\x00\x00wK\x07s"
    notes = b"}X\x09\x00\x00\x00_metadata}sb"
    pickle = b"\x80\x02ccollections\nOrderedDict\n)R" + state[1:] + notes + b"."
    assert read_pickle(pickle) == {"w": 7}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_other_floating_types_keep_their_values(dtype: str, tmp_path: Path) -> None:
    expected = golden_checkpoint("sovits_v2.pth").tensors

    def widen(weight: dict[str, Any], config: dict[str, Any]) -> None:
        for name, array in expected.items():
            if dtype == "bfloat16":
                bits = array.astype(np.float32).view(np.uint32) >> 16
                weight[name] = Stored.of(bits.astype(np.uint16))
            else:
                weight[name] = Stored.of(array.astype(dtype))

    tensors = read_sovits(changed(tmp_path / "a.pth", widen)).tensors
    for name, array in expected.items():
        assert tensors[name].dtype == np.float32
        wanted = array.astype(np.float32)
        if dtype == "bfloat16":
            wanted = (wanted.view(np.uint32) & 0xFFFF0000).view(np.float32)
        np.testing.assert_array_equal(tensors[name], wanted)


def test_a_transposed_or_shifted_tensor_keeps_its_values(tmp_path: Path) -> None:
    name, bias = "ref_enc.fc.fc.weight", "ref_enc.fc.fc.bias"
    expected = golden_checkpoint("sovits_v2.pth").tensors

    def reorder(weight: dict[str, Any], config: dict[str, Any]) -> None:
        rows, columns = expected[name].shape
        storage = np.ascontiguousarray(expected[name].T).reshape(-1)
        weight[name] = Stored(storage, (rows, columns), (1, rows))
        padded = np.concatenate([np.zeros(5, np.float16), expected[bias]])
        weight[bias] = Stored(padded, expected[bias].shape, (1,), offset=5)

    tensors = read_sovits(changed(tmp_path / "a.pth", reorder)).tensors
    np.testing.assert_array_equal(tensors[name], expected[name])
    np.testing.assert_array_equal(tensors[bias], expected[bias])


@pytest.mark.parametrize(
    ("section", "key", "value", "reason"),
    [
        ("model", "upsample_rates", None, "config model.upsample_rates is missing"),
        ("model", "upsample_rates", "10,8", "config model.upsample_rates is 10,8"),
        ("model", "upsample_rates", [10, 8, 2, 2], "each need a rate"),
        ("model", "upsample_rates", [10, 8, 2, 2, 1], "each need a rate"),
        ("model", "upsample_rates", [8, 8, 2, 2, 2], "multiply to 512; data.hop_length is 640"),
        ("model", "resblock_dilation_sizes", [[1, 3, 5]], "must be a list of 3 lists"),
        ("model", "resblock_dilation_sizes", [[1, 3]] * 3, "must have 3 numbers in each list"),
        ("model", "n_heads", 4, "config model.n_heads is 4, but the weights have 2"),
        ("model", "n_layers", 6, "config model.n_layers is 6, but the weights have 4"),
        ("model", "gin_channels", "32", "config model.gin_channels is 32, but the weights have 32"),
        ("data", "hop_length", True, "config data.hop_length is True; it must be 1 or more"),
        ("data", "hop_length", 320, "multiply to 640; data.hop_length is 320"),
        ("data", "sampling_rate", 48000, "config data.sampling_rate is 48000"),
        ("data", "filter_length", 1024, "takes 704 bins; the spectrogram has 513"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_by_key_and_value(
    section: str, key: str, value: object, reason: str, tmp_path: Path
) -> None:
    def edit(weight: dict[str, Any], config: dict[str, Any]) -> None:
        config[section][key] = value

    with pytest.raises(CheckpointError) as refusal:
        read(changed(tmp_path / "a.pth", edit))
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 2], "it holds a list, not a checkpoint"),
        ({}, "it has no 'weight'; it holds nothing"),
        ({"weight": {}, "config": {}}, "neither a T2S nor a SoVITS model"),
        ({"weight": {}, "config": 3}, "its 'config' is a int, not a dict"),
        ({"model": {}, "optimizer": {}, "iteration": 3}, "a training state with its optimiser"),
        ({"conv1.weight": Stored.of(np.ones(3, np.float32))}, "a bare state dict"),
        ({1.5: 2}, "a dict in its pickle has a float as key"),
        (Named("utils", "Other", {}), "it asks for 'utils.Other'"),
        (Call("collections", "OrderedDict", ([],)), "it calls collections.OrderedDict in an unk"),
        (Call("utils", "HParams", ()), "it calls utils.HParams in an unknown way"),
        (Call("torch", "HalfStorage", (2**40,)), "it calls torch.HalfStorage in an unknown way"),
        (Named("collections", "OrderedDict", {}), "an object that is no utils.HParams"),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_what_it_is(
    value: object, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError) as refusal:
        read(save(tmp_path / "a.pth", value))
    assert reason in str(refusal.value)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    def cut(weight: dict[str, Any], config: dict[str, Any]) -> None:
        weight["flow.flows.2.pre.bias"] = Stored.of(np.zeros(15, np.float16))

    with pytest.raises(CheckpointError) as refusal:
        read(changed(tmp_path / "a.pth", cut))
    reason = "'flow.flows.2.pre.bias' is [15]; by the model's sizes it must be [16]"
    assert reason in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="^a.pth: cannot be read: No such file"):
        read(tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_zip_archive_around_the_checkpoint_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("voices/sovits.pth", b"x" * 100)
    with pytest.raises(CheckpointError, match="a zip archive, but none of torch's.*sovits.pth"):
        read(tmp_path / "a.zip")


def test_records_that_overlap_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02].")
        archive.writestr("archive/data/0", bytes(4096))
        (info,) = [i for i in archive.infolist() if i.filename.endswith("/0")]
        archive.filelist += [info] * 3
    with pytest.raises(CheckpointError, match="they overlap"):
        read(path)


def test_a_storage_must_be_all_of_its_record(tmp_path: Path) -> None:
    pickle, records = records_of(golden("v2"))
    records["data/0"] += b"\0\0"
    with pytest.raises(CheckpointError, match="storage '0' claims 640 bytes, its record has 642"):
        read(write_zip(tmp_path / "a.pth", pickle, records))
    del records["data/0"]
    with pytest.raises(CheckpointError, match="the data of storage '0' is missing"):
        read(write_zip(tmp_path / "a.pth", pickle, records))


def test_a_bare_state_dict_is_read_with_its_counters() -> None:
    state = read_state(CKPT / "sv_eres2netv2_tiny.ckpt")
    assert len(state) == 353
    assert state["conv1.weight"].shape == (4, 1, 3, 3)
    assert state["bn1.num_batches_tracked"].dtype == np.int64
    assert state["bn1.num_batches_tracked"].shape == ()


def test_a_checkpoint_is_no_bare_state_dict() -> None:
    with pytest.raises(CheckpointError, match="not a bare state dict"):
        read_state(golden("v2"))


def test_a_bare_state_dict_must_be_finite(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", {"w": Stored.of(np.array([1, np.inf], np.float32))})
    with pytest.raises(CheckpointError, match="'w' is not finite: 1 of its 2 values"):
        read_state(path)


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "reason"),
    [
        ((2, 0), (1, 1), 0, "has no elements"),
        ((2,), (1, 1), 0, "1 sizes and 2 strides"),
        ((1,) * 9, (1,) * 9, 0, "9 axes; at most 8"),
        ((2,), (-1,), 1, "the stride -1"),
        ((2,), (1,), 7, "reaches element 8 of a storage that has 8"),
        ((2**40, 2**40), None, 0, "of a storage that has 8"),
        ((True,), (1,), 0, "the size True"),
        ((4, 4), (1, 1), 0, "shows 16 elements of a storage that has 8"),
    ],
)
def test_a_tensor_must_fit_its_storage(
    shape: tuple[int, ...], strides: tuple[int, ...] | None, offset: int, reason: str
) -> None:
    with pytest.raises(CheckpointError) as refusal:
        view(Storage("0", "F16", 8), offset, shape, strides)
    assert reason in str(refusal.value)


def test_a_tensor_that_fits_is_described() -> None:
    ref = view(Storage("0", "F16", 8), 1, (3, 1, 2), (1, 999, 3))
    assert ref == TensorRef(Storage("0", "F16", 8), 1, (3, 1, 2), (1, 1, 3))
    assert (ref.elements, ref.nbytes) == (6, 12)


def test_pickles_of_later_protocols_are_read() -> None:
    value = {"a": [1, -2, 2.5, None, True, ("x", 300, 70000, 2**40)], "b": {"c": "ü"}}
    for protocol in (2, 3, 4, 5):
        assert read_pickle(pickle.dumps(value, protocol)) == value


def test_an_hparams_object_is_its_attributes() -> None:
    pickle, _ = pickled(Named("utils", "HParams", {"keys": 1, "model": {"head": 2}}))
    assert read_pickle(pickle) == {"keys": 1, "model": {"head": 2}}
