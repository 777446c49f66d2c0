"""Which model a checkpoint file holds, and whether its tensors are those of such a model.

In: the `Contents` of a file.  Out: a `Model` with its spec, or a `CheckpointError` that says what
the file is instead.  No weight is read.  Pure; any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tts.checkpoint.contents import Contents
from tts.checkpoint.errors import CheckpointError, NeedsBase, UnsupportedVersion
from tts.checkpoint.layout import TRAINING_ONLY, Table, content_table, sovits_table, t2s_table
from tts.checkpoint.sizes import Seen, sovits_spec, t2s_spec
from tts.checkpoint.tensors import FLOATING, TensorRef
from tts.spec import VERSIONS, SovitsSpec, T2sSpec, Version, lora_version

Kind = Literal["t2s", "sovits", "sovits lora"]

_Part = Mapping[object, object]
_Refs = dict[str, TensorRef]

_PREFIX = "model."
_INFO_CHARACTERS = 200
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its file describes it, before any weight is read."""

    kind: Kind
    version: Version
    """Of a T2S model the oldest whose phones it has."""
    spec: T2sSpec | SovitsSpec | None
    refs: _Refs
    info: str
    problem: CheckpointError | None
    """Why this sound file cannot be used all the same."""


def identify(contents: Contents) -> Model:
    """Which model this is, of which version and sizes, with all tensors of such a model.

    Raises `CheckpointError` when it is none.
    """
    weight, config = _weight_and_config(contents.top)
    info = contents.top.get("info")
    info = info[:_INFO_CHARACTERS] if isinstance(info, str) else ""
    refs = {
        name: ref
        for name, ref in fitting_refs(weight, contents.size_bytes).items()
        if not name.startswith(TRAINING_ONLY)
    }
    if any(".lora_A." in name or ".lora_B." in name for name in refs):
        model = _lora(contents, config, refs, info)
    elif any(name.removeprefix(_PREFIX).startswith("h.layers.") for name in refs):
        model = _t2s(contents, config, refs, info)
    elif any(name.startswith("enc_p.") for name in refs):
        model = _sovits(contents, config, refs, info)
    else:
        raise CheckpointError(
            f"neither a T2S nor a SoVITS model: its tensors have names like {_some(refs)}"
        )
    if model.spec is not None:
        _check_table(model.refs, model.spec)
    return model


def _t2s(contents: Contents, config: _Part, refs: _Refs, info: str) -> Model:
    if contents.mark:
        raise CheckpointError(
            f"its first two bytes are {contents.mark!r}, the mark of a SoVITS file; "
            "its weights are those of a T2S model"
        )
    named = {name.removeprefix(_PREFIX): ref for name, ref in refs.items()}
    if len(named) != len(refs):
        raise CheckpointError(f"some of its tensors are there with and without {_PREFIX!r}")
    spec, version = t2s_spec(Seen(_shapes(named), config))
    return Model("t2s", version, spec, named, info, None)


def _sovits(contents: Contents, config: _Part, refs: _Refs, info: str) -> Model:
    spec, version = sovits_spec(Seen(_shapes(refs), config), contents.declared)
    problem = None
    if not version.supported:
        supported = ", ".join(known.name for known in VERSIONS if known.supported)
        problem = UnsupportedVersion(
            f"a SoVITS {version.name} checkpoint, which is not supported yet; {supported} are"
        )
    return Model("sovits", version, spec, refs, info, problem)


def _lora(contents: Contents, config: _Part, refs: _Refs, info: str) -> Model:
    said = Seen({}, config).setting("model", "version")
    names = [*contents.declared, *([said] if isinstance(said, str) else [])]
    version = lora_version(names)
    rank = contents.top.get("lora_rank")
    problem = NeedsBase(
        f"a LoRA of SoVITS {version.name}, rank {rank if isinstance(rank, int) else 'unknown'}: "
        "it needs its base, the model that it holds differences to; LoRAs are not supported yet"
    )
    return Model("sovits lora", version, None, refs, info, problem)


def _weight_and_config(top: dict[str, object]) -> tuple[_Part, _Part]:
    """The two parts every checkpoint has, or an error that says what the file has instead."""
    if "weight" not in top and "optimizer" in top:
        raise CheckpointError(
            "a training state with its optimiser; give the weights exported from it"
        )
    if "weight" not in top and top and all(isinstance(v, TensorRef) for v in top.values()):
        raise CheckpointError(f"a bare state dict without a config: it holds {_some(top)}")
    return _part(top, "weight"), _part(top, "config")


def _part(top: dict[str, object], key: str) -> _Part:
    if key not in top:
        raise CheckpointError(f"it has no {key!r}; it holds {_some(top)}")
    part = top[key]
    if not isinstance(part, dict):
        raise CheckpointError(f"its {key!r} is a {type(part).__name__}, not a dict")
    return part


def fitting_refs(weight: _Part | dict[str, object], size_bytes: int) -> _Refs:
    """The described tensors, once they are known to be tensors and to fit into the file."""
    refs: _Refs = {}
    for name, ref in weight.items():
        if not isinstance(ref, TensorRef):
            raise CheckpointError(f"{str(name)[:80]!r} is a {type(ref).__name__}, not a tensor")
        refs[str(name)] = ref
    total = sum(ref.nbytes for ref in refs.values())
    if total > size_bytes:
        raise CheckpointError(
            f"its tensors claim {total} bytes, the file has {size_bytes}: the data is missing"
        )
    return refs


def _check_table(refs: Mapping[str, TensorRef], spec: T2sSpec | SovitsSpec) -> None:
    """Names complete and none unexpected, shapes as the sizes say, floating point only."""
    table, whole = _table(spec)
    if missing := [name for name in table if name not in refs]:
        raise CheckpointError(f"{_tensors_are(missing)} missing: {_some(missing)}")
    if whole and (unexpected := [name for name in refs if name not in table]):
        raise CheckpointError(f"{_tensors_are(unexpected)} not part of it: {_some(unexpected)}")
    for name, shape in table.items():
        if refs[name].shape != shape:
            raise CheckpointError(
                f"the tensor {name!r} is {list(refs[name].shape)}; "
                f"by the model's sizes it must be {list(shape)}"
            )
    for name, ref in refs.items():
        if ref.dtype not in FLOATING:
            raise CheckpointError(
                f"the tensor {name!r} holds {ref.dtype}; weights are {', '.join(sorted(FLOATING))}"
            )


def _table(spec: T2sSpec | SovitsSpec) -> tuple[Table, bool]:
    """The tensors of a model, and whether these are all that it has."""
    if isinstance(spec, T2sSpec):
        return t2s_table(spec), True
    if spec.upsample_rates:
        return sovits_table(spec), True
    return content_table(spec), False


def _shapes(refs: _Refs) -> Table:
    return {name: ref.shape for name, ref in refs.items()}


def _tensors_are(names: list[str]) -> str:
    return "one tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def _some(names: Mapping[str, object] | list[str]) -> str:
    """The first few names, for a message."""
    shown = [repr(name[:80]) for name in list(names)[:_NAMES_SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > _NAMES_SHOWN else "") or "nothing"
