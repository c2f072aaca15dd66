"""Threads of the libraries while a folder is explained."""

import cv2
import pytest
import torch

from workbench.commands.threads import shared_cores


@pytest.mark.parametrize(("given", "inside"), [(1, 1), (2, 1), (8, 4)])
def test_half_of_the_threads_are_left_to_reading_and_all_come_back(given, inside):
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(given)
    try:
        with shared_cores():
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (inside, 1)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (given, before[1])
    finally:
        torch.set_num_threads(before[0])
