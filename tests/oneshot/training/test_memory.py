import pytest
import torch

from oneshot.errors import GraphError
from oneshot.training.memory import is_out_of_memory, largest_batch

FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
    GraphError("edge 1-2 of cell: conv: DefaultCPUAllocator: can't allocate memory"),
]


@pytest.mark.parametrize("error", FULL)
def test_the_batch_is_halved_until_it_fits(error):
    tried = []

    def step(batch):
        tried.append(batch)
        if batch > 13:
            raise error

    assert is_out_of_memory(error)
    assert largest_batch(step, 96) == 12
    assert tried == [48, 24, 12]


def test_nothing_fits():
    def step(batch):
        raise torch.OutOfMemoryError

    assert largest_batch(step, 96) is None
    assert largest_batch(step, 3) is None


def test_another_error_passes():
    def step(batch):
        raise RuntimeError("shapes do not meet")

    with pytest.raises(RuntimeError, match="do not meet"):
        largest_batch(step, 96)
    assert not is_out_of_memory(ValueError("can't allocate memory of another kind").with_traceback(None))


def test_the_allocator_of_the_cpu_says_what_is_known_here():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**62, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
