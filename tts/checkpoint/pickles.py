"""Reads the pickle inside a checkpoint without being able to run anything.

In: bytes of a pickle from a stranger.  Out: plain containers, numbers, strings, and `TensorRef`s.
This is a small machine of its own: it imports nothing, calls nothing that the file names, and
knows only what checkpoints are made of: containers, tensors over storages, and `utils.HParams`,
which becomes a dict of its attributes.  A global is an exact pair of module and name out of
`ALLOWED`; a dotted name that reaches through a module is another pair.  Work and memory are
bounded by `MAX_BYTES` and `MAX_STEPS`.  Pure; any thread.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tts.checkpoint.errors import CheckpointError
from tts.checkpoint.tensors import Storage, TensorRef, view

MAX_BYTES = 4 << 20
"""Longest pickle that is read; the largest official one has about 0.1 MB."""
MAX_STEPS = 250_000
"""Most instructions that are followed; the longest official pickle has about 25 000."""

Mapping = dict[object, object]


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the file asks for; only ever compared, never looked up."""

    module: str
    name: str


class Attributes(Mapping):
    """What an `utils.HParams` object holds."""


_ORDERED_DICT = Global("collections", "OrderedDict")
_REBUILD_TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
_HPARAMS = Global("utils", "HParams")
_STORAGE_DTYPES = {
    Global("torch", "HalfStorage"): "F16",
    Global("torch", "FloatStorage"): "F32",
    Global("torch", "DoubleStorage"): "F64",
    Global("torch", "BFloat16Storage"): "BF16",
    Global("torch", "LongStorage"): "I64",
    Global("torch", "IntStorage"): "I32",
    Global("torch", "ShortStorage"): "I16",
    Global("torch", "CharStorage"): "I8",
    Global("torch", "ByteStorage"): "U8",
    Global("torch", "BoolStorage"): "BOOL",
    Global("torch", "ComplexFloatStorage"): "C64",
    Global("torch", "ComplexDoubleStorage"): "C128",
}
ALLOWED = frozenset({_ORDERED_DICT, _REBUILD_TENSOR, _HPARAMS, *_STORAGE_DTYPES})
"""Every global that a checkpoint may name."""


def read_pickle(data: bytes) -> object:
    """The object that a checkpoint's pickle describes.

    Raises `CheckpointError` for anything a checkpoint has no need of, before acting on it.
    """
    if len(data) > MAX_BYTES:
        raise CheckpointError(
            f"its description of the tensors has {len(data)} bytes; at most {MAX_BYTES} are read"
        )
    return _Machine(data).run()


class _Machine:
    """The state of one reading: the place in the data, the stack with its marks, the memo."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        for _ in range(MAX_STEPS):
            code = self._take(1)
            if code == b".":
                return self._pop()
            step = _STEPS.get(code)
            if step is None:
                raise CheckpointError(
                    f"its pickle has the instruction 0x{code.hex()}, which no checkpoint needs"
                )
            step(self)
        raise CheckpointError(f"its pickle has more than {MAX_STEPS} instructions")

    # Reading the data

    def _take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise CheckpointError("its pickle ends in the middle")
        self._at += count
        return piece

    def _number(self, layout: str) -> int:
        (value,) = struct.unpack(layout, self._take(struct.calcsize(layout)))
        return int(value)

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode()
        except UnicodeDecodeError as error:
            raise CheckpointError("its pickle has text that is not UTF-8") from error

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            raise CheckpointError("its pickle ends in the middle")
        text = self._text(end - self._at)
        self._at = end + 1
        return text

    # The stack

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> object:
        self._top()
        return self._stack.pop()

    def _top(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise CheckpointError("its pickle is malformed: the stack is empty")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[object]:
        if not self._marks:
            raise CheckpointError("its pickle is malformed: a mark is missing")
        at = self._marks.pop()
        items = self._stack[at:]
        del self._stack[at:]
        return items

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _remember(self, key: int) -> None:
        self._memo[key] = self._top()

    def _recall(self, key: int) -> None:
        if key not in self._memo:
            raise CheckpointError(f"its pickle is malformed: it recalls entry {key}, never stored")
        self._push(self._memo[key])

    # Containers

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(items)))

    def _append(self, items: list[object]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise CheckpointError("its pickle is malformed: it appends to what is no list")
        target.extend(items)

    def _append_one(self) -> None:
        item = self._pop()
        self._append([item])

    def _set_items(self, items: list[object]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(items) % 2:
            raise CheckpointError("its pickle is malformed: it sets items of what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Numbers are keys in the optimiser part of training files, which are told apart later.
            if not isinstance(key, str) and (type(key) is not int or abs(key) >= 2**31):
                raise CheckpointError(f"a dict in its pickle has a {type(key).__name__} as key")
            target[key] = value

    def _set_one(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    # Names and what may be made of them

    def _global(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("its pickle is malformed: a global's name is no text")
        asked = Global(module, name)
        if asked not in ALLOWED:
            shown = f"{module}.{name}"[:100]
            raise CheckpointError(
                f"it asks for {shown!r}, which a checkpoint has no need of; nothing of it was run"
            )
        self._push(asked)

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._global(module, name)

    def _reduce(self) -> None:
        arguments, called = self._pop(), self._pop()
        if not isinstance(called, Global) or not isinstance(arguments, tuple):
            raise CheckpointError("its pickle is malformed: it calls what cannot be called")
        if called == _ORDERED_DICT and not arguments:
            self._push({})
        elif called == _REBUILD_TENSOR:
            self._push(_tensor(arguments))
        else:
            raise CheckpointError(f"it calls {called.module}.{called.name} in an unknown way")

    def _new_object(self) -> None:
        arguments, made = self._pop(), self._pop()
        if made != _HPARAMS or not isinstance(arguments, tuple) or arguments:
            raise CheckpointError("its pickle makes an object that is no utils.HParams")
        self._push(Attributes())

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if not isinstance(target, dict) or not isinstance(state, dict):
            raise CheckpointError("its pickle is malformed: it sets the state of a plain value")
        if isinstance(target, Attributes):
            target.update(state)
        # Else it is a state dict, whose attribute `_metadata` says nothing about the tensors.

    def _persistent(self) -> None:
        self._push(_storage(self._pop()))


def _storage(described: object) -> Storage:
    match described:
        case ("storage", Global() as kind, str(record), str(), int(elements)):
            dtype = _STORAGE_DTYPES.get(kind)
            if dtype is not None and elements >= 0:
                return Storage(record, dtype, elements)
    raise CheckpointError("its pickle describes a storage in an unknown way")


def _tensor(arguments: tuple[object, ...]) -> TensorRef:
    match arguments:
        case (Storage() as storage, offset, tuple(shape), tuple(strides), _, _, *_):
            return view(storage, offset, shape, strides)
    raise CheckpointError("its pickle describes a tensor in an unknown way")


def _protocol(machine: _Machine) -> None:
    protocol = machine._number("B")
    if protocol > 5:
        raise CheckpointError(f"its pickle has protocol {protocol}; 2 to 5 can be read")


def _frame(machine: _Machine) -> None:
    machine._take(8)  # its length: only a hint for readers of streams


_STEPS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    b"(": _Machine._mark,
    b"N": lambda m: m._push(None),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"K": lambda m: m._push(m._number("<B")),
    b"M": lambda m: m._push(m._number("<H")),
    b"J": lambda m: m._push(m._number("<i")),
    b"\x8a": lambda m: m._push(int.from_bytes(m._take(m._number("B")), "little", signed=True)),
    b"G": lambda m: m._push(struct.unpack(">d", m._take(8))[0]),
    b"X": lambda m: m._push(m._text(m._number("<I"))),
    b"\x8c": lambda m: m._push(m._text(m._number("B"))),
    b"\x8d": lambda m: m._push(m._text(m._number("<Q"))),
    b"]": lambda m: m._push([]),
    b"a": _Machine._append_one,
    b"e": lambda m: m._append(m._pop_to_mark()),
    b")": lambda m: m._push(()),
    b"\x85": lambda m: m._tuple(1),
    b"\x86": lambda m: m._tuple(2),
    b"\x87": lambda m: m._tuple(3),
    b"t": lambda m: m._push(tuple(m._pop_to_mark())),
    b"}": lambda m: m._push({}),
    b"s": _Machine._set_one,
    b"u": lambda m: m._set_items(m._pop_to_mark()),
    b"q": lambda m: m._remember(m._number("B")),
    b"r": lambda m: m._remember(m._number("<I")),
    b"\x94": lambda m: m._remember(len(m._memo)),
    b"h": lambda m: m._recall(m._number("B")),
    b"j": lambda m: m._recall(m._number("<I")),
    b"c": lambda m: m._global(m._line(), m._line()),
    b"\x93": _Machine._stack_global,
    b"R": _Machine._reduce,
    b"\x81": _Machine._new_object,
    b"b": _Machine._build,
    b"Q": _Machine._persistent,
}
