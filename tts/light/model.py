"""An ONNX speech model with the durations it works out inside made visible.

In: model bytes and the name of the tensor inside it that holds each phoneme's duration.  Out: an
ONNX Runtime session with that tensor as one more output, so that word times are the model's own.
"""

import onnxruntime as ort
from loguru import logger

_GRAPH_OF_MODEL = 7
_OUTPUT_OF_GRAPH = 12
_NAME_OF_VALUE = 1


def load(model: bytes, *, durations: str, threads: int) -> tuple[ort.InferenceSession, bool]:
    """A session and whether its last output is the durations.

    A model without that tensor is loaded as it is, and times will be estimated.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Threads that spin between requests would take the cores of everything else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return _session(with_output(model, durations), options), True
    except Exception as error:
        logger.bind(tensor=durations, error=str(error)).warning(
            "model does not show its durations; word times will be estimated"
        )
        return _session(model, options), False


def with_output(model: bytes, name: str) -> bytes:
    """The serialised model with one more output of its graph.

    Protobuf merges a message field that appears twice, so appending a graph that has nothing but
    the output is enough; the `onnx` package is not needed.
    """
    value = _field(_NAME_OF_VALUE, name.encode())
    return model + _field(_GRAPH_OF_MODEL, _field(_OUTPUT_OF_GRAPH, value))


def _session(model: bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
