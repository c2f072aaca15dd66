"""Is one network safe to share: thousands of explanations from several threads, each compared with the one made alone.

    python benchmarks/shared_model.py [--network residual_cnn] [--count 10000] [--threads 8] [--side N]

Methods, classes, layers and pictures are mixed: of a hundred explanations about 94 are the six of the atlas, half of
them asked as an atlas and half by name, five are other methods of the catalog that take one or two passes, and one is
a method that asks the network over and over. Limits: no wrong map, no exception, and the network as it was. Also prints
the rate, and the memory of the process, which levels off if nothing is kept.

Writes benchmarks/results/shared_model.json.
"""

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn

import models
from workbench.analysis.cam import METHODS, atlas
from workbench.analysis.methods import EXPLAINERS, explain_with

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 7
Task = tuple[str, bool, int, str, int]
"""Method, asked as an atlas, class, layer, picture."""


def pictures(count: int, side: int) -> Tensor:
    blobs = 2 * torch.randn(count, 1, 1, 6, 6)
    return F.interpolate(blobs.flatten(0, 1), size=(side, side), mode="bicubic")[:, None]  # (count, 1, 1, side, side)


def network(name: str) -> nn.Module:
    """Shipped weights, else random ones; one layer is in training mode and one parameter has a gradient."""
    try:
        model, _ = models.load_checkpoint(name)
    except (ValueError, OSError) as reason:
        print(f"random weights: {reason}")
        model = models.create_model(name).eval()
    next(model.children()).train()
    next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    return model


def layers_of(name: str) -> list[str]:
    """The layer of the maps, and up to two before it."""
    layer = models.get_spec(name).cam_layer
    parent, _, child = layer.rpartition(".")
    siblings = [
        key
        for key, module in models.create_model(name).get_submodule(parent).named_children()
        if any(isinstance(m, nn.Conv2d) for m in module.modules())
    ]
    before = siblings[: siblings.index(child)][-2:]
    return [f"{parent}.{key}".lstrip(".") for key in [*before, child]]


def choose(count: int, layers: list[str], faces: int) -> list[Task]:
    draw = random.Random(0)
    once = [name for name, e in EXPLAINERS.items() if e.cost == "once" and name not in METHODS]
    often = [name for name, e in EXPLAINERS.items() if e.cost != "once"]
    tasks = []
    for kind in draw.choices("SOR", (94, 5, 1), k=count):
        name = draw.choice({"S": list(METHODS), "O": once, "R": often}[kind])
        as_atlas = kind == "S" and draw.random() < 0.5
        if kind == "R":  # the same few again and again: each takes as long as hundreds of others
            tasks.append((name, False, draw.randrange(2), layers[0], 0))
        else:
            tasks.append((name, as_atlas, draw.randrange(CLASSES), draw.choice(layers), draw.randrange(faces)))
    return tasks


def explain(model: nn.Module, faces: Tensor, task: Task) -> Tensor:
    name, as_atlas, class_, layer, face = task
    if as_atlas:
        return atlas(model, faces[face], layer, (name,), [class_])[0, 0, 0]
    return explain_with(model, faces[face], name, class_, layer)[0]


def state_of(model: nn.Module) -> list:
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [
        [(type(module), module.training, *(list(getattr(module, t)) for t in tables)) for module in model.modules()],
        [(id(p), p.requires_grad, None if p.grad is None else p.grad.sum().item()) for p in model.parameters()],
        [float(value.double().sum()) for value in model.state_dict().values()],
    ]


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    network: str = "residual_cnn"
    """Name of a network"""
    count: int = 10_000
    threads: int = 8
    side: int | None = None
    """Of the square picture; default: the network's own"""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)  # the threads share the cores
    torch.manual_seed(0)
    side = options.side or models.get_spec(options.network).input_size
    model, layers, faces = network(options.network), layers_of(options.network), pictures(4, side)
    tasks = choose(options.count, layers, len(faces))
    alone = {task: explain(model, faces, task) for task in dict.fromkeys(tasks)}
    shown = sum(bool(maps.abs().max() > 0) for maps in alone.values()) / len(alone)
    before, process, memory = state_of(model), psutil.Process(), []
    outcomes: Counter[str] = Counter()
    messages: Counter[str] = Counter()

    def one(numbered: tuple[int, Task]) -> str:
        number, task = numbered
        if number % (options.count // 10 or 1) == 0:
            memory.append(process.memory_info().rss / 2**20)
        try:
            maps = explain(model, faces, task)
        except Exception as error:
            messages[f"{task[0]}: {type(error).__name__}: {error}"[:200]] += 1
            return "exceptions"
        right = alone[task]
        close = maps.shape == right.shape and torch.allclose(
            maps, right, rtol=1e-4, atol=1e-5 * float(right.abs().max())
        )
        return "right" if close else "wrong"

    start = time.perf_counter()
    with ThreadPoolExecutor(options.threads) as pool:
        outcomes.update(pool.map(one, enumerate(tasks)))
    seconds = time.perf_counter() - start
    memory.append(process.memory_info().rss / 2**20)
    as_it_was = state_of(model) == before
    print(f"{options.network}, layers {', '.join(layers)}, {side} px, {options.count} explanations")
    used = sorted({task[0] for task in tasks})
    print(f"{options.threads} threads, {len(used)} methods; {len(alone)} different maps, {shown:.0%} of them not blank")
    for outcome in ("right", "wrong", "exceptions"):
        print(f"  {outcome:<12}{outcomes[outcome]:>7}")
    for message, times in messages.most_common(5):
        print(f"    {times} × {message}")
    print(f"  {seconds:.0f} s, {options.count / seconds:.0f} explanations a second")
    print(f"  memory in MiB, tenth by tenth: {', '.join(f'{value:.0f}' for value in memory)}")
    print(f"no wrong map, no exception: {'met' if outcomes['right'] == options.count else 'missed'}")
    print(f"the network as it was: {'met' if as_it_was else 'missed'}")
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    result = {"network": options.network, "layers": layers, "side": side, "threads": options.threads}
    result |= {"count": options.count, "methods": used, "different": len(alone)}
    result |= {"wrong": outcomes["wrong"], "exceptions": outcomes["exceptions"], "as_it_was": as_it_was}
    result |= {
        "seconds": round(seconds, 1),
        "memory_mib": [round(value) for value in memory],
        "torch": torch.__version__,
    }
    (folder / "shared_model.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
