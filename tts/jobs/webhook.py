"""Call-backs as rules: what is signed, who may be called, when it is tried again.

In: URLs, bodies, addresses, times.  Out: signatures and decisions.  No I/O; any thread.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence

from yarl import URL

from tts.errors import BadRequest

SIGNATURE_HEADER = "Parley-Signature"
ID_HEADER = "Parley-Webhook-Id"
"""The same for every attempt: whoever has seen it has been told already."""

MAX_URL_CHARS = 2000

WAITS_S = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21_600.0)
"""Between attempts: seven of them in nine hours."""


def signature(secret: str, body: bytes, sent_s: int) -> str:
    """Value of the header: "t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body", hexadecimal>".

    The time is signed too, so that nobody can send an old call-back again unseen.
    """
    signed = str(sent_s).encode() + b"." + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={sent_s},v1={digest}"


def next_attempt_s(attempts: int, now_s: float) -> float | None:
    """When to try again after so many attempts; None: no more."""
    return now_s + WAITS_S[attempts - 1] if attempts <= len(WAITS_S) else None


def check_url(url: str, hosts: Sequence[str]) -> None:
    """Raise `BadRequest` unless a call-back may go there; `hosts` is `jobs.webhook_hosts`.

    Where a name leads to is looked at when it is called: see `may_connect`.
    """
    if not hosts:
        raise BadRequest("webhook: this service calls nobody back; see jobs.webhook_hosts").about(
            "webhook"
        )
    allowed = "an http or https URL without user and password is allowed"
    try:
        # Read as the client reads it: "①②⑦.0.0.1" is 127.0.0.1 to it, and no name to look up.
        parts = URL(url)
        host = (parts.host or "").removesuffix(".")
    except ValueError:
        host = ""
    if (
        not host
        or parts.scheme not in ("http", "https")
        or parts.user is not None
        or len(url) > MAX_URL_CHARS
        or any(char.isspace() or not char.isprintable() for char in url)
    ):
        raise BadRequest(
            f"webhook = {url[:80]!r}: {allowed}, of at most {MAX_URL_CHARS} characters"
        ).about("webhook")
    if not (is_listed(host, hosts) or "*" in hosts):
        raise BadRequest(f"webhook: the host {host[:80]!r} is not one of jobs.webhook_hosts").about(
            "webhook"
        )
    if _is_address(host) and not may_connect(host, host, hosts):
        raise BadRequest(f"webhook: the address {host[:80]!r} is not a public one").about("webhook")


def is_listed(host: str, hosts: Sequence[str]) -> bool:
    """Whether a host is allowed by its own name, and may be a private one then."""
    return host.casefold() in (one.casefold() for one in hosts)


def may_connect(host: str, address: str, hosts: Sequence[str]) -> bool:
    """Whether a call-back for a host may go to an address that its name leads to.

    An address that is not public would let a caller reach what only this machine can.
    """
    return is_listed(host, hosts) or is_public(address)


def is_public(address: str) -> bool:
    """Whether an IP address is anybody's to reach, also where it stands for another one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = _inside(found)
        if inner is not None and not is_public(str(inner)):
            return False
        if found.ipv4_mapped is not None:
            return True
    return found.is_global and not found.is_multicast and not found.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to (RFC 4291, 3056, 4380, 6052), if any."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
