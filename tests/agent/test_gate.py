"""What waits behind a closed gate comes out once, in order, and nothing overtakes it."""

import asyncio

from agent.gate import Gate
from tests import virtual_time


def test_an_open_gate_carries_out_at_once() -> None:
    async def main() -> list[str]:
        gate, done = Gate(), list[str]()

        async def act() -> None:
            done.append("act")

        await gate.do(act)
        await gate.passed()
        return done

    assert virtual_time.run(main()) == ["act"]


def test_a_closed_gate_carries_out_nothing() -> None:
    async def main() -> tuple[list[str], bool]:
        gate, done = Gate(is_open=False), list[str]()

        async def act() -> None:
            done.append("act")

        await gate.do(act)
        passing = asyncio.create_task(gate.passed())
        await asyncio.sleep(10)
        passed = passing.done()
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
        return done, passed

    assert virtual_time.run(main()) == ([], False)


def test_what_comes_while_it_opens_keeps_its_place_behind_what_waited() -> None:
    async def main() -> list[int]:
        gate, done = Gate(is_open=False), list[int]()

        def slow(number: int) -> object:
            async def act() -> None:
                await asyncio.sleep(1)
                done.append(number)

            return act

        for number in range(3):
            await gate.do(slow(number))  # type: ignore[arg-type]
        opening = asyncio.create_task(gate.open())
        await asyncio.sleep(1.5)
        assert not gate.is_open
        await gate.do(slow(3))  # type: ignore[arg-type]
        await opening
        await gate.do(slow(4))  # type: ignore[arg-type]
        return done

    assert virtual_time.run(main()) == [0, 1, 2, 3, 4]


def test_an_opening_that_is_cancelled_loses_nothing() -> None:
    async def main() -> list[int]:
        gate, done = Gate(is_open=False), list[int]()

        async def act() -> None:
            await asyncio.sleep(1)
            done.append(len(done))

        for _ in range(3):
            await gate.do(act)
        opening = asyncio.create_task(gate.open())
        await asyncio.sleep(1.5)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        assert not gate.is_open
        await gate.open()
        return done

    assert virtual_time.run(main()) == [0, 1, 2]
