"""What a caller of `Graphed` may rely on, on a CPU as on a GPU."""

import pytest
import torch
from torch import Tensor

from tts.engine.graphed import Graphed

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


def test_it_gives_what_the_function_gives(device: torch.device) -> None:
    doubled = Graphed(lambda a, b: 2 * a + b, *torch.zeros(2, 3, device=device))
    a, b = torch.arange(6.0, device=device).view(2, 3)
    assert torch.equal(doubled(a, b), 2 * a + b)
    assert torch.equal(doubled(b, a), 2 * b + a)


def test_a_result_stays_what_it_was_when_the_function_is_called_again(
    device: torch.device,
) -> None:
    buffer = torch.zeros(2, device=device)

    def written(x: Tensor) -> Tensor:
        buffer.copy_(x + 1)
        return buffer

    graphed = Graphed(written, torch.zeros(2, device=device))
    first = graphed(torch.tensor([1.0, 2.0], device=device))
    graphed(torch.tensor([5.0, 6.0], device=device))
    assert first.tolist() == [2, 3]


def test_inputs_are_copied_before_the_function_may_change_them(device: torch.device) -> None:
    graphed = Graphed(lambda x: x.add_(1), torch.zeros(2, device=device))
    mine = torch.tensor([1.0, 2.0], device=device)
    assert graphed(mine).tolist() == graphed(mine).tolist() == [2, 3]
    assert mine.tolist() == [1, 2]


def test_state_is_changed_in_place_by_calls_alone(device: torch.device) -> None:
    total = torch.zeros(1, device=device)

    def add(x: Tensor) -> Tensor:
        total.add_(x)
        return total

    graphed = Graphed(add, torch.zeros(1, device=device))
    for _ in range(3):
        found = graphed(torch.ones(1, device=device))
    assert found.item() == total.item() == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(3, 2), r"float32 \[3, 2\] on cpu: .* captured for float32 \[2, 3\] on cpu"),
        (torch.zeros(2, 3, dtype=torch.int64), r"int64 \[2, 3\] on cpu"),
    ],
)
def test_other_shapes_and_types_are_refused(wrong: Tensor, message: str) -> None:
    calls = []
    graphed = Graphed(lambda x: calls.append(x) or x, torch.zeros(2, 3))
    calls.clear()
    with pytest.raises(ValueError, match=message):
        graphed(wrong)
    with pytest.raises(ValueError, match="takes no others"):
        graphed()
    assert not calls
