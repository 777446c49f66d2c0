"""When the agent says "mm-hm" while the caller goes on."""

from agent.turns.murmurs import Murmurs


def murmurs(rule: Murmurs, now_s: float, **changed: object) -> bool:
    usual = {"turn_s": 5.0, "silence_s": 0.4, "over": 0.1, "in_slot": False}
    return rule.step(now_s, **{**usual, **changed})  # type: ignore[arg-type]


def test_a_pause_of_a_long_turn_that_goes_on_gets_one() -> None:
    assert murmurs(Murmurs(True), 10.0)


def test_who_wants_none_gets_none() -> None:
    assert not murmurs(Murmurs(False), 10.0)


def test_none_comes_where_it_would_be_in_the_way() -> None:
    rule = Murmurs(True)
    assert not murmurs(rule, 10.0, turn_s=2.0)
    assert not murmurs(rule, 10.0, silence_s=0.2)
    assert not murmurs(rule, 10.0, silence_s=0.6)
    assert not murmurs(rule, 10.0, over=0.5)
    assert not murmurs(rule, 10.0, over=None)
    assert not murmurs(rule, 10.0, in_slot=True)


def test_there_are_six_seconds_between_two() -> None:
    rule = Murmurs(True)
    assert murmurs(rule, 10.0)
    assert not murmurs(rule, 10.1)
    assert not murmurs(rule, 15.9)
    assert murmurs(rule, 16.0)
