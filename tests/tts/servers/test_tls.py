"""Certificates that change while a server runs; handshakes in memory, without a socket."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.tts.certificates import Authority
from tts.config import ConfigError, TlsConfig
from tts.servers.tls import TlsFiles, server_context


def shaken(
    server: ssl.SSLContext,
    authority: Authority,
    client: tuple[Path, Path] | None = None,
    *,
    host: str | None = "localhost",
) -> bytes:
    """Certificate that a client is shown; with `host` None it names no server.

    Raises `ssl.SSLError` when either side refuses the other.
    """
    asking = ssl.create_default_context(cafile=authority.ca)
    if host is None:
        asking.check_hostname = False
    if client is not None:
        asking.load_cert_chain(*client)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = asking.wrap_bio(down, up, server_hostname=host)
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    # With TLS 1.3 a client hears of its refusal only after its own handshake.
    ours.write(b"hello")
    assert theirs.read(5) == b"hello"
    shown = theirs.getpeercert(binary_form=True)
    assert shown is not None
    return shown


@pytest.mark.parametrize("host", ["localhost", None])
def test_a_new_connection_gets_what_the_files_hold_now(tmp_path: Path, host: str | None) -> None:
    authority = Authority(tmp_path)
    config = authority.server()
    context = server_context(TlsFiles(config))
    first = shaken(context, authority, host=host)
    assert first == shaken(context, authority, host=host)
    certificate, _ = authority.issue("server")
    second = shaken(context, authority, host=host)
    assert second == ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert second != first


def test_a_client_must_show_a_certificate_of_the_authority_that_is_named(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    context = server_context(TlsFiles(authority.server(asks=True)))
    shaken(context, authority, authority.issue("client"))
    for client in (None, foreign.issue("stranger")):
        with pytest.raises(ssl.SSLError):
            shaken(context, authority, client)


def test_the_authority_of_clients_may_change_too(tmp_path: Path) -> None:
    authority, next_one = Authority(tmp_path), Authority(tmp_path, "next")
    clients = tmp_path / "clients.pem"
    clients.write_bytes(authority.ca.read_bytes())
    config = authority.server().model_copy(update={"client_ca": clients})
    context = server_context(TlsFiles(config))
    old, new = authority.issue("old"), next_one.issue("new")
    shaken(context, authority, old)
    clients.write_bytes(next_one.ca.read_bytes())
    shaken(context, authority, new)
    with pytest.raises(ssl.SSLError):
        shaken(context, authority, old)


def test_files_that_do_not_fit_each_other_leave_the_last_good_ones(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = authority.server()
    assert config.certificate is not None
    files = TlsFiles(config)
    good = files.current
    certificate, key = authority.issue("other")
    config.certificate.write_bytes(certificate.read_bytes())
    assert (files.changed(), files.current) == (None, good)
    assert config.key is not None
    config.key.write_bytes(key.read_bytes())
    fresh = files.changed()
    assert fresh is not None
    assert fresh is files.current
    assert fresh.certificate == certificate.read_bytes()
    assert files.changed() is None


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nrubbish"])
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    config = Authority(tmp_path).server(asks=True)
    path = tmp_path / "broken"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"{name} = '{path}'"):
        TlsFiles(config.model_copy(update={name: path}))


def test_an_encrypted_key_is_refused_and_not_asked_about(tmp_path: Path) -> None:
    config = Authority(tmp_path).server()
    assert config.key is not None
    key = load_pem_private_key(config.key.read_bytes(), None)
    config.key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    with pytest.raises(ConfigError, match="tls: "):
        TlsFiles(config)


@pytest.mark.parametrize("name", ["certificate", "key"])
def test_one_without_the_other_is_refused(tmp_path: Path, name: str) -> None:
    config = Authority(tmp_path).server()
    with pytest.raises(ConfigError, match="`certificate` and `key`"):
        TlsFiles(TlsConfig(**{name: getattr(config, name)}))
