"""Keys and tokens: who is let in as whom, and the attacks on tokens that are known."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tts.access import (
    MAX_CREDENTIAL_CHARS,
    OPERATOR,
    REREAD_S,
    Access,
    bearer,
    check_address,
    key_table,
    new_key,
)
from tts.config import AccessConfig, ConfigError, JwtConfig, KeyConfig, Secrets, parse
from tts.context import ANYONE, Caller
from tts.errors import Unauthenticated

SECRET = "a secret of at least thirty-two bytes"
HS256 = AccessConfig(jwt=JwtConfig(algorithm="HS256"))
SIGNED_BY_US = Secrets(jwt_secret=SECRET)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public


def private_pem(key: Any) -> bytes:
    private: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private


def key_config(name: str, key: str, **limits: Any) -> KeyConfig:
    return KeyConfig(name=name, sha256=hashlib.sha256(key.encode()).hexdigest(), **limits)


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "ann", "exp": time.time() + 3600, **more}


def token(**more: Any) -> str:
    return jwt.encode(claims(**more), SECRET, algorithm="HS256")


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hand_made(header: dict[str, Any], secret: bytes) -> str:
    """A token as an attacker makes it, past all checks of the library that signs."""
    signed = f"{part(header)}.{part(claims(parley={'may_manage': True}))}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def refusal(access: Access, credential: str | None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        access.caller(credential)
    return str(caught.value)


# Keys.


def test_a_key_is_its_owner_with_the_limits_of_the_configuration() -> None:
    access = Access(
        AccessConfig(
            keys=(
                key_config("ann", "k-ann", requests_per_minute=5, max_streams=2),
                key_config("bob", "k-bob", may_manage=True),
            )
        ),
        Secrets(),
    )
    assert access.caller("k-ann") == Caller("ann", 5, 2, may_manage=False)
    assert access.caller("k-bob") == Caller("bob", None, None, may_manage=True)
    assert not access.is_open


@pytest.mark.parametrize("credential", ["k-an", "k-ann ", "K-ANN", "k\udcff", "a.b.c", "\0"])
def test_anything_else_is_refused_and_the_refusal_says_nothing_of_keys(credential: str) -> None:
    access = Access(AccessConfig(keys=(key_config("ann", "k-ann"),)), Secrets(token="op"))
    assert refusal(access, credential) == "the key is not valid"


@pytest.mark.parametrize("credential", [None, ""])
def test_no_key_at_all_is_told_how_to_bring_one(credential: str | None) -> None:
    access = Access(AccessConfig(), Secrets(token="op"))
    assert "Authorization: Bearer KEY" in refusal(access, credential)


def test_a_hash_in_the_configuration_is_no_key() -> None:
    config = key_config("ann", "k-ann")
    assert refusal(Access(AccessConfig(keys=(config,)), Secrets()), config.sha256)


def test_what_is_far_too_long_is_refused_before_it_is_looked_at() -> None:
    access = Access(AccessConfig(), Secrets(token="op"))
    assert "at most 8192" in refusal(access, "x" * (MAX_CREDENTIAL_CHARS + 1))


def test_every_key_is_compared_in_constant_time_whichever_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("tts.access.hmac.compare_digest", compare)
    keys = tuple(key_config(name, f"k-{name}") for name in ("ann", "bob", "cleo"))
    access = Access(AccessConfig(keys=keys), Secrets())
    for credential in ("k-ann", "k-cleo"):
        compared.clear()
        access.caller(credential)
        # Equal lengths, too, whatever was sent.
        assert [(len(one), len(other)) for one, other in compared] == [(32, 32)] * 3


def test_the_token_of_the_environment_may_do_everything() -> None:
    access = Access(AccessConfig(), Secrets(token="op.en.sesame"))
    assert access.caller("op.en.sesame") == Caller(OPERATOR, None, None, may_manage=True)


@pytest.mark.parametrize("credential", [None, "", "sk-whatever-clients-must-send"])
def test_without_keys_anyone_is_anyone(credential: str | None) -> None:
    access = Access(AccessConfig(), Secrets())
    assert access.is_open
    assert access.caller(credential) is ANYONE


def test_a_new_key_fits_the_table_that_is_printed_for_it() -> None:
    key = new_key()
    assert key != new_key()
    config = parse(f"[[access.keys]]\n{key_table('ann', key)}").access
    assert Access(config, Secrets()).caller(key) == Caller("ann", None, None, may_manage=False)
    assert key not in key_table("ann", key)


@pytest.mark.parametrize("name", ["", "a b", 'x"\nmay_manage = true', "jwt:ann", "é" * 65])
def test_a_name_that_no_key_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        key_table(name, new_key())


# Headers and addresses.


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("Bearer k", "k"),
        ("bearer   k ", "k"),
        ("BEARER\u0020a.b", "a.b"),
        ("Bearer", None),
    ],
)
def test_a_bearer_header_holds_a_credential(header: str | None, credential: str | None) -> None:
    assert bearer(header) == credential


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearerk", "k", "Token Bearer k"])
def test_another_scheme_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated, match="Bearer KEY"):
        bearer(header)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:80", "127.8.0.1:1", "[::1]:80", "localhost:80", "unix:/run/s"]
)
def test_without_keys_this_machine_alone_may_be_served(address: str) -> None:
    check_address(address, Access(AccessConfig(), Secrets()))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:80",
        "[::]:80",
        ":80",
        "80",
        "192.168.0.2:80",
        "localhost.example.org:80",
        "dns:///127.0.0.1:80",
        "unix-abstract:s",
        "127.1:80",
        "[::ffff:0.0.0.0]:80",
    ],
)
def test_and_nothing_else_unless_there_are_keys(address: str) -> None:
    with pytest.raises(ConfigError, match="access.keys"):
        check_address(address, Access(AccessConfig(), Secrets()))
    check_address(address, Access(AccessConfig(), Secrets(token="op")))


# Tokens.


def test_a_token_is_its_subject_with_the_limits_it_claims() -> None:
    access = Access(HS256, SIGNED_BY_US)
    limits = {"requests_per_minute": 6, "max_streams": 1, "may_manage": True}
    assert access.caller(token()) == Caller("jwt:ann", None, None, may_manage=False)
    assert access.caller(token(parley=limits)) == Caller("jwt:ann", 6, 1, may_manage=True)


def test_a_tokens_subject_is_never_taken_for_the_owner_of_a_key() -> None:
    config = AccessConfig(keys=(key_config("ann", "k-ann"),), jwt=HS256.jwt)
    access = Access(config, Secrets(jwt_secret=SECRET, token="op"))
    names = {access.caller(one).name for one in ("k-ann", "op", token(), token(sub=OPERATOR))}
    assert names == {"ann", OPERATOR, "jwt:ann", f"jwt:{OPERATOR}"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "cannot be read"),
        ({"nbf": 9e9}, "not valid yet"),
        ({"iat": 9e9}, "not valid yet"),
        ({"sub": ""}, "1 to 128 printable"),
        ({"sub": "ann\nINFO all is well"}, "1 to 128 printable"),
        ({"sub": "\x1b[2J"}, "1 to 128 printable"),
        ({"sub": "a" * 129}, "1 to 128 printable"),
        ({"parley": "all"}, "`parley` must be an object"),
        ({"parley": {"max_streams": 0}}, "`parley` must be an object"),
        ({"parley": {"max_streams": "9"}}, "`parley` must be an object"),
        ({"parley": {"may_manage": 1}}, "`parley` must be an object"),
        ({"parley": {"max_stream": 1}}, "`parley` must be an object"),
        ({"parley": {"may\nbe": 1}}, "`parley` must be an object"),
    ],
)
def test_a_token_with_other_claims_is_refused_and_why_is_said(
    more: dict[str, Any], words: str
) -> None:
    message = refusal(Access(HS256, SIGNED_BY_US), token(**more))
    assert words in message
    assert message.isprintable()


@pytest.mark.parametrize("missing", ["exp", "sub"])
def test_a_token_without_a_claim_that_counts_is_refused(missing: str) -> None:
    left = {key: value for key, value in claims().items() if key != missing}
    assert "claims `exp`, `sub`" in refusal(
        Access(HS256, SIGNED_BY_US), jwt.encode(left, SECRET, algorithm="HS256")
    )


def test_clocks_may_differ_a_little() -> None:
    assert Access(HS256, SIGNED_BY_US).caller(token(exp=time.time() - 5)).name == "jwt:ann"


def test_issuer_and_audience_must_be_those_configured() -> None:
    config = JwtConfig(algorithm="HS256", issuer="https://id.example", audience="parley")
    access = Access(AccessConfig(jwt=config), SIGNED_BY_US)
    good = {"iss": "https://id.example", "aud": ["other", "parley"]}
    assert access.caller(token(**good)).name == "jwt:ann"
    assert "`iss`" in refusal(access, token(**{**good, "iss": "https://id.example.evil"}))
    assert "`aud`" in refusal(access, token(**{**good, "aud": "other"}))
    assert "those configured" in refusal(access, token(iss="https://id.example"))
    assert "those configured" in refusal(access, token(aud="parley"))


def test_without_an_audience_that_of_a_token_is_nobodys_business() -> None:
    assert Access(HS256, SIGNED_BY_US).caller(token(aud="whoever")).name == "jwt:ann"


def test_a_token_signed_by_another_is_refused() -> None:
    forged = jwt.encode(claims(), "b secret of at least thirty-two bytes", algorithm="HS256")
    assert "signature" in refusal(Access(HS256, SIGNED_BY_US), forged)


def test_a_token_whose_text_was_changed_is_refused() -> None:
    header, _, signature = token().split(".")
    changed = f"{header}.{part(claims(sub='bob'))}.{signature}"
    assert "signature" in refusal(Access(HS256, SIGNED_BY_US), changed)


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "", None, 7, ["HS256"]])
def test_a_token_that_asks_for_no_signature_is_refused(algorithm: object) -> None:
    header = {"alg": algorithm, "typ": "JWT"}
    body = f"{part(header)}.{part(claims())}"
    access = Access(HS256, SIGNED_BY_US)
    assert "not valid" in refusal(access, f"{body}.")
    assert "not valid" in refusal(access, hand_made(header, SECRET.encode()))


def test_a_public_key_is_no_secret_to_sign_with(rsa_key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    """RFC 8725, 2.1: a verifier that follows `alg` takes the PEM text for an HMAC secret."""
    path = tmp_path / "public.pem"
    path.write_bytes(pem(rsa_key))
    access = Access(AccessConfig(jwt=JwtConfig(algorithm="RS256", public_key=path)), Secrets())
    for secret in (pem(rsa_key), pem(rsa_key).rstrip(), b""):
        forged = hand_made({"alg": "HS256", "typ": "JWT"}, secret)
        assert "in another way than is configured" in refusal(access, forged)
        assert "not valid" in refusal(access, hand_made({"alg": "RS256"}, secret))


def test_a_token_does_not_choose_the_key_it_is_checked_with(tmp_path: Path) -> None:
    """`kid`, `jku`, `jwk`, `x5u`: each has been a way to have one's own key believed."""
    attackers = b"a secret of the attacker's own, long enough"
    (tmp_path / "known").write_bytes(attackers)
    access = Access(HS256, SIGNED_BY_US)
    for header in (
        {"kid": str(tmp_path / "known")},
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'key"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"jwk": {"kty": "oct", "k": base64.urlsafe_b64encode(attackers).decode()}},
        {"x5u": "http://127.0.0.1:9/chain"},
    ):
        for secret in (attackers, b""):
            forged = hand_made({"alg": "HS256", **header}, secret)
            assert "signature" in refusal(access, forged)
    # And what it says of keys does no harm to one that is good.
    good = jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "../../etc/passwd"})
    assert access.caller(good).name == "jwt:ann"


def test_a_token_with_an_extension_we_do_not_know_is_refused() -> None:
    """RFC 7515, 4.1.11: what stands in `crit` must be understood."""
    header = {"alg": "HS256", "crit": ["exp-next-week"], "exp-next-week": True}
    assert "not valid" in refusal(Access(HS256, SIGNED_BY_US), hand_made(header, SECRET.encode()))


@pytest.mark.parametrize(
    "credential", ["..", "a.b.c", "eyJ.e.e", f"{part({'alg': 'HS256'})}..", "\0.\0.\0", "💥.💥.💥"]
)
def test_what_only_looks_like_a_token_is_refused(credential: str) -> None:
    assert "not valid" in refusal(Access(HS256, SIGNED_BY_US), credential)


def test_a_token_nested_without_end_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3000).rstrip(b"=").decode()
    assert "not valid" in refusal(Access(HS256, SIGNED_BY_US), f"{deep}.{deep}.x")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_checks_what_its_private_key_signed(
    algorithm: Any, rsa_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    keys: dict[str, Any] = {
        "RS256": rsa_key,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    path = tmp_path / "public.pem"
    path.write_bytes(pem(keys[algorithm]))
    access = Access(AccessConfig(jwt=JwtConfig(algorithm=algorithm, public_key=path)), Secrets())
    signed = jwt.encode(claims(), keys[algorithm], algorithm=algorithm)
    assert access.caller(signed).name == "jwt:ann"
    for other in keys.keys() - {algorithm}:
        foreign = jwt.encode(claims(), keys[other], algorithm=other)
        assert "in another way than is configured" in refusal(access, foreign)
    assert "in another way than is configured" in refusal(access, token())


def test_a_public_key_is_read_again_when_its_file_changes_and_kept_when_it_is_broken(
    tmp_path: Path,
) -> None:
    now_s = 0.0
    old, new = (ed25519.Ed25519PrivateKey.generate() for _ in range(2))
    by_old, by_new = (jwt.encode(claims(), key, algorithm="EdDSA") for key in (old, new))
    path = tmp_path / "public.pem"
    path.write_bytes(pem(old))
    config = AccessConfig(jwt=JwtConfig(algorithm="EdDSA", public_key=path))
    access = Access(config, Secrets(), clock=lambda: now_s)
    assert access.caller(by_old).name == "jwt:ann"

    for broken in (b"", b"no key", pem(ec.generate_private_key(ec.SECP256R1()))):
        path.write_bytes(broken)
        now_s += REREAD_S
        assert access.caller(by_old).name == "jwt:ann"
    path.unlink()
    now_s += REREAD_S
    assert access.caller(by_old).name == "jwt:ann"

    path.write_bytes(pem(new))
    assert "signature" in refusal(access, by_new)
    now_s += REREAD_S
    assert access.caller(by_new).name == "jwt:ann"
    assert "signature" in refusal(access, by_old)


@pytest.mark.parametrize(
    ("config", "secrets", "words"),
    [
        (JwtConfig(algorithm="HS256"), Secrets(), "PARLEY_JWT_SECRET"),
        (JwtConfig(algorithm="HS256"), Secrets(jwt_secret="short"), "has 5 bytes; at least 32"),
        (JwtConfig(algorithm="RS256"), SIGNED_BY_US, "access.jwt.public_key: missing"),
        (
            JwtConfig(algorithm="ES256", public_key=Path("nowhere.pem")),
            Secrets(),
            "access.jwt.public_key = 'nowhere.pem': No such file",
        ),
    ],
)
def test_tokens_that_cannot_be_checked_are_no_service(
    config: JwtConfig, secrets: Secrets, words: str
) -> None:
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        Access(AccessConfig(jwt=config), secrets)


def test_a_file_of_another_kind_is_refused_at_the_start(
    rsa_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    path = tmp_path / "public.pem"
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    for algorithm, content, words in (
        ("ES256", pem(rsa_key), "a key on the curve P-256"),
        ("ES256", pem(ec.generate_private_key(ec.SECP384R1())), "a key on the curve P-256"),
        ("RS256", pem(weak), "at least 2048 bits"),
        ("RS256", private_pem(rsa_key), "no public key in PEM"),
        ("EdDSA", b"\xff", "no public key in PEM"),
    ):
        path.write_bytes(content)
        config = AccessConfig.model_validate({"jwt": {"algorithm": algorithm, "public_key": path}})
        with pytest.raises(ConfigError, match=words):
            Access(config, Secrets())
