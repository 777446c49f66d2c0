"""Who gets through the gRPC door: certificates, keys, tokens, and their change while it is open."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import jwt
import pytest

from tests.tts.certificates import Authority
from tests.tts.doors import KEY, OPEN, grpc_door, running
from tests.tts.fake_engine import VOICES, FakeEngine
from tests.tts.test_contract import CONFIG, REQUEST, collect
from tts.client import ClientTls, TtsClient
from tts.config import AccessConfig, ConfigError, JwtConfig, KeyConfig, Secrets, TlsConfig
from tts.errors import RateLimited, TtsError, Unauthenticated, Unavailable
from tts.servers.proto import tts_pb2, tts_pb2_grpc

pytestmark = pytest.mark.real

LOCKED = Secrets(token=KEY)
LIMITED = AccessConfig(
    keys=(KeyConfig(name="ann", sha256=hashlib.sha256(b"hers").hexdigest(), requests_per_minute=1),)
)
JWT_SECRET = "a secret of at least thirty-two bytes"


@asynccontextmanager
async def client(
    address: str, *, key: str | None = None, tls: ClientTls | None = None
) -> AsyncIterator[TtsClient]:
    made = TtsClient(address, key=key, tls=tls, call_timeout_s=2.0, first_chunk_timeout_s=2.0)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def served(
    engine: FakeEngine,
    *,
    tls: TlsConfig | None = None,
    access: AccessConfig | None = None,
    secrets: Secrets = OPEN,
) -> AsyncIterator[str]:
    """The address of a service on TCP."""
    update = {"tls": tls or TlsConfig(), "access": access or AccessConfig()}
    config = CONFIG.model_copy(update=update)
    async with (
        running(engine, config) as service,
        grpc_door(service, config, "127.0.0.1:0", secrets=secrets) as port,
    ):
        yield f"127.0.0.1:{port}"


def test_only_who_trusts_the_authority_gets_through(tmp_path: Path) -> None:
    async def scenario() -> None:
        authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
        async with served(FakeEngine(), tls=authority.server()) as address:
            async with client(address, tls=authority.client()) as trusting:
                assert await trusting.voices() == VOICES
            for tls in (foreign.client(), None):
                async with client(address, tls=tls) as other:
                    with pytest.raises(Unavailable):
                        await other.voices()

    asyncio.run(scenario())


def test_a_client_without_a_certificate_does_not_get_through_where_one_is_asked_for(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
        certificate, key = foreign.issue("stranger")
        async with served(FakeEngine(), tls=authority.server(asks=True)) as address:
            async with client(address, tls=authority.client(shows=True)) as known:
                assert await known.voices() == VOICES
            strange = ClientTls(authority.ca, certificate, key)
            for tls in (authority.client(), strange):
                async with client(address, tls=tls) as unknown:
                    with pytest.raises(Unavailable):
                        await unknown.voices()
                    assert not await unknown.ready()

    asyncio.run(scenario())


def test_new_connections_get_a_new_certificate_and_running_ones_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        old, new = Authority(tmp_path), Authority(tmp_path, "new")
        async with served(FakeEngine(), tls=old.server()) as address:
            async with (
                client(address, tls=old.client()) as before,
                aclosing(before.stream(REQUEST)) as chunks,
            ):
                await anext(chunks)
                new.issue("server")
                async with client(address, tls=new.client()) as after:
                    assert await after.voices() == VOICES
                assert (await collect(chunks))[-1].is_final
                async with client(address, tls=old.client()) as late:
                    with pytest.raises(Unavailable):
                        await late.voices()
                assert await before.voices() == VOICES

    asyncio.run(scenario())


async def outcomes(asking: TtsClient) -> list[str]:
    """How each call ends: "ok" or a code."""

    async def nothing() -> AsyncIterator[str]:
        yield "."

    ends = []
    for call in (
        collect(asking.stream(REQUEST)),
        collect(asking.stream_text(REQUEST, nothing())),
        asking.synthesize(REQUEST),
        asking.voices(),
    ):
        try:
            await call
        except TtsError as error:
            ends.append(error.code)
        else:
            ends.append("ok")
    return ends


@pytest.mark.parametrize(
    ("key", "end"), [(None, "unauthenticated"), ("wrong", "unauthenticated"), (KEY, "ok")]
)
def test_every_call_needs_the_key_and_health_needs_none(key: str | None, end: str) -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with served(engine, secrets=LOCKED) as address, client(address, key=key) as asking:
            assert await outcomes(asking) == [end] * 4
            assert await asking.ready()
        assert (engine.steps == []) is (end != "ok")

    asyncio.run(scenario())


def test_a_refusal_is_told_as_it_is_while_text_is_being_sent() -> None:
    """`grpc.aio` made INTERNAL of more than half of them: see `tts.client._Ending`."""

    async def words() -> AsyncIterator[str]:
        for _ in range(20):
            yield "word "

    async def scenario() -> None:
        async with served(FakeEngine(), secrets=LOCKED) as address:
            for _ in range(50):
                async with client(address) as asking:
                    with pytest.raises(Unauthenticated, match="a key is needed"):
                        await collect(asking.stream_text(REQUEST, words()))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ((("authorization", f"Bearer {KEY}"),), ""),
        ((("authorization", f"bearer {KEY}"),), ""),
        ((("x-api-key", KEY),), ""),
        ((("authorization", "Basic x"),), "must be `Bearer KEY`"),
        ((("authorization", "Bearer"),), "a key is needed"),
        ((("x-api-key", "k" * 4000),), "the key is not valid"),
        ((("x-api-key-bin", KEY.encode()),), "a key is needed"),
    ],
)
def test_headers_that_carry_a_key(metadata: tuple[tuple[str, str], ...], words: str) -> None:
    async def scenario() -> None:
        async with (
            served(FakeEngine(), secrets=LOCKED) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            call = stub.ListVoices(tts_pb2.ListVoicesRequest(), metadata=metadata)
            if not words:
                assert len((await call).voices) == len(VOICES)
                return
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert words in caught.value.details()

    asyncio.run(scenario())


def test_on_a_unix_socket_no_key_is_needed_but_a_wrong_one_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        address = f"unix:{tmp_path / 's'}"
        async with (
            running(FakeEngine(), CONFIG) as service,
            grpc_door(service, CONFIG, address, secrets=LOCKED),
        ):
            for key in (None, KEY):
                async with client(address, key=key) as asking:
                    assert await asking.voices() == VOICES
            async with client(address, key="wrong") as asking:
                with pytest.raises(Unauthenticated):
                    await asking.voices()

    asyncio.run(scenario())


def test_a_key_is_held_to_its_limits_and_told_when_it_may_again() -> None:
    async def scenario() -> None:
        async with (
            served(FakeEngine(), access=LIMITED) as address,
            client(address, key="hers") as ann,
        ):
            assert (await ann.synthesize(REQUEST)).is_final
            with pytest.raises(RateLimited) as caught:
                await ann.synthesize(replace(REQUEST, text="Hi."))
            assert caught.value.retry_after_s in range(58, 61)

    asyncio.run(scenario())


def test_a_signed_token_is_a_key() -> None:
    async def scenario() -> None:
        access = AccessConfig(jwt=JwtConfig(algorithm="HS256"))
        secrets = Secrets(jwt_secret=JWT_SECRET)
        now = int(time.time())
        async with served(FakeEngine(), access=access, secrets=secrets) as address:
            for expires, ends in ((now + 600, ["ok"] * 4), (now - 600, ["unauthenticated"] * 4)):
                token = jwt.encode({"sub": "bob", "exp": expires}, JWT_SECRET, "HS256")
                async with client(address, key=token) as asking:
                    assert await outcomes(asking) == ends

    asyncio.run(scenario())


def test_without_keys_only_this_machine_is_served() -> None:
    async def scenario() -> None:
        async with running(FakeEngine(), CONFIG) as service:
            with pytest.raises(ConfigError, match=r"address = '0\.0\.0\.0:0'"):
                async with grpc_door(service, CONFIG, "0.0.0.0:0"):
                    pass

    asyncio.run(scenario())


def test_certificates_that_cannot_be_used_keep_the_door_shut(tmp_path: Path) -> None:
    async def scenario() -> None:
        missing = tmp_path / "missing.pem"
        tls = TlsConfig(certificate=missing, key=missing)
        with pytest.raises(ConfigError, match=f"certificate = '{missing}'"):
            async with served(FakeEngine(), tls=tls):
                pass

    asyncio.run(scenario())


def test_a_key_that_no_header_can_carry_is_refused_by_the_client() -> None:
    for key in ("a\nb", "ключ", "\x00"):
        with pytest.raises(ValueError, match="printable ASCII"):
            TtsClient("unix:/nobody", key=key)


def test_a_file_that_the_client_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        TtsClient("unix:/nobody", tls=ClientTls(ca=tmp_path / "missing"))
