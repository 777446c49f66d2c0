import asyncio

from transports.impairment import ImpairedPath, Impairment


def pass_through(impairment: Impairment, count: int) -> tuple[list[int], ImpairedPath]:
    async def scenario() -> tuple[list[int], ImpairedPath]:
        path, arrived = ImpairedPath(impairment), []

        async def send(packet: bytes) -> None:
            arrived.append(int(packet))

        for n in range(count):
            await path.relay(str(n).encode(), send)
        await asyncio.gather(*path._tasks)
        return arrived, path

    return asyncio.run(scenario())


def test_same_seed_loses_the_same_packets():
    first, path = pass_through(Impairment(0.1, 0, seed=1), 1000)
    second, _ = pass_through(Impairment(0.1, 0, seed=1), 1000)
    other, _ = pass_through(Impairment(0.1, 0, seed=2), 1000)
    assert first == second != other
    assert (path.sent, path.lost) == (len(first), 1000 - len(first))
    assert 60 < path.lost < 140


def test_perfect_path_changes_nothing():
    assert pass_through(Impairment(0, 0, seed=1), 100)[0] == list(range(100))


def test_jitter_reorders_but_loses_nothing():
    arrived, _ = pass_through(Impairment(0, 20, seed=1), 100)
    assert sorted(arrived) == list(range(100)) != arrived


def test_closing_drops_what_is_on_its_way():
    async def scenario() -> list[bytes]:
        path, arrived = ImpairedPath(Impairment(0, 60_000, seed=1)), []

        async def send(packet: bytes) -> None:
            arrived.append(packet)

        await path.relay(b"1", send)
        await path.close()
        return arrived

    assert asyncio.run(scenario()) == []
