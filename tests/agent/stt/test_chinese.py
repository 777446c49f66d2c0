from agent.stt import chinese


def test_traditional_characters_become_simplified_and_the_rest_stays() -> None:
    assert chinese.simplified("請問您叫什麼名字？OK 3") == "请问您叫什么名字？OK 3"
