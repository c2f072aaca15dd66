"""`ferscope models [NAME]`, or `python -m models.model_table`: the table of networks, or one of them in detail.

With `--write` the table goes into models/README.md, between its two marks.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.markdown import Markdown
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .checkpoints import CheckpointError, broken_checkpoints, checkpoint_folder, fault, read_card
from .files import write_bytes
from .paths import CODE, SHIPPED
from .registry import PAPERS, changed, create_model, get_spec, list_models

README = Path(__file__).with_name("README.md")
COMPILED = SHIPPED / "benchmarks" / "results" / "compile_cpu.json"
"""What `benchmarks/compile.py` measured."""
MARKS = "<!-- table: ferscope models --write -->\n", "<!-- end of table -->\n"


@dataclass(frozen=True)
class Row:
    """A network in numbers.

    Attributes:
        name, title, paper, attention: fields of its `ModelSpec`.
        parameters: number of trainable parameters.
        macs: multiply-accumulate operations of convolutions, linear layers and attention for one face.
        compiled: how many times faster `torch.compile` makes one face, from the benchmark's last run, or its failure.
        milliseconds: duration of one face in milliseconds, float32, on two threads of the CPU; None where it was not
            timed.
    """

    name: str
    title: str
    paper: str
    attention: str
    parameters: int
    macs: int
    compiled: str
    milliseconds: float | None = None


def measure(name: str, timed: bool = False) -> Row:
    """Count a network without making its weights, and time it if asked to."""
    spec = get_spec(name)
    with torch.device("meta"):
        model = create_model(name).eval()
        x = torch.empty(1, spec.channels, spec.input_size, spec.input_size)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(x)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    macs = counter.get_total_flops() // 2
    milliseconds = _time(create_model(name).eval(), spec.channels, spec.input_size) if timed else None
    return Row(name, spec.title, spec.paper, spec.attention, parameters, macs, _compiled(name), milliseconds)


def _compiled(name: str) -> str:
    found = json.loads(COMPILED.read_text(encoding="utf-8"))["networks"].get(name) if COMPILED.is_file() else None
    if found is None:
        return "not run"
    return "fails" if "fails" in found else f"{found['speedup']:.1f} ×"


@torch.inference_mode()
def _time(model: nn.Module, channels: int, size: int, runs: int = 5) -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(min(2, threads))
    try:
        x, times = torch.randn(1, channels, size, size), []
        for _ in range(runs + 1):
            start = time.perf_counter()
            model(x)
            times.append(time.perf_counter() - start)
        return 1000 * min(times[1:])
    finally:
        torch.set_num_threads(threads)


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| name | network | paper | parameters | MACs | ms a face | compiled | attention |",
        "|---|---|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        ms = "not timed" if row.milliseconds is None else f"{row.milliseconds:.0f}"
        numbers = f"{row.parameters / 1e6:.2f} M | {row.macs / 1e6:,.0f} M | {ms} | {row.compiled}"
        lines.append(f"| `{row.name}` | {row.title} | {row.paper} | {numbers} | {row.attention} |")
    return "\n".join(lines) + "\n"


def detail(name: str) -> str:
    """One network: its file's text (idea, differences from the paper), its layers, the paper's figures."""
    row, spec = measure(name), get_spec(name)
    builder = getattr(spec.builder, "func", spec.builder)  # of a variant: the builder that it fills in
    about = (sys.modules[builder.__module__].__doc__ or "").strip()
    with torch.device("meta"):
        model = create_model(name)
    layers = [
        f"  {key:<14} {type(module).__name__:<20} {sum(p.numel() for p in module.parameters()):>12,} parameters"
        for key, module in model.named_children()
    ]
    options = [f"  {option}" for option in spec.options] or ["  none"]
    figures = [f"  {100 * value:.2f} %  {what}" for what, value in spec.reported.items()] or ["  none"]
    return "\n".join(
        [
            f"{spec.title} ({name}), " + (f"paper {spec.paper}: {PAPERS[spec.paper]}" if spec.paper else "of no paper"),
            f"{row.parameters:,} parameters, {row.macs:,} multiply-accumulate operations for a face",
            *_shipped(name),
            f"maps are read from: {spec.cam_layer or 'nowhere'}; attention: {spec.attention or 'none'}",
            "",
            about,
            "",
            "Layers:",
            *layers,
            "",
            "Options (ferscope train --overrides NAME VALUE):",
            *options,
            "",
            "The paper's figures:",
            *figures,
        ]
    )


def _shipped(name: str) -> list[str]:
    """A line on the weights in checkpoints/, where they are of a network with other arguments than these."""
    if why := fault(checkpoint_folder(name)):
        return [f"its checkpoint is broken: {why}"]
    try:
        card = read_card(name)
    except CheckpointError:
        return []
    built = ", ".join(f"{key}={value}" for key, value in changed(name, card.overrides).items())
    return [f"its weights in checkpoints/ are of {built}: {card.parameters:,} parameters"] if built else []


def show(name: tyro.conf.Positional[str] = "", timed: bool = False, write: bool = False) -> None:
    """Print the table of networks, or one of them in detail.

    Args:
        name: name of a network; without it the table is printed.
        timed: measure milliseconds a face too; on a computer that does nothing else.
        write: put the table, timed, into models/README.md of a checkout.
    """
    if write and SHIPPED != CODE:
        raise ValueError("--write changes models/README.md of a checkout, and this FERScope was installed as a copy.")
    if name:
        print(detail(name))
        return
    text = table([measure(each, timed or write) for each in list_models()])
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        print(text, end="")
    for why in broken_checkpoints().values():
        print(f"Broken checkpoint: {why}", file=sys.stderr)
    if write:
        before, rest = README.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        write_bytes(README, (before + MARKS[0] + text + MARKS[1] + after).encode())


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope models ...`; an unknown network ends with status 1 and the nearest names."""
    try:
        tyro.cli(show, prog="ferscope models", args=argv)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
