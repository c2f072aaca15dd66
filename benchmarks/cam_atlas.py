"""What an atlas of class activation maps costs: against one forward pass, and against pytorch-grad-cam map by map.

    python benchmarks/cam_atlas.py --network residual_cnn --threads 2 --json atlas.json

Random weights, since the time does not depend on them. All maps are enlarged to the picture, as a page shows them, and
stretched to 0..1, as pytorch-grad-cam always does. Times are medians in milliseconds, taken in turns in one run, so
that a busy machine slows all rows alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytorch_grad_cam as reference
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

import models
from workbench.analysis.cam import METHODS, atlas, gradcam

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


def forward(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x)


def median_times(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds for each job; the jobs take turns, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(rounds + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if round_:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="residual_cnn", choices=models.list_models())
    parser.add_argument("--layer", help="default: the network's own layer for maps")
    parser.add_argument("--side", type=int, help="of the square picture; default: the network's own")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--classes", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, help="default: as many as torch takes")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    spec = models.get_spec(options.network)
    layer, side = options.layer or spec.cam_layer, options.side or spec.input_size
    model = models.create_model(options.network, num_classes=options.classes).eval()
    x = torch.randn(options.batch, 1, side, side)
    size = (side, side)
    times = median_times(
        {
            "forward": lambda: forward(model, x),
            "gradcam, one class": lambda: gradcam(model, x, [0], layer, size, normalise=True),
            "atlas": lambda: atlas(model, x, layer, size=size, normalise=True),
            "pytorch-grad-cam": lambda: map_by_map(model, x, layer, options.classes),
        },
        options.rounds,
    )
    maps = len(METHODS) * options.classes
    print(f"{options.network}, layer {layer}, {side} px, batch {options.batch}, {torch.get_num_threads()} threads")
    for name, milliseconds in times.items():
        print(f"  {name:<20} {milliseconds:9.2f} ms {milliseconds / times['forward']:9.2f} forward passes")
    print(f"  {maps} maps: {times['pytorch-grad-cam'] / times['atlas']:.0f} times faster than one call for each")
    if options.json:
        about = {"network": options.network, "layer": layer, "side": side, "batch": options.batch, "maps": maps}
        about |= {"threads": torch.get_num_threads(), "torch": torch.__version__, "milliseconds": times}
        options.json.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
