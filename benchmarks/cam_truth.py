"""Do the maps find what a drawn face is made of? The evidence of drawn faces is known to the pixel.

    OMP_NUM_THREADS=1 python benchmarks/cam_truth.py [--networks vanilla_cnn residual_cnn] [--count 80] [--epochs 8]

Networks are trained on drawn faces (`models.datasets.synthetic.faces`). On new faces, for the class that was drawn, by
every method of `workbench.analysis.methods`:

    pointing game   share of maps whose highest pixel lies in the evidence, without tolerance (Zhang et al. 2018)
    mass            share of the map's sum that lies in the evidence, 0..1; the mask's own area is the chance level
    random weights  rank correlation with the map of the same network with all weights random (Adebayo et al. 2018)

The first two are higher for better maps, the third is near 0 for a map that reads the weights. A blank map points
nowhere and has no mass. Baselines are smooth random maps and a centered Gaussian. Neutral faces are left out: nothing
in them differs from rest, so their mask is a matter of choice. Nor can a mask mark what a face does not show, so 100 %
is out of reach for a network that also reads what is absent. Methods of more than 100 forward passes are measured on
every eighth face.

Stickers: the first network is trained on neutral faces too, every other one with a sticker on its forehead. Nothing
else tells the two classes apart, so the map of "sticker" has one right answer. (A sticker on faces that do smile is no
such test: networks learn the smile and leave the sticker alone, see benchmarks/results/drawn_faces.json.) A sticker is
smaller than one position of the map, so here the pointing game has the tolerance of one position; without it is shown
too.

Adds to benchmarks/results/cam_truth.json, so that networks can be measured one by one, and writes
docs/maps_against_truth.md of all that is in it. Slow methods are left out on stickers.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from drawn_faces import Options as TrainingOptions
from drawn_faces import answers, trained
from scipy.stats import rankdata
from torch import Tensor, nn

from models import Card, get_spec
from models.datasets.faceset import FaceSet
from models.datasets.synthetic.faces import draw
from models.datasets.synthetic.sets import drawn_set
from workbench.analysis.baseline_maps import gaussian_map, random_maps
from workbench.analysis.methods import EXPLAINERS, Explainer, explain_with
from workbench.analysis.sanity import cascade

ROOT = Path(__file__).resolve().parents[1]
RIVALS = ("random", "gaussian")
MANY, EVERY = 100, 8  # forward passes of a slow method, which is measured on every eighth face
RANDOMIZED = 6  # faces for the check with random weights; half as many for a slow method
STICKER_NETWORK = "vanilla_cnn"
MAIN = {"pointing": "pointing", "mass": "mass (rank)", "random_weights": "random weights"}
STICKER = {"pointing_exact": "on it", "pointing": "near it", "random_weights": "random weights"}
TOLERANCE = 8  # pixels, for stickers alone: one place of a map of 6×6 is larger than a sticker


def found(maps: Tensor, masks: Tensor, tolerance: int) -> dict[str, float]:
    """Pointing game and mass of maps (N, H, W), at least 0, in masks (N, H, W) of 0..1; and the share of blank maps."""
    flat, inside = maps.flatten(1), masks.flatten(1)
    total = flat.sum(1)
    drawn = total > 0
    reached = F.max_pool2d(masks, 2 * tolerance + 1, 1, tolerance).flatten(1)
    top = flat.argmax(1, keepdim=True)
    hits, exact = ((mask.gather(1, top)[:, 0] >= 0.5) & drawn for mask in (reached, inside))
    mass = torch.where(drawn, (flat * inside).sum(1) / total.clamp_min(1e-30), 0)
    shares = {"pointing": hits, "pointing_exact": exact, "mass": mass, "blank": ~drawn}
    return {name: float(share.float().mean()) for name, share in shares.items()}


def of_method(model: nn.Module, card: Card, faces: FaceSet, masks: Tensor, name: str, tolerance: int) -> dict:
    """Pointing game, mass and similarity under random weights of one method; {} where it refuses the network."""
    layer, size, maps, similar = get_spec(card.network).cam_layer, faces.images.shape[1:], [], []
    checks = RANDOMIZED // 2 if slow(EXPLAINERS[name]) else RANDOMIZED
    checked = np.linspace(0, len(faces) - 1, checks).round().astype(int)
    for i, label in enumerate(faces.labels):

        def explain(network: nn.Module, x: Tensor, label: int = int(label)) -> Tensor:
            return explain_with(network, x, name, label, layer, size)[0].relu()

        x = card.prepare(faces.images[i : i + 1])
        try:
            maps.append(explain(model, x))
        except ValueError as error:
            print(f"{name} on {card.network}: {error}")
            return {}
        if i in checked:
            similar.append(cascade(model, x, explain, steps=1, runs=1).final)
    heights = torch.stack(maps)  # (N, H, W)
    heights = heights - heights.amin((1, 2), keepdim=True)  # RISE is nowhere 0
    return found(heights, masks, tolerance) | {"faces": len(maps), "random_weights": float(np.mean(similar))}


def slow(method: Explainer) -> bool:
    return method.cost != "once" and method.passes(128, (48, 48)).forward > MANY


def measured(model: nn.Module, card: Card, faces: FaceSet, masks: np.ndarray, tolerance: int = 0) -> dict:
    """Everything about one network on one set of faces with masks, uint8 (N, H, W); `tolerance` in pixels."""
    start, truth, table = time.perf_counter(), torch.from_numpy(masks) / 255, {}
    some = np.arange(len(faces)) % EVERY == 0
    for name, method in EXPLAINERS.items():
        if tolerance and slow(method):
            continue
        shown = some if slow(method) else np.ones(len(faces), bool)
        table[name] = of_method(model, card, faces.subset(shown), truth[torch.from_numpy(shown)], name, tolerance)
        print(f"{time.perf_counter() - start:6.0f} s {card.network} {name} {table[name]}", flush=True)
    size = faces.images.shape[1:]
    rivals = ((random_maps(len(faces), size) + 1) / 2, gaussian_map(size).expand(len(faces), *size))
    known = [name for name in table if table[name]]
    for name, rank in zip(known, rankdata([-round(table[name]["mass"], 4) for name in known]), strict=True):
        table[name]["mass_rank"] = float(rank)  # 1 is best; equals share a rank
    table |= {name: found(maps, truth, tolerance) for name, maps in zip(RIVALS, rivals, strict=True)}
    right = answers(model, card, faces) == torch.from_numpy(faces.labels)
    return {
        "accuracy": float(right.float().mean()),
        "faces": len(faces),
        "few": int(some.sum()),
        "mask_area": float(truth.mean()),
        "tolerance": tolerance,
        "seconds": round(time.perf_counter() - start, 1),
        "methods": table,
    }


def only_by_sticker(count: int, size: int, seed: int) -> tuple[FaceSet, np.ndarray]:
    """Neutral faces, every other one with a sticker on the forehead, and the masks of the stickers, uint8 (N, H, W).

    All come from the same function: faces of `drawn_set` beside them are drawn a little coarser, which a network learns
    in place of the sticker.
    """
    sizes = {"Training": count, "PublicTest": max(1, count // 5), "PrivateTest": max(1, count // 5)}
    splits = np.repeat(list(sizes), [2 * n for n in sizes.values()])
    labels = np.arange(len(splits)) % 2
    first = 1_000_000 * (seed + 1)  # a seed is a person, and nobody is drawn twice
    faces = [draw("neutral", size, first + i, "forehead" if label else None) for i, label in enumerate(labels)]
    masks = [np.zeros((size, size)) if face.sticker is None else 255 * face.sticker for face in faces]
    names = np.array([f"{split}_{i}" for i, split in enumerate(splits)])
    images = np.stack([face.image for face in faces])
    return FaceSet(images, labels, names, splits, ("plain", "sticker")), np.stack(masks).round().astype(np.uint8)


def stickers_found(model: nn.Module, card: Card, planted: FaceSet, masks: np.ndarray) -> dict:
    """`measured` on new faces with a sticker, and how often the network sees one where there is none."""
    test = planted.splits == "PrivateTest"
    carrying = test & (planted.labels == 1)
    bare = planted.subset(test & (planted.labels == 0))
    found = measured(model, card, planted.subset(carrying), masks[carrying], TOLERANCE)
    return found | {"seen_without": float((answers(model, card, bare) == 1).float().mean())}


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    networks: tuple[str, ...] = ("vanilla_cnn", "residual_cnn")
    count: int = 80
    """Training images of each class"""
    epochs: int = 8
    seed: int = 0
    sticker: bool = True
    """Train and measure on stickers too"""


def learner(faces: FaceSet, network: str, options: Options) -> tuple[nn.Module, Card]:
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingOptions(model=network, epochs=options.epochs, seed=options.seed)
        model, card, minutes = trained(faces, settings, Path(folder))
    print(f"{network}: trained in {minutes:.1f} minutes", flush=True)
    return model, card


def cells(row: dict | None, keys: tuple[str, ...]) -> str:
    """Cells of one method on one network: {} where it refuses the network, None where it was not run."""
    if not row:
        return " | ".join(["not run" if row is None else "no rule", *[""] * (len(keys) - 1)])
    shown = []
    for key in keys:
        text = "" if key not in row else f"{row[key]:.2f}" if key == "random_weights" else f"{row[key]:.0%}"
        shown.append(f"{text} ({row['mass_rank']:g})" if key == "mass" and "mass_rank" in row else text)
    return " | ".join(shown)


def share(result: dict, key: str) -> str:
    return f"{result[key]:.0%}" if key in result else "not run"


def table_of(networks: dict[str, dict], columns: dict[str, str]) -> list[str]:
    """Lines of a Markdown table: a row for each method, `columns` (key → title) for each network."""
    heads = [f"`{name}` {title}" if i == 0 else title for name in networks for i, title in enumerate(columns.values())]
    lines = ["| Method | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for name in (*EXPLAINERS, *RIVALS):
        if not any(name in result["methods"] or not result["tolerance"] for result in networks.values()):
            continue  # slow methods on stickers
        title = EXPLAINERS[name].title + (" *" if slow(EXPLAINERS[name]) else "") if name in EXPLAINERS else name
        rows = [cells(result["methods"].get(name), tuple(columns)) for result in networks.values()]
        lines.append(f"| {title} | " + " | ".join(rows) + " |")
    return lines


def page(networks: dict[str, dict], sticker: dict, options: Options) -> str:
    """The tables as a page of Markdown."""
    blank = " | " * (len(MAIN) - 1)
    first = next(iter(networks.values()))
    lines = [
        "# Do the maps find the evidence?",
        "",
        f"Made by `python benchmarks/cam_truth.py`: networks trained on {options.count} drawn faces of each class for",
        f"{options.epochs} epochs (seed {options.seed}), then run on {first['faces']} new ones, whose evidence is",
        f"known to the pixel. Methods with a star (over {MANY} forward passes) were run on {first['few']} of them.",
        "",
        "- **Pointing**: share of maps whose highest pixel lies in the evidence; higher is better, and chance is the",
        "  mask's own area.",
        "- **Mass**: share of the map in the evidence, with the method's rank on that network; higher is better.",
        f"- **Random weights**: rank correlation with the map after all weights are random, mean of {RANDOMIZED} faces",
        f"  (star: {RANDOMIZED // 2}). Near 0: the map depends on the weights. A map that hardly changes fails this",
        "  sanity check: it shows the image, not the network.",
        "",
        *table_of(networks, MAIN),
        *(
            f"| {title} | " + " | ".join(f"{share(result, key)}{blank}" for result in networks.values()) + " |"
            for title, key in (("mask's own area", "mask_area"), ("accuracy of the network", "accuracy"))
        ),
        "",
        "The Gaussian and the random maps use no network. Where a method has no more mass than the Gaussian, its",
        "mass says no more than that faces are centered. *No rule*: the method does not cover the network's layers.",
        "*Not run*: the run ended before; the same command with `--networks NAME` completes the table.",
        "",
        f"**A sticker as the only evidence** (`{STICKER_NETWORK}`, {sticker['faces']} new faces, accuracy "
        f"{sticker['accuracy']:.0%}): share of maps whose highest pixel lies on the sticker, and within "
        f"{sticker['tolerance']} pixels, one position of the map.",
        "",
        *table_of({"sticker": sticker}, STICKER),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)

    path = ROOT / "benchmarks" / "results" / "cam_truth.json"
    path.parent.mkdir(exist_ok=True)
    found = json.loads(path.read_text()) if path.is_file() else {"results": {}, "sticker": {}}

    def store() -> None:
        path.write_text(json.dumps(asdict(options) | {"device": "CPU, threads: 1"} | found, indent=2) + "\n")

    drawn = drawn_set(options.count, seed=options.seed)
    shown = (drawn.faces.splits == "PrivateTest") & (drawn.faces.labels != drawn.faces.classes.index("neutral"))
    for name in options.networks:
        trained_one = learner(drawn.faces, name, options)
        found["results"][name] = measured(*trained_one, drawn.faces.subset(shown), drawn.evidence[shown])
        store()
    if options.sticker:
        planted, masks = only_by_sticker(options.count, drawn.faces.images.shape[1], options.seed)
        longer = replace(options, epochs=3 * options.epochs)  # the set is smaller
        model, card = learner(planted, STICKER_NETWORK, longer)
        found["sticker"] = stickers_found(model, card, planted, masks)
        store()
    if found["sticker"] and found["results"]:
        text = page(found["results"], found["sticker"], options)
        print(text)
        (ROOT / "docs" / "maps_against_truth.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
