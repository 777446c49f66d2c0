"""The client of the speech service, made as the configuration says.

In: the configuration, the secrets, and where the service listens.  Out: a `TtsClient`.
"""

from collections.abc import Callable, MutableMapping

from agent.config import Secrets, TtsConfig
from tts.client import ClientTls, TtsClient


def speech_client(
    config: TtsConfig,
    secrets: Secrets,
    address: str,
    *,
    inject: Callable[[MutableMapping[str, str]], None] | None = None,
) -> TtsClient:
    """A client of the service at `address`, the daemon's own or one that runs elsewhere.

    `inject` adds the trace that a call is in.  Raises `OSError` for a file that cannot be read.
    """
    return TtsClient(
        address,
        key=secrets.tts_key,
        tls=ClientTls(ca=config.tls_ca) if config.address and config.tls else None,
        inject=inject,
        first_chunk_timeout_s=config.first_chunk_timeout_s,
    )
