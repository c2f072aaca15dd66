"""A seed decides the draws of its block, whoever else draws meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import torch

from models.seeding import seeded


def test_equal_seeds_draw_alike_and_the_generator_goes_on_as_if_nothing_had_been():
    torch.manual_seed(5)
    before = torch.rand(3)
    torch.manual_seed(5)
    with seeded(1):
        first = torch.rand(2)
    assert torch.equal(torch.rand(3), before)
    with seeded(1):
        assert torch.equal(torch.rand(2), first)
    with seeded(2):
        assert not torch.equal(torch.rand(2), first)


def test_two_threads_do_not_disturb_each_other():
    inside, go_on = Event(), Event()

    def slowly() -> torch.Tensor:
        with seeded(1):
            first = torch.rand(1)
            inside.set()
            go_on.wait(0.3)  # the other one would draw now
            return torch.cat([first, torch.rand(1)])

    def meanwhile() -> torch.Tensor:
        inside.wait(5)
        with seeded(1):
            go_on.set()
            return torch.rand(2)

    with ThreadPoolExecutor() as pool:
        one, other = (task.result() for task in [pool.submit(slowly), pool.submit(meanwhile)])
    assert torch.equal(one, other)
