"""Who may ask over HTTP, judged by where a request comes from: its Host and its Origin.

A page that somebody visits can send requests to servers on that machine, where there is often no
key.  So the page's origin must be one that may ask; and where only this machine is served, the Host
must name it, which defeats a foreign name that was rebound to 127.0.0.1.  Pure; any thread.
"""

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_loopback(authority: str) -> bool:
    """Whether a Host header, "host", "host:port" or "[v6]:port", names this machine."""
    return is_loopback(host_of(authority))


def may_ask(
    origin: str, host: str, *, allowed_origins: Collection[str], loopback_only: bool
) -> bool:
    """Whether a page of `origin` may ask the server that it calls `host`.

    `loopback_only`: the server listens for this machine alone; then every page that is served from
    this machine may.
    """
    if origin in allowed_origins:
        return True
    try:
        authority = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(authority) and (authority == host or loopback_only and names_loopback(authority))


def origin_behind(headers: Mapping[str, str]) -> str | None:
    """The page that a request without an Origin comes from, where a browser says that this is one
    of another site; None: of no other site.

    Browsers send no Origin with what a page merely shows or plays, such as <img src="...">, though
    it may do something here; but they say so in Sec-Fetch-Site (Fetch Metadata), and whose page it
    is in Referer, unless the page forbids that.
    """
    if headers.get("Sec-Fetch-Site") != "cross-site":
        return None
    try:
        parts = urlsplit(headers.get("Referer", ""))
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def host_of(authority: str) -> str:
    """The host of "host", "host:port" or "[v6]:port"; "" when it makes no sense."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
