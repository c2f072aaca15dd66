"""What an atlas of class activation maps costs: against one forward pass, and against other libraries map by map.

    python benchmarks/cam_atlas.py [--device cpu|cuda] [--threads 2] [--network resnet18] [--side 224] [--layers NAME …]

By default ResNet-18 at 224 px on two cores: the last block, then two earlier ones, whose backward pass is longer.
Limits, for the first layer: six methods × seven classes take at most 1.5 plain forward passes, and a hundredth of what
pytorch-grad-cam takes, called for each. torch-cam, which has one forward pass for all classes, is printed beside: its
Grad-CAM of the classes.

Random weights, since the time does not depend on them. All maps are enlarged to the picture, as a page shows them, and
stretched to 0..1, as the libraries do. The rows take turns in one run, so that a busy machine slows all alike; printed
are medians. Writes benchmarks/results/cam_atlas_<device>.json.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytorch_grad_cam as reference
import torch
import torch.nn.functional as F
import tyro
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

import models
from workbench.analysis.cam import METHODS, atlas, gradcam

try:
    from torchcam.methods import GradCAM as TorchCAM
except ImportError as missing:
    TorchCAM, WITHOUT = None, str(missing)

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = {
    "gradcam": reference.GradCAM,
    "gradcam++": reference.GradCAMPlusPlus,
    "xgradcam": reference.XGradCAM,
    "hirescam": reference.HiResCAM,
    "layercam": reference.LayerCAM,
    "elementwise": reference.GradCAMElementWise,
}


def map_by_map(model: nn.Module, x: Tensor, layer: str, classes: int) -> None:
    """What a caller of pytorch-grad-cam does: one call for each method and class."""
    for method in METHODS:
        with REFERENCES[method](model, [model.get_submodule(layer)]) as cam:
            for class_ in range(classes):
                cam(x, [ClassifierOutputTarget(class_)] * len(x))


def torch_cam(model: nn.Module, x: Tensor, layer: str, classes: int) -> Tensor:
    """What a caller of torch-cam does: one forward pass, then one call for each class."""
    with TorchCAM(model, layer) as cam:
        scores = model(x)
        maps = torch.stack([cam(class_, scores, retain_graph=True)[0] for class_ in range(classes)], 1)  # (B, C, h, w)
    return F.interpolate(maps, x.shape[-2:], mode="bilinear", align_corners=False)


def forward(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x)


def measure(
    quick: dict[str, Callable[[], object]], slow: dict[str, Callable[[], object]], device: str, rounds: int, turns: int
) -> dict[str, list[float]]:
    """Milliseconds of each job. A round: a turn of the quick ones to warm up, several counted, one of the slow ones."""

    def clock(job: Callable[[], object]) -> float:
        start = time.perf_counter()
        job()
        if device == "cuda":
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    times: dict[str, list[float]] = {name: [] for name in [*quick, *slow]}
    for _ in range(rounds):
        for turn in range(turns + 1):
            for name, job in quick.items():
                took = clock(job)
                if turn:
                    times[name].append(took)
        for name, job in slow.items():
            times[name].append(clock(job))
    return times


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    network: str = "resnet18"
    """Name of a network"""
    side: int = 224
    """Of the square picture"""
    layers: tuple[str, ...] = ()
    """Default: layer4, layer3, layer2 of a ResNet, else its own"""
    batch: int = 1
    classes: int = 7
    rounds: int = 3
    turns: int = 10
    """Of the quick rows in a round"""
    threads: int = 2


def compare(model: nn.Module, x: Tensor, layer: str, options: Options) -> dict:
    """One layer: print the rows, return the figures."""
    size, maps = tuple(x.shape[-2:]), len(METHODS) * options.classes
    quick = {
        "forward": lambda: forward(model, x),
        "gradcam, one class": lambda: gradcam(model, x, [0], layer, size, normalize=True),
        f"atlas, {maps} maps": lambda: atlas(model, x, layer, size=size, normalize=True),
    }
    if TorchCAM:
        quick[f"torch-cam, {options.classes} maps"] = lambda: torch_cam(model, x, layer, options.classes)
    slow = {f"pytorch-grad-cam, {maps}": lambda: map_by_map(model, x, layer, options.classes)}
    times = measure(quick, slow, options.device, options.rounds, options.turns)
    median = {name: statistics.median(values) for name, values in times.items()}
    passes = {name: value / median["forward"] for name, value in median.items()}
    _, _, ours, *_, theirs = median
    in_passes = statistics.median(a / b for a, b in zip(times[ours], times["forward"], strict=True))
    print(f"layer {layer}, maps of {'×'.join(str(n) for n in atlas(model, x, layer).shape[-2:])}")
    for name in median:
        print(f"  {name:<22}{median[name]:10.2f} ms{passes[name]:9.2f} forward passes")
    faster = median[theirs] / median[ours]
    print(f"  the atlas takes {in_passes:.2f} forward passes; one call for each map takes {faster:.0f} times as long")
    return {"milliseconds": median, "atlas_in_forward_passes": in_passes, "times_faster": faster}


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = models.create_model(options.network, num_classes=options.classes).eval().to(options.device)
    own = ["layer4", "layer3", "layer2"] if hasattr(model, "layer4") else [models.get_spec(options.network).cam_layer]
    x = torch.randn(options.batch, 1, options.side, options.side, device=options.device)
    name = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{name}; {options.network}, {options.side} px, batch {options.batch}, float32")
    load = os.getloadavg()[0]
    print(f"load of the machine at the start: {load:.1f} on {os.cpu_count()} cores")
    if not TorchCAM:
        print(f"without torch-cam: {WITHOUT}. Install it with: pip install -e '.[bench]'")
    layers = {layer: compare(model, x, layer, options) for layer in options.layers or own}
    first, figures = next(iter(layers.items()))
    limits = {
        "at most 1.5 forward passes": figures["atlas_in_forward_passes"] <= 1.5,
        "at least 100 times faster than pytorch-grad-cam": figures["times_faster"] >= 100,
    }
    for limit, met in limits.items():
        print(f"{first}, {limit}: {'met' if met else 'missed'}")
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    result = {"device": name, "network": options.network, "side": options.side, "batch": options.batch, "load": load}
    result |= {"torch": torch.__version__, "layers": layers, "limits": limits}
    (folder / f"cam_atlas_{options.device}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
