"""The extra output, as protobuf bytes."""

from tts.light.model import with_output


def test_an_output_is_appended_as_a_second_graph_field() -> None:
    # field 7 (graph) of 6 bytes: field 12 (output) of 4: field 1 (name) of 2.
    assert with_output(b"model", "ab") == b"model" + bytes([58, 6, 98, 4, 10, 2]) + b"ab"


def test_long_names_have_long_lengths() -> None:
    tail = with_output(b"", "x" * 200)
    assert tail[:3] == bytes([58, 0xCE, 0x01])
    assert tail.endswith(b"x" * 200)
