"""Persona files: what is read, what is refused."""

from pathlib import Path

import pytest

from agent.persona import Persona, check_names, load_personas, voice_problem
from agent.phrases import PHRASES, Phrases
from agent.speakable import speakable
from agent.tables import ConfigError
from agent.tools.builtin import builtin_registry
from tts.types import Voice

SHIPPED = Path(__file__).parents[2] / "personas"
GOOD = 'name = "Anna"\nlanguage = "en"\nvoice = "heart"\nprompt = "Be kind."\n'


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def refusal(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_personas(folder)
    return [str(problem) for problem in caught.value.problems]


def test_the_id_is_the_name_of_the_file(tmp_path: Path) -> None:
    personas = load_personas(write(tmp_path, anna=GOOD))
    assert list(personas) == ["anna"]
    assert personas["anna"].name == "Anna"


def test_examples_become_pairs(tmp_path: Path) -> None:
    personas = load_personas(write(tmp_path, anna=GOOD + 'examples = [["hi", "hello"]]\n'))
    assert personas["anna"].examples == [("hi", "hello")]


def test_problems_of_all_files_are_told_with_file_key_and_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, a=GOOD + 'greting = "hi"\n', b="[turns]\npatience = 9\n", c=GOOD)
    lines = refusal(tmp_path)
    assert lines[0].startswith('a.toml: greting: unknown key "greting"; did you mean "greeting"?')
    assert "b.toml: name: is required: a string" in lines
    assert "b.toml: turns.patience: 9 is not allowed; must be a number from 0.5 to 3" in lines


def test_two_personas_that_look_alike_in_the_list_are_refused(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, a=GOOD, b=GOOD)) == [
        'b.toml: name: "Anna" is already the name of a.toml in this language'
    ]


def test_the_same_name_in_another_language_is_fine(tmp_path: Path) -> None:
    chinese = GOOD.replace('"en"', '"zh"')
    assert list(load_personas(write(tmp_path, a=GOOD, b=chinese))) == ["a", "b"]


def test_an_id_in_the_file_is_refused(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, a='id = "x"\n' + GOOD)) == [
        "a.toml: id: is the file's name; remove this key"
    ]


def test_a_folder_without_personas_is_refused(tmp_path: Path) -> None:
    assert "holds no persona" in refusal(tmp_path)[0]
    assert "is no folder" in refusal(tmp_path / "none")[0]


def check(persona: Persona, default: str = "p") -> list[str]:
    problems = check_names(
        {"p": persona}, default=default, tools=["tell_time", "end_call"], phrases=["goodbye"]
    )
    return [str(problem) for problem in problems]


def persona(**fields: object) -> Persona:
    values = {"id": "p", "name": "P", "language": "en", "voice": "heart", "prompt": "x"}
    return Persona.model_validate({**values, **fields})


def test_names_that_lead_nowhere_are_told_with_the_nearest() -> None:
    assert check(persona()) == []
    assert check(persona(tools=["tell_tme"])) == [
        'p.toml: tools: unknown tool "tell_tme"; did you mean "tell_time"? '
        "(allowed: end_call, tell_time)"
    ]
    assert "did you mean" in check(persona(phrases={"godbye": "Bye"}))[0]
    assert check(persona(), default="q") == [
        'calls.default_persona: unknown persona "q" (allowed: p)'
    ]


def test_a_voice_must_exist_and_have_the_language_and_the_emotion() -> None:
    voices = {
        "heart": Voice("heart", ("en",), 24000, "hibari"),
        "alpha": Voice("alpha", ("ja", "zh"), 24000, "kokoro"),
        "anna": Voice("anna", ("en",), 32000, "gpt-sovits", emotions=("calm", "happy")),
    }
    assert voice_problem(persona(), voices) is None
    assert voice_problem(persona(voice="hart"), voices) == (
        'unknown voice "hart"; did you mean "heart"? (allowed: alpha, anna, heart)'
    )
    assert voice_problem(persona(voice="alpha"), voices) == (
        '"alpha" does not speak "en" (it speaks: ja, zh)'
    )
    assert voice_problem(persona(voice="anna", emotion="happy"), voices) is None
    assert voice_problem(persona(voice="anna", emotion="hapy"), voices) == (
        '"anna": unknown emotion "hapy"; did you mean "happy"? (allowed: calm, happy)'
    )
    assert voice_problem(persona(emotion="happy"), voices) == (
        '"heart" has no emotions to choose from, not "happy" either'
    )


@pytest.mark.parametrize("persona", load_personas(SHIPPED).values(), ids=lambda one: one.id)
def test_a_shipped_persona_words_its_phrases_as_they_can_be_spoken(persona: Persona) -> None:
    phrases = Phrases(persona.language, persona.phrases)
    for occasion in PHRASES:
        wordings = list(phrases.wordings(occasion))
        assert [speakable(text, persona.language) for text in wordings] == wordings
        assert len(set(wordings)) == len(wordings)


def test_the_shipped_personas_refer_to_things_that_exist() -> None:
    problems = check_names(
        load_personas(SHIPPED),
        default="customer-service-en",
        tools=builtin_registry().names,
        phrases=PHRASES,
    )
    assert problems == []
