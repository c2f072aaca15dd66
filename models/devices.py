"""Where networks run: what `--device` means."""

from __future__ import annotations

import torch


def device_of(name: str) -> str:
    """The device that a name means; auto is an NVIDIA GPU where there is one, otherwise the CPU.

    Raises:
        ValueError: no such device is in this computer.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    found = ("cuda" if there["cuda"] else "cpu") if name == "auto" else name
    if there.get(found):
        return found
    choice = ", ".join(device for device, is_there in there.items() if is_there)
    raise ValueError(f"There is no device {name} here: give --device auto, or one that is there ({choice}).")
