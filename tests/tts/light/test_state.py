from importlib import metadata

from tts.light.state import state_of


def test_a_state_tells_every_package_the_voice_is_made_of_and_its_gain() -> None:
    state = state_of("numpy", "no-such-package", gain_db=6.0)
    assert state == (
        f"light 1; onnxruntime {metadata.version('onnxruntime')}; "
        f"numpy {metadata.version('numpy')}; no-such-package missing; 6.0 dB"
    )


def test_another_gain_is_another_state() -> None:
    assert state_of("numpy", gain_db=6.0) != state_of("numpy", gain_db=5.0)
