"""The certificate of the doors on TCP, as its files hold it now.

In: `TlsConfig`.  Out: PEM bytes for gRPC, or a context of `ssl` for HTTP, each checked before it is
used.  Files are looked at whenever a connection begins: three `stat` calls, far less than its
handshake takes.  Files that are half written, or do not fit each other, leave the last good ones
in use.  Knows no door; any thread.
"""

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from tts.config import ConfigError, TlsConfig


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a connection is encrypted with."""

    certificate: bytes
    """PEM: ours, then its issuers'."""
    key: bytes
    """PEM."""
    client_ca: bytes | None
    """PEM; None: clients need no certificate."""
    context: ssl.SSLContext
    """The same for `ssl`."""


class TlsFiles:
    """The files that a configuration names."""

    def __init__(self, config: TlsConfig) -> None:
        """Raises `ConfigError` for files that cannot be used, or that are not named."""
        self._paths = _paths(config)
        self._lock = threading.Lock()
        self._stamps = self._look()
        try:
            self._current = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError(f"tls: {self._named()}: {error}") from error

    @property
    def current(self) -> Certificates:
        """What was last found to be good."""
        return self._current

    def changed(self) -> Certificates | None:
        """What the files hold since they were changed; None where that is nothing new or good."""
        with self._lock:
            stamps = self._look()
            if stamps == self._stamps:
                return None
            try:
                fresh = self._read()
            except (OSError, ValueError) as error:
                self._stamps = stamps
                logger.bind(files=self._named(), error=str(error)).warning(
                    "changed certificate cannot be used, the last one stays"
                )
                return None
            if self._look() != stamps:  # in the middle of a change: the next connection will do
                return None
            self._stamps, self._current = stamps, fresh
        logger.bind(files=self._named()).info("certificate changed")
        return fresh

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        """What tells one content of the files from another, without reading them."""
        stamps = []
        for path in self._paths.values():
            try:
                found = path.stat()
            except OSError:
                stamps.append((0, 0, 0))
            else:
                # The time of the last change counts those of permissions too.
                stamps.append((found.st_ino, found.st_size, found.st_ctime_ns))
        return tuple(stamps)

    def _read(self) -> Certificates:
        """Raises `OSError`, `ssl.SSLError` among them, for what fits no connection."""
        content = {name: path.read_bytes() for name, path in self._paths.items()}
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # Without a password an encrypted key would be asked for at the terminal.
        context.load_cert_chain(self._paths["certificate"], self._paths["key"], password="")
        if "client_ca" in self._paths:
            context.load_verify_locations(self._paths["client_ca"])
            context.verify_mode = ssl.CERT_REQUIRED
        return Certificates(
            content["certificate"], content["key"], content.get("client_ca"), context
        )

    def _named(self) -> str:
        return ", ".join(f"{name} = {str(path)!r}" for name, path in self._paths.items())


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for a server; each connection is given what the files hold when it begins."""
    context = files.current.context

    # OpenSSL calls this in each handshake, also for clients that name no server.
    def choose(
        connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        files.changed()
        if files.current.context is not context:
            connection.context = files.current.context

    context.sni_callback = choose
    return context


def _paths(config: TlsConfig) -> Mapping[str, Path]:
    """The files by their keys.  Raises `ConfigError` where one lacks another."""
    if config.certificate is None or config.key is None:
        raise ConfigError("tls: `certificate` and `key` must both name a file")
    paths = {"certificate": config.certificate, "key": config.key}
    if config.client_ca is not None:
        paths["client_ca"] = config.client_ca
    return paths
