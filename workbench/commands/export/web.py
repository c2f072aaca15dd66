"""`ferscope export web`: a static page that runs networks in the visitor's browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

from models.checkpoints import CheckpointError
from models.text import percentage
from workbench.services import web_demo
from workbench.services.networks import DEFAULT_NETWORK

_MB = 1e6


def export_web(
    out: Annotated[Path, tyro.conf.Positional],
    network: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    storage: web_demo.Storage | None = None,
) -> None:
    """Write the web demo: a folder for any static web server, in which the visitor's browser runs the networks.

    Args:
        out: the folder
        network: name of a trained network, the default one if none is named; may be repeated
        storage: type of the weights; by default the smallest that gives the workbench's results
    """
    try:
        demo = web_demo.write(out, network or (DEFAULT_NETWORK,), storage, print)
    except (web_demo.WebDemoError, CheckpointError, OSError) as error:
        sys.exit(str(error))
    for name, exported in demo.networks.items():
        print("\n".join(report(name, exported)))
    largest = sorted(demo.sizes.items(), key=lambda file: -file[1])[:4]
    print(f"{out}: {demo.bytes / _MB:.1f} MB; " + ", ".join(f"{name} {size / _MB:.1f}" for name, size in largest))
    print(f"Try it: python -m http.server --directory {out} 8000, then open http://localhost:8000")


def report(name: str, exported: web_demo.Exported) -> list[str]:
    """A line for each type of the weights: bytes, differences from PyTorch, accuracy, and which one is used."""
    on = f"on {exported.images} validation images" if exported.images else "accuracy not measured (no imported FER2013)"
    lines = [f"{name}, compared with PyTorch on the samples and {on}:"]
    for found in exported.tried:
        accuracy = "" if found.accuracy is None else f", accuracy {percentage(found.accuracy, 2)} ({found.points:+.2f})"
        choice = "used" if found is exported.used else f"not used: {found.refused}" if found.refused else "not used"
        lines.append(
            f"  {found.storage}  {len(found.data) / _MB:5.1f} MB, probabilities ±{found.probability:.0e}, "
            f"maps ±{found.map:.0e}{accuracy}; {choice}"
        )
    return lines


def main(argv: list[str]) -> None:
    """Run `ferscope export web ...`; on an error, print one sentence and exit with status 1."""
    tyro.cli(export_web, prog="ferscope export web", args=argv, config=(tyro.conf.FlagCreatePairsOff,))
