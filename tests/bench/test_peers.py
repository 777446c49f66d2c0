"""The bench `peers`: what it makes of the sides' times, and that a side answers."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import endings, random_voice
from bench.peers import Child, compared
from bench.sides.stubs import stub_missing
from bench.sides.task import FirstPacket, Sentence, Task

CKPT = Path(__file__).parents[1] / "golden" / "ckpt"


def spoken(factor: float) -> tuple[Sentence, FirstPacket]:
    """A side's times, all of them so many times those of a fast one."""
    steps_s = [0.4 * factor, 0.01 * factor, 0.01 * factor]
    return Sentence(steps_s, 1.0 * factor, 3840), FirstPacket(0.2 * factor, 1280)


def test_a_speed_up_is_the_median_of_the_turns_ratios() -> None:
    noisy = [1.0, 4.0, 1.0]  # the machine was slow in one turn, for one side
    turns = [{"ours": spoken(1.0), "upstream": spoken(3.0 * share)} for share in noisy]
    found = compared(turns)
    assert found["t2s_speedup_vs_upstream"] == pytest.approx(3.0)
    assert found["sentence_speedup_vs_upstream"] == pytest.approx(3.0)
    assert found["first_packet_speedup_vs_upstream"] == pytest.approx(3.0)
    assert found["t2s_ours_tokens_per_s"] == pytest.approx(100.0)
    assert found["sound_ours_s_p50"] == pytest.approx(0.58)
    assert not any("vs_ours" in name for name in found)


def test_what_is_there_is_not_replaced_and_what_is_not_can_be_imported() -> None:
    name = "parley_no_such_package.inner.most"
    try:
        stub_missing({"json": ("Nothing",), name: ("Thing",)})
        import json

        from parley_no_such_package.inner import most  # type: ignore[import-not-found]

        assert not hasattr(json, "Nothing")
        assert most.Thing(1, two=2)
    finally:
        for part in ("parley_no_such_package", "parley_no_such_package.inner", name):
            sys.modules.pop(part, None)


@pytest.mark.real
def test_our_side_speaks_as_many_tokens_as_it_is_told(tmp_path: Path) -> None:
    spec = replace(random_voice.t2s_spec("v2"), layers=2)
    made = random_voice.tensors(spec)
    endings.end_never(made, spec)
    random_voice.save(tmp_path / "t2s.ckpt", spec, made)
    shutil.copy(CKPT / "sovits_v2.pth", tmp_path)
    task = Task(
        version="v2",
        t2s=str(tmp_path / "t2s.ckpt"),
        sovits=str(tmp_path / "sovits_v2.pth"),
        source="",
        threads=1,
        reference_codes=25,
        reference_phones=10,
        phones=8,
        codes=20,
    )
    with Child("ours", sys.executable, task) as side:
        sentence, packet = side.sentence(), side.first_packet()
    assert len(sentence.steps_s) == 20
    assert sentence.samples == 20 * 1280
    assert sentence.seconds >= sum(sentence.steps_s)
    assert 0 < packet.samples < sentence.samples
