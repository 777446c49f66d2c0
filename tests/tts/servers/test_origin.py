"""Which hosts and origins are let in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.servers.origin import host_of, is_loopback, may_ask, names_loopback, origin_behind

HOST = "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("authority", "ours"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8080", True),
        ("127.9.9.9:1", True),
        ("[::1]:8080", True),
        ("localhost:8080", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8080", False),
        ("10.0.0.1", False),
        ("", False),
        ("[::1", False),
        ("user@127.0.0.1", True),
    ],
)
def test_a_host_header_names_this_machine_or_not(authority: str, ours: bool) -> None:
    assert names_loopback(authority) is ours


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:3000", True),
        ("http://[::1]:3000", True),
        ("https://app.example.org", True),
        ("https://app.example.org.evil.example", False),
        ("http://evil.example", False),
        ("null", False),
        ("file://", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_on_loopback_pages_of_this_machine_and_of_allowed_sites_may_ask(
    origin: str, allowed: bool
) -> None:
    sites = ("https://app.example.org",)
    assert may_ask(origin, HOST, allowed_origins=sites, loopback_only=True) is allowed


def test_elsewhere_only_the_servers_own_pages_and_allowed_sites_may_ask() -> None:
    def asks(origin: str) -> bool:
        return may_ask(
            origin, "tts.example", allowed_origins=["https://a.example"], loopback_only=False
        )

    assert asks("https://tts.example")
    assert asks("https://a.example")
    assert not asks("http://localhost:3000")
    assert not asks("https://b.example")


@given(st.text(), st.text())
def test_nothing_that_a_stranger_sends_raises(one: str, other: str) -> None:
    host_of(one)
    is_loopback(one)
    may_ask(one, other, allowed_origins=(), loopback_only=True)


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, None),
        ({"Referer": "http://evil.example/"}, None),
        ({"Sec-Fetch-Site": "none", "Referer": "http://evil.example/"}, None),
        ({"Sec-Fetch-Site": "same-origin"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
        (
            {"Sec-Fetch-Site": "cross-site", "Referer": "http://evil.example:8/a?b"},
            "http://evil.example:8",
        ),
        ({"Sec-Fetch-Site": "cross-site"}, "://"),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "http://[::1"}, ""),
    ],
)
def test_what_a_page_shows_comes_from_that_page(
    headers: dict[str, str], origin: str | None
) -> None:
    assert origin_behind(headers) == origin
    if origin in ("", "://"):
        assert not may_ask(origin, HOST, allowed_origins=(), loopback_only=True)
