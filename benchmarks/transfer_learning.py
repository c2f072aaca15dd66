"""Transfer learning on drawn faces: random weights, ImageNet weights frozen, and ImageNet weights with all layers.

    OMP_NUM_THREADS=1 python benchmarks/transfer_learning.py [--recipes scratch frozen transfer] [--seed 0]

Trains EfficientNet-Lite0 three times, by the recipes `scratch`, `frozen` and `transfer`, on the drawn faces of the page
Train (80 of each class), which need no download. Writes benchmarks/results/transfer_learning.json, which ships: the
lesson on transfer learning shows it. With `--recipes` the others in the file stay as they are.
"""

from __future__ import annotations

import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from models import create_model, get_spec
from models.checkpoints import read_card, read_predictions
from models.datasets.synthetic.sets import save_drawn
from models.evaluate import evaluate_run
from models.training.engine import train
from models.training.history import FILE as HISTORY
from models.training.history import read_history
from models.training.optimization import freeze
from models.training.recipes import from_recipe

OUT = Path(__file__).resolve().parent / "results" / "transfer_learning.json"
NETWORK = "efficientnet_lite0"
RECIPES = ("scratch", "frozen", "transfer")
COUNT = 80  # Training images of each class, as on the page Train


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    recipes: tuple[str, ...] = RECIPES
    seed: int = 0


def run(options: Options, recipe: str, data: Path, out: Path) -> dict[str, Any]:
    """Train with a recipe; return its validation accuracy by epoch and its correct test images."""
    config = from_recipe(
        recipe, model=NETWORK, data=data, out=out, seed=options.seed, device="cpu", precision="32-true",
        threads=torch.get_num_threads(),
    )  # fmt: skip
    train(config)
    evaluate_run(config)
    card, stored = read_card(out), read_predictions(out, "PrivateTest")
    model = create_model(NETWORK)
    freeze(model, get_spec(NETWORK), config.trained_stages)
    right = int((stored.logits.argmax(-1) == stored.labels).sum())
    accuracy = [row["validation_accuracy"] for row in read_history(out / HISTORY)]
    print(f"{recipe}: {right} of {len(stored.labels)} test images in {card.wall_seconds:.0f} s", flush=True)
    return {
        "recipe": recipe,
        "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "validation_accuracy": accuracy,
        "test_right": right,
        "test_images": len(stored.labels),
        "seconds": round(card.wall_seconds),
    }


def main() -> None:
    """Train and write the results."""
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "drawn.npz"
        drawn = save_drawn(data, COUNT).faces
        runs = {recipe: run(options, recipe, data, Path(folder) / recipe) for recipe in options.recipes}
    known = json.loads(OUT.read_text()) if OUT.is_file() else {"runs": []}
    runs = {found["recipe"]: found for found in known["runs"]} | runs
    found = {
        "network": NETWORK,
        "seed": options.seed,
        "data": "drawn faces",
        "training_images": len(drawn.part("Training")),
        "test_images": len(drawn.part("PrivateTest")),
        "device": f"CPU ({platform.machine()}), threads: {torch.get_num_threads()}",
        "runs": [runs[recipe] for recipe in RECIPES if recipe in runs],
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
