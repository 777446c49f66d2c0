"""Call-backs as rules: signatures, hosts, addresses, attempts."""

import hashlib
import hmac

import pytest

from tts.errors import BadRequest
from tts.jobs.webhook import check_url, is_public, may_connect, next_attempt_s, signature


def test_the_signature_is_the_hmac_of_time_and_body() -> None:
    expected = hmac.new(b"secret", b'1700000000.{"a": 1}', hashlib.sha256).hexdigest()
    assert signature("secret", b'{"a": 1}', 1_700_000_000) == f"t=1700000000,v1={expected}"


def test_there_are_seven_attempts_within_nine_hours() -> None:
    times, now_s = [0.0], 0.0
    while (next_s := next_attempt_s(len(times), now_s)) is not None:
        times.append(next_s)
        now_s = next_s
    assert times == [0, 10, 70, 370, 2170, 9370, 30_970]


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://example.org/x?y=1", ("example.org",)),
        ("http://Example.org:8080/", ("example.ORG",)),
        ("https://anything.example/x", ("*",)),
        ("https://93.184.215.14/", ("*",)),
        ("http://127.0.0.1:9/x", ("127.0.0.1",)),
        ("http://[::1]:9/x", ("::1",)),
    ],
)
def test_a_host_that_is_listed_may_be_called(url: str, hosts: tuple[str, ...]) -> None:
    check_url(url, hosts)


@pytest.mark.parametrize(
    ("url", "hosts", "words"),
    [
        ("https://example.org/", (), "calls nobody back"),
        ("https://evil.example/", ("example.org",), "'evil.example' is not one of"),
        ("https://example.org.evil.example/", ("example.org",), "not one of"),
        ("https://example.org@evil.example/", ("*",), "without user and password"),
        ("ftp://example.org/", ("*",), "http or https"),
        ("file:///etc/passwd", ("*",), "http or https"),
        ("example.org", ("*",), "http or https"),
        ("https://", ("*",), "http or https"),
        ("https://example.org:x/", ("*",), "http or https"),
        ("https://[::1/", ("*",), "http or https"),
        ("https://example.org/\r\nX: y", ("*",), "http or https"),
        ("https://example.org/" + "x" * 2000, ("*",), "at most 2000"),
        ("http://127.0.0.1/", ("*",), "not a public one"),
        ("http://169.254.169.254/latest/meta-data", ("*",), "not a public one"),
        ("http://[::ffff:10.0.0.1]/", ("*",), "not a public one"),
        # What a client makes an address of is one, however it is written.
        ("http://①②⑦.0.0.1/", ("*",), "not a public one"),
        ("http://127。0。0。1/", ("*",), "not a public one"),
        ("http://127.0.0.1./", ("*",), "not a public one"),
        ("http://example.org\\@127.0.0.1/", ("*",), "http or https"),
    ],
)
def test_any_other_url_is_refused_with_the_reason(
    url: str, hosts: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        check_url(url, hosts)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_addresses_that_anybody_can_reach_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *["127.0.0.1", "127.8.9.10", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"],
        *["0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1"],
        *["::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"],
        *["::ffff:127.0.0.1", "::ffff:a00:1", "2002:7f00:1::", "64:ff9b::7f00:1"],
        *["2001:0:4136:e378:8000:63bf:80ff:fffe", "localhost", "", "1.2.3"],
    ],
)
def test_no_other_address_is_public_also_where_it_hides_in_another(address: str) -> None:
    assert not is_public(address)


def test_a_private_address_may_be_called_only_for_a_host_listed_by_name() -> None:
    assert may_connect("hooks.internal", "10.0.0.1", ("hooks.internal",))
    assert not may_connect("hooks.internal", "10.0.0.1", ("*",))
    assert may_connect("example.org", "8.8.8.8", ("*",))
