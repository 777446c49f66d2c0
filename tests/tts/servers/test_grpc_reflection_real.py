"""A client that knows nothing of our messages but what the door tells: as grpcurl works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.tts.doors import KEY, grpc_door, running
from tests.tts.fake_engine import FakeEngine, ramp_pcm
from tests.tts.test_contract import CONFIG
from tts.config import GrpcConfig, Secrets, ServiceConfig
from tts.servers.grpc import SERVICE_NAME

pytestmark = pytest.mark.real

LOCKED = Secrets(token=KEY)


@asynccontextmanager
async def channel_to(config: ServiceConfig = CONFIG) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        running(FakeEngine(), config) as service,
        grpc_door(service, config, "127.0.0.1:0", secrets=LOCKED) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel


async def reflected(channel: grpc.aio.Channel, **question: Any) -> Any:
    """The answer to one question."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(**question)])
    (answer,) = [one async for one in stub.ServerReflectionInfo(asked)]
    return answer


async def described(channel: grpc.aio.Channel, symbol: str) -> DescriptorPool:
    """A pool with the file that has a symbol, and nothing else."""
    pool = DescriptorPool()
    answer = await reflected(channel, file_containing_symbol=symbol)
    for data in answer.file_descriptor_response.file_descriptor_proto:
        pool.Add(FileDescriptorProto.FromString(data))
    return pool


def call(channel: grpc.aio.Channel, method: Any) -> tuple[Any, type[Message]]:
    """How to call a method, and the type of what it takes, from its description alone."""
    kind = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }[method.client_streaming, method.server_streaming]
    takes, gives = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    made = kind(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=takes.SerializeToString,
        response_deserializer=gives.FromString,
    )
    return made, takes


def test_services_are_listed_to_whoever_asks() -> None:
    async def scenario() -> None:
        async with channel_to() as channel:
            answer = await reflected(channel, list_services="")
        assert {service.name for service in answer.list_services_response.service} == {
            SERVICE_NAME,
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }

    asyncio.run(scenario())


def test_the_service_is_called_from_its_description_alone() -> None:
    metadata = (("authorization", f"Bearer {KEY}"),)

    async def scenario() -> None:
        async with channel_to() as channel:
            pool = await described(channel, SERVICE_NAME)
            methods = pool.FindServiceByName(SERVICE_NAME).methods_by_name
            assert set(methods) == {
                "Synthesize",
                "StreamSynthesize",
                "SynthesizeText",
                "ListVoices",
            }
            list_voices, takes = call(channel, methods["ListVoices"])
            answer = await list_voices(takes(), metadata=metadata)
            assert [voice.id for voice in answer.voices] == ["ann", "bob"]
            stream, takes = call(channel, methods["StreamSynthesize"])
            request = takes(text="Hello there, Ann.", voice="ann", language="en")
            chunks = [chunk async for chunk in stream(request, metadata=metadata)]
            assert b"".join(chunk.pcm for chunk in chunks) == ramp_pcm(1000)
            texts, takes = call(channel, methods["SynthesizeText"])
            messages = [
                takes(request={"voice": "ann", "language": "en"}),
                takes(text="Hello."),
                takes(end=True),
            ]
            chunks = [chunk async for chunk in texts(iter(messages), metadata=metadata)]
            assert b"".join(chunk.pcm for chunk in chunks) == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_symbol_that_is_not_there_is_an_answer() -> None:
    async def scenario() -> None:
        async with channel_to() as channel:
            answer = await reflected(channel, file_containing_symbol="parley.tts.v1.Nothing")
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

    asyncio.run(scenario())


def test_without_reflection_the_door_tells_nothing() -> None:
    async def scenario() -> None:
        config = CONFIG.model_copy(update={"grpc": GrpcConfig(reflection=False)})
        async with channel_to(config) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await reflected(channel, list_services="")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(scenario())
