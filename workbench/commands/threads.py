"""How many threads each library gets while files are read and classified side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch


@contextmanager
def shared_cores() -> Iterator[None]:
    """Leave half of the cores to the threads that read files; OpenCV works on one.

    PyTorch's threads wait for each other in a loop: beside other work on all cores, small images take several times
    as long on two threads as on one.
    """
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(max(1, before[0] // 2))
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
