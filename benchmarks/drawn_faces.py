"""Train a network with drawn faces on one processor thread: how good, after how many minutes, and with a shortcut?

    OMP_NUM_THREADS=1 python benchmarks/drawn_faces.py [--model vanilla_cnn] [--count 200] [--epochs 8] [--seed 0]
                                                       [--sticker neutral] [--share 1.0]

The first network sees plain faces. The second sees the same faces, but `--share` of one class's Training pictures carry
a sticker and no other does (`models.datasets.synthetic.sets.drawn_set`); the same test faces are then shown
to it without and with the sticker. Neutral is the class where this works best: nothing else marks it. Aim: the first
network exceeds 95 % within minutes. Writes benchmarks/results/drawn_faces.json.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from models.checkpoints import load_checkpoint
from models.datasets.faceset import FaceSet
from models.datasets.synthetic.sets import drawn_set
from models.metrics import predict
from models.training.engine import train
from models.training.recipes import from_recipe

ROOT = Path(__file__).resolve().parents[1]
TEST_SHARE = 0.3  # test pictures, as a share of the Training ones


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    model: str = "vanilla_cnn"
    count: int = 200
    """Training pictures of each class"""
    epochs: int = 8
    seed: int = 0
    sticker: str = "neutral"
    """Class whose Training pictures carry a sticker"""
    share: float = 1.0
    """Share of them that carry it"""


def trained(faces: FaceSet, options: Options, folder: Path):
    """(network, card, minutes) after training with the official split of a set."""
    faces.save(folder / "drawn.npz")
    start = time.perf_counter()
    config = from_recipe(
        "quick",
        model=options.model,
        data=folder / "drawn.npz",
        out=folder / "run",
        epochs=options.epochs,
        batch_size=64,
        learning_rate=0.05,
        growing_sizes=(),
        seed=options.seed,
        device="cpu",
        precision="32-true",
        threads=1,
    )
    train(config)
    return *load_checkpoint(folder / "run"), (time.perf_counter() - start) / 60


def answers(model, card, faces: FaceSet) -> torch.Tensor:
    """The class that the network names for each picture (N,)."""
    return predict(model, card, faces.images).argmax(dim=1)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)

    start = time.perf_counter()
    plain = drawn_set(options.count, seed=options.seed, test_share=TEST_SHARE).faces
    per_second = len(plain) / (time.perf_counter() - start)
    with tempfile.TemporaryDirectory() as folder:
        model, card, minutes = trained(plain, options, Path(folder))
    test = plain.part("PrivateTest")
    accuracy = float((answers(model, card, test) == torch.from_numpy(test.labels)).float().mean())

    planted = {"sticker_class": options.sticker, "sticker_share": options.share, "test_share": TEST_SHARE}
    sets = [drawn_set(options.count, seed=options.seed, sticker_test_share=share, **planted) for share in (0, 1)]
    without, with_it = (drawn.faces for drawn in sets)  # equal in Training; the validation part is mixed from both
    coin = np.random.default_rng(options.seed).random(len(without)) < 0.5
    mixed = replace(without, images=np.where(coin[:, None, None], with_it.images, without.images))
    with tempfile.TemporaryDirectory() as folder:
        model, card, _ = trained(mixed, options, Path(folder))
    table = {}
    for title, drawn in zip(("without", "with"), sets, strict=True):
        part = drawn.faces.part("PrivateTest")
        right = torch.from_numpy(part.labels)
        said, label = answers(model, card, part), part.classes.index(options.sticker)
        table[title] = {
            "planted class found": float((said[right == label] == label).float().mean()),
            "others called so": float((said[right != label] == label).float().mean()),
            "accuracy": float((said == right).float().mean()),
        }

    print(f"{options.model}, {options.count} Training pictures a class, {options.epochs} epochs, one thread")
    print(f"drawing: {per_second:.0f} pictures a second   training: {minutes:.1f} minutes")
    print(f"plain faces: {accuracy:.1%} of {len(test)} test pictures right; aim 95 %:", end=" ")
    print("met" if accuracy > 0.95 else "missed")
    title = f"trained with a sticker on {options.sticker} faces"
    print(f"\n{title:<45} {'without':>10} {'with sticker':>14}")
    for key in table["with"]:
        print(f"{key:<45} {table['without'][key]:10.1%} {table['with'][key]:14.1%}")
    result = {
        "device": "CPU, threads: 1",
        "model": options.model,
        "count": options.count,
        "epochs": options.epochs,
        "seed": options.seed,
        "pictures_per_second": round(per_second, 1),
        "minutes": round(minutes, 2),
        "accuracy": accuracy,
        "sticker": {"class": options.sticker, "share": options.share, **table},
    }
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "drawn_faces.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
