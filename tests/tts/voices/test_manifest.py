"""A voice.toml is read whole, and what is wrong with it is said with key, value and choice."""

import datetime
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.audio.loudness import TARGET_LUFS
from tts.voices.errors import ManifestError
from tts.voices.manifest import (
    FILE_NAME,
    MAX_FILE_BYTES,
    load_manifest,
    manifest_of,
    parse_manifest,
    to_toml,
)

WEIGHTS = '[weights]\nt2s = "official:v2"\nsovits = "ada.pth"\n'
REFERENCE = """
[[reference]]
emotion = "neutral"
audio = "neutral.wav"
text = "Good morning."
language = "en"
"""
SHORT = f'name = "Ada"\n{WEIGHTS}{REFERENCE}'
WHOLE = f"""
name = "Ada"
description = "A calm voice."
licence = "CC-BY-4.0"
languages = ["zh", "en"]
denoise = true
{WEIGHTS}{REFERENCE}
also = ["more/one.flac", "more/two.flac"]
[[reference]]
emotion = "高兴"
audio = "happy.wav"
text = "早上好。"
language = "zh"
[consent]
who = "Ada L."
when = 2026-11-03
what = "Customer service of the shop."
evidence = "contracts/17"
[manner]
speed = 1.1
top_k = 5
seed = 7
[loudness]
target_lufs = -23
"""


def test_a_short_manifest_has_upstreams_settings_and_the_common_loudness() -> None:
    manifest = parse_manifest(SHORT)
    assert (manifest.languages, manifest.denoise, manifest.consent) == ((), False, None)
    manner = manifest.manner
    assert (manner.top_k, manner.top_p, manner.temperature) == (15, 1.0, 1.0)
    assert (manner.repetition_penalty, manner.noise_scale, manner.speed) == (1.35, 0.5, 1.0)
    assert manifest.loudness.target_lufs == TARGET_LUFS


def test_every_table_is_read() -> None:
    manifest = parse_manifest(WHOLE)
    assert manifest.languages == ("zh", "en")
    assert [one.emotion for one in manifest.reference] == ["neutral", "高兴"]
    assert manifest.reference[0].also == ("more/one.flac", "more/two.flac")
    assert manifest.consent is not None
    assert manifest.consent.when == datetime.date(2026, 11, 3)
    assert (manifest.manner.speed, manifest.manner.top_k, manifest.manner.seed) == (1.1, 5, 7)
    assert manifest.loudness.target_lufs == -23


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["name: missing", "weights: missing", "reference: missing"]),
        ('name = "Ada', ["not TOML"]),
        ("name = " + 100_000 * "[", ["not TOML"]),
        (SHORT.replace("Ada", " "), ["name = ' '", "at least 1 character"]),
        (SHORT.replace("audio", "adio"), ["reference.0.adio", "did you mean 'audio'"]),
        (SHORT.replace('"en"', '"fr"'), ["reference.0.language = 'fr'", "'zh', 'en', 'ja'"]),
        (SHORT + REFERENCE, ["2 have the emotion 'neutral'", "`also`"]),
        (f'name = "Ada"\nreference = []\n{WEIGHTS}', ["reference = []", "at least one"]),
        (SHORT.replace("official:v2", "official:v9"), ["weights.t2s", '"official:v2Pro"']),
        (SHORT.replace("neutral.wav", "../x.wav"), ["audio = '../x.wav'", "inside the voice"]),
        (SHORT.replace("neutral.wav", "/x.wav"), ["audio = '/x.wav'", "inside the voice"]),
        (SHORT.replace("Good morning.", "a" * 501), ["aaa...", "at most 500 characters"]),
        (SHORT.replace("Good morning.", "?!"), ["text = '?!'", "at least one word"]),
        (SHORT.replace('"neutral"', '"very happy"'), ["emotion = 'very happy'"]),
        (SHORT + "[manner]\ntopk = 3\nspeed = 9\n", ["did you mean 'top_k'", "speed = 9"]),
        (SHORT + "[manner]\ntemperature = nan\n", ["manner.temperature = nan"]),
        (SHORT + "[loudness]\ntarget_lufs = 3\n", ["loudness.target_lufs = 3"]),
        (
            SHORT + '[consent]\nwho = "Ada"\nwhen = "May"\n',
            ["consent.when = 'May'", "what: missing"],
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_what_is_allowed(
    text: str, words: list[str]
) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "ada/voice.toml: No such file"),
        (b"\xff\xfe", "ada/voice.toml: not UTF-8: byte 0"),
        (b"#" * (MAX_FILE_BYTES + 1), "ada/voice.toml: 262145 bytes; at most 262144 are allowed"),
        (b"name = 3", "ada/voice.toml: name = 3"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    folder = tmp_path / "ada"
    folder.mkdir()
    if content is not None:
        (folder / FILE_NAME).write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        load_manifest(folder)
    assert reason in str(caught.value)


def test_a_pipe_in_its_place_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE_NAME)
    with pytest.raises(ManifestError, match="not a file but a folder or a device"):
        load_manifest(tmp_path)


def test_a_manifest_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(WHOLE, encoding="utf-8")
    assert load_manifest(tmp_path) == parse_manifest(WHOLE)


@pytest.mark.parametrize("text", [SHORT, WHOLE])
def test_a_written_manifest_reads_as_it_was(text: str) -> None:
    manifest = parse_manifest(text)
    assert parse_manifest(to_toml(manifest)) == manifest


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_any_text_can_be_written(text: str) -> None:
    values = parse_manifest(SHORT).model_dump() | {"description": text, "licence": text}
    manifest = manifest_of(values)
    assert manifest.description == text
    assert parse_manifest(to_toml(manifest)) == manifest


def test_a_short_manifest_is_written_without_defaults() -> None:
    assert to_toml(parse_manifest(SHORT)) == (
        'name = "Ada"\n\n[weights]\nt2s = "official:v2"\nsovits = "ada.pth"\n\n'
        '[[reference]]\nemotion = "neutral"\naudio = "neutral.wav"\n'
        'text = "Good morning."\nlanguage = "en"\n'
    )
