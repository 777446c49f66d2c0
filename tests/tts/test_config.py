"""Configuration errors teach: key, value, what is allowed."""

from pathlib import Path

import pytest

from tts.config import ConfigError, ServiceConfig, load, parse


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("") == ServiceConfig()


def test_tables_are_read() -> None:
    config = parse('engines = ["hibari"]\n[limits]\nmax_streams = 3\n')
    assert config.engines == ("hibari",)
    assert config.limits.max_streams == 3


def test_an_empty_path_is_none() -> None:
    config = parse('[gpt_sovits]\ng2pw = ""\nopen_jtalk = "x/naist-jdic"\n')
    assert (config.gpt_sovits.g2pw, config.gpt_sovits.open_jtalk) == (None, Path("x/naist-jdic"))


@pytest.mark.parametrize("rate_hz", [0, 8000, 48000])
def test_audio_may_have_each_voices_own_rate_or_one_for_all(rate_hz: int) -> None:
    assert parse(f"[audio]\nsample_rate_hz = {rate_hz}").audio.sample_rate_hz == rate_hz


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nmax_stream = 3", ["limits.max_stream", "did you mean 'max_streams'"]),
        ("zzz = 1", ["zzz", "allowed: limits, scheduler"]),
        ("threads = 0", ["threads = 0", "greater than or equal to 1"]),
        ('engines = ["festival"]', ["engines.0 = 'festival'", "'hibari', 'kokoro' or 'gpt-"]),
        ('[gpt_sovits]\ndevice = "tpu"', ["gpt_sovits.device = 'tpu'", "auto|cpu|cuda"]),
        ('[gpt_sovits]\ndtype = "int8"', ["gpt_sovits.dtype = 'int8'", "'bfloat16' or 'float16'"]),
        ("[gpt_sovits]\nbudget_mb = 0", ["gpt_sovits.budget_mb = 0", "greater than or equal to 1"]),
        ("[gpt_sovits]\nvoice_dir = 'x'", ["gpt_sovits.voice_dir", "did you mean 'voices_dir'"]),
        ("engines = []", ["engines", "at least 1"]),
        ("[audio]\nsample_rate_hz = 96000", ["audio.sample_rate_hz = 96000", "8000 to 48000"]),
        (
            '[cache]\nmemory_mb = 0\nphrases = "x"',
            ["cache = ", "nowhere to be kept", "set dir, or memory_mb"],
        ),
        ("threads =", ["not TOML"]),
    ],
)
def test_a_bad_file_is_refused_with_key_value_and_what_is_allowed(
    text: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"x\.toml"):
        load(path)
