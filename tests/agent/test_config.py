"""agent.toml: what is read, what is refused and how the refusal reads."""

from pathlib import Path

import pytest

from agent import config_docs
from agent.config import (
    Config,
    config_path,
    load,
    read_resolved,
    read_secrets,
    service_settings,
    write_resolved,
)
from agent.tables import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[server]\nprot = 1", 'server.prot: unknown key "prot"; did you mean "port"? (allowed: '),
        ("[sever]", 'sever: unknown table "sever"; did you mean "server"? (allowed: server, '),
        ("zzz = 1", 'zzz: unknown key "zzz" (allowed: server, '),
        (
            "[server]\nport = 99999",
            "server.port: 99999 is not allowed; must be an integer from 0 to 65535",
        ),
        (
            '[server]\nport = "80"',
            'server.port: "80" is not allowed; must be an integer from 0 to 65535',
        ),
        (
            "[server]\nworkers = true",
            "server.workers: true is not allowed; must be an integer from 1 to 64",
        ),
        (
            '[stt]\ndevice = "gpu"',
            'stt.device: "gpu" is not allowed; must be one of "cpu", "cuda", "auto"',
        ),
        (
            "[vad]\nthreshold = 1.0",
            "vad.threshold: 1.0 is not allowed; must be a number above 0 and below 1",
        ),
        (
            "[[webrtc.ice_servers]]\nurl = 'stun:a'",
            'webrtc.ice_servers[0].url: unknown key "url"; did you mean "urls"?',
        ),
        ("calls = 3", "calls: 3 is not allowed; must be a table with default_persona, "),
        ("[calls]\nrecord = true\nlog_dir = ''", "recordings go to calls.log_dir, which is empty"),
        ("[server\n", "is not valid TOML: "),
    ],
)
def test_a_refusal_names_key_value_and_what_is_allowed(
    tmp_path: Path, text: str, complaint: str
) -> None:
    assert any(complaint in line for line in refusal(tmp_path, text))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    lines = refusal(tmp_path, "[server]\nprot = 1\nport = -1\n[llm]\ntemperature = 9")
    assert [line.split(": ")[1] for line in lines] == [
        "server.port",
        "server.prot",
        "llm.temperature",
    ]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_the_shipped_file_says_nothing_but_the_defaults() -> None:
    shipped = Path(__file__).parents[2] / "agent.toml"
    config, default = load(shipped), load(None)
    assert config.model_dump(exclude={"calls", "tts"}) == default.model_dump(
        exclude={"calls", "tts"}
    )
    assert config.tts.service == default.tts.service.beside(shipped.parent)
    assert config.calls.default_persona == default.calls.default_persona
    assert config.calls.log_dir == shipped.parent / "calls"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = '[calls]\npersonas_dir = "p"\nlog_dir = "../l"\n[llm]\nlocal_model_path = "/m.gguf"'
    config = load(written(tmp_path, text))
    assert config.calls.personas_dir == tmp_path / "p"
    assert config.calls.log_dir == tmp_path / "../l"
    assert config.llm.local_model_path == Path("/m.gguf")
    cloned = config.tts.service.gpt_sovits
    assert (cloned.voices_dir, cloned.g2pw) == (tmp_path / "voices", None)
    overridden = load(written(tmp_path, ""), ["tts.service.gpt_sovits.voices_dir=/v"])
    assert overridden.tts.service.gpt_sovits.voices_dir == Path("/v")


def test_an_empty_log_folder_keeps_no_logs(tmp_path: Path) -> None:
    assert load(written(tmp_path, '[calls]\nlog_dir = ""')).calls.log_dir is None


def test_overrides_win_over_the_file_and_read_like_toml(tmp_path: Path) -> None:
    path = written(tmp_path, '[stt]\nmodel = "base"\nthreads = 1')
    config = load(path, ["stt.model=tiny.en", "server.port=0", "calls.record=true"])
    assert config.stt.model == "tiny.en"
    assert config.stt.threads == 1
    assert config.server.port == 0
    assert config.calls.record is True


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("stt.modle=x", 'unknown key "modle"; did you mean "model"?'),
        ("sst.model=x", 'unknown table "sst"; did you mean "stt"?'),
        ("model=x", "must look like table.key=value"),
        ("stt.model", "must look like table.key=value"),
    ],
)
def test_a_wrong_override_is_refused(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, [override])
    assert complaint in str(caught.value)


def test_secrets_come_from_the_variables_the_file_names(tmp_path: Path) -> None:
    text = """
    [server]
    token_env = "DOOR"
    [llm]
    api_key_env = "KEY"
    [[webrtc.ice_servers]]
    urls = ["turn:example.org"]
    username = "u"
    credential_env = "TURN"
    """
    environ = {"DOOR": "t0", "KEY": "k0", "TURN": "c0"}
    secrets = read_secrets(load(written(tmp_path, text)), environ)
    assert (secrets.token, secrets.llm_api_key) == ("t0", "k0")
    assert dict(secrets.ice_credentials) == {"TURN": "c0"}


def test_secrets_do_not_show_when_printed() -> None:
    secrets = read_secrets(Config(), {"PARLEY_TOKEN": "hush", "PARLEY_LLM_API_KEY": "hush"})
    assert "hush" not in repr(secrets)


def test_an_unknown_variable_with_our_prefix_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        read_secrets(Config(), {"PARLEY_TOKN": "x", "OTHER": "y"})
    assert 'unknown variable "PARLEY_TOKN"; did you mean "PARLEY_TOKEN"?' in str(caught.value)


def test_a_turn_credential_that_is_not_set_is_an_error(tmp_path: Path) -> None:
    text = '[[webrtc.ice_servers]]\nurls = ["turn:a"]\ncredential_env = "TURN"'
    with pytest.raises(ConfigError, match="TURN: is not set"):
        read_secrets(load(written(tmp_path, text)), {})


def test_an_address_beyond_loopback_needs_a_token(tmp_path: Path) -> None:
    config = load(written(tmp_path, '[server]\nhost = "0.0.0.0"'))
    with pytest.raises(ConfigError, match="set the environment variable PARLEY_TOKEN"):
        read_secrets(config, {})
    assert read_secrets(config, {"PARLEY_TOKEN": "t"}).token == "t"


def test_the_file_is_the_argument_then_the_variable(tmp_path: Path) -> None:
    argument = tmp_path / "a.toml"
    assert config_path(argument, {"PARLEY_CONFIG": "b.toml"}) == argument
    assert config_path(None, {"PARLEY_CONFIG": "b.toml"}) == Path("b.toml")


def test_children_get_the_same_configuration(tmp_path: Path) -> None:
    config = load(written(tmp_path, "[vad]\nthreshold = 0.25\n[calls]\nlog_dir = 'x'"))
    write_resolved(config, tmp_path / "config.json")
    assert read_resolved(tmp_path / "config.json") == config


def test_the_page_about_configuration_is_current() -> None:
    assert config_docs.PATH.read_text(encoding="utf-8") == config_docs.render()


def test_every_key_is_documented() -> None:
    for name, table in Config.model_json_schema()["$defs"].items():
        for key, field in table["properties"].items():
            assert field.get("description"), f"{name}.{key} has no docstring"


def test_the_service_sends_its_traces_where_calls_go_unless_it_says_otherwise() -> None:
    def endpoint(**tables: object) -> str:
        return service_settings(Config.model_validate(tables)).tracing.endpoint

    calls, own = {"endpoint": "http://a:4318"}, {"service": {"tracing": {"endpoint": "http://b:1"}}}
    assert endpoint() == ""
    assert endpoint(tracing=calls) == "http://a:4318"
    assert endpoint(tracing=calls, tts=own) == "http://b:1"
