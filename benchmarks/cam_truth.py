"""Do class activation maps find what a drawn face is made of? The evidence of drawn faces is known to the pixel.

    OMP_NUM_THREADS=1 python benchmarks/cam_truth.py [--networks vanilla_cnn residual_cnn] [--count 80] [--epochs 8]

Networks learn drawn faces (`models.datasets.synthetic.faces`). On new faces, for the class that was drawn:

    pointing game   share of maps whose highest pixel lies in the evidence, without tolerance (Zhang et al. 2018)
    mass            share of the map's sum that lies in the evidence, 0..1; the mask's own area is what chance gives

Both are higher for better maps; a blank map points nowhere and has no mass. Rivals are smooth random maps and a centred
Gaussian. Neutral faces are left out: nothing in them differs from rest, so their mask is a matter of choice. Nor can a
mask mark what a face does not show, so 100 % is out of reach for a network that also reads what is absent.

Stickers: the first network also learns neutral faces, every other one with a sticker on its forehead. Nothing else
tells the two classes apart, so the map of "sticker" has one right answer. (A sticker on faces that do smile is no such
test: networks learn the smile and leave the sticker alone, see benchmarks/results/drawn_faces.json.) A sticker is
smaller than one place of the map, so here the pointing game has the tolerance of one place; without it is shown too.

Writes benchmarks/results/cam_truth.json and docs/maps_against_truth.md.
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
from workbench.analysis.cam import METHODS, atlas

ROOT = Path(__file__).resolve().parents[1]
RIVALS = ("random", "gaussian")
TOLERANCE = 8  # pixels, for stickers alone: one place of a map of 6×6 is larger than a sticker
LEARNED = 0.5  # accuracy; a network that has learned less has no evidence that a map could find


def found(maps: Tensor, masks: Tensor, tolerance: int) -> dict[str, float]:
    """Pointing game and mass of maps (N, H, W), at least 0, in masks (N, H, W) of 0..1; and the share of blank maps."""
    flat, inside = maps.flatten(1), masks.flatten(1)
    total = flat.sum(1)
    drawn = total > 0
    reached = F.max_pool2d(masks, 2 * tolerance + 1, 1, tolerance).flatten(1)
    hits = (reached.gather(1, flat.argmax(1, keepdim=True))[:, 0] >= 0.5) & drawn
    mass = torch.where(drawn, (flat * inside).sum(1) / total.clamp_min(1e-30), 0)
    return {"pointing": float(hits.float().mean()), "mass": float(mass.mean()), "blank": float((~drawn).float().mean())}


def maps_of(model: nn.Module, card: Card, faces: FaceSet) -> dict[str, Tensor]:
    """Maps (N, H, W) of each face's own class, by every method and rival, enlarged to the picture."""
    layer, size = get_spec(card.network).cam_layer, faces.images.shape[1:]
    made = []
    for i, label in enumerate(faces.labels):
        made.append(atlas(model, card.prepare(faces.images[i : i + 1]), layer, classes=[int(label)])[0, :, 0])
    maps = torch.stack(made, dim=1)  # (M, N, h, w)
    grid = (min(maps.shape[-2], 7), min(maps.shape[-1], 7))
    enlarged = F.interpolate(maps, size, mode="bilinear", align_corners=False)
    rivals = ((random_maps(len(faces), size, grid) + 1) / 2, gaussian_map(size).expand(len(faces), *size))
    return dict(zip((*METHODS, *RIVALS), (*enlarged, *rivals), strict=True))


def measured(model: nn.Module, card: Card, faces: FaceSet, masks: np.ndarray, tolerance: int = 0) -> dict:
    """Everything about one network on one set of faces with masks, uint8 (N, H, W); `tolerance` in pixels."""
    start, truth = time.perf_counter(), torch.from_numpy(masks) / 255
    table = {name: found(maps, truth, tolerance) for name, maps in maps_of(model, card, faces).items()}
    for key in ("pointing", "mass"):
        ranks = rankdata([-round(table[name][key], 4) for name in METHODS])  # 1 is best; equals share a rank
        for name, rank in zip(METHODS, ranks, strict=True):
            table[name][f"{key}_rank"] = float(rank)
    right = answers(model, card, faces) == torch.from_numpy(faces.labels)
    return {
        "accuracy": float(right.float().mean()),
        "faces": len(faces),
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
    exact = measured(model, card, planted.subset(carrying), masks[carrying])["methods"]
    for name, row in found["methods"].items():
        row["pointing_exact"] = exact[name]["pointing"]
    return found | {"seen_without": float((answers(model, card, bare) == 1).float().mean())}


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    networks: tuple[str, ...] = ("vanilla_cnn", "residual_cnn", "five_layer_cnn")
    count: int = 80
    """Training pictures of each class"""
    epochs: int = 8
    seed: int = 0


def learner(faces: FaceSet, network: str, options: Options) -> tuple[nn.Module, Card]:
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingOptions(model=network, epochs=options.epochs, seed=options.seed)
        model, card, minutes = trained(faces, settings, Path(folder))
    print(f"{network}: trained in {minutes:.1f} minutes", flush=True)
    return model, card


def print_table(networks: dict[str, dict], sticker: dict) -> None:
    columns = [*networks, "sticker only"]
    print(f"\npointing game / mass in the mask (rank by mass)\n{'':<12}" + "".join(f"{name:>24}" for name in columns))
    for name in (*METHODS, *RIVALS):
        line = f"{name:<12}"
        for result in (*networks.values(), sticker):
            row = result["methods"][name]
            rank = f"({row['mass_rank']:g})" if "mass_rank" in row else "( )"
            line += f"{row['pointing']:12.1%} /{row['mass']:6.1%} {rank:>3}"
        print(line)
    for title, key in (("mask's area", "mask_area"), ("accuracy", "accuracy")):
        print(f"{title:<12}" + "".join(f"{result[key]:>24.1%}" for result in (*networks.values(), sticker)))
    print(f"stickers seen where there are none: {sticker['seen_without']:.1%}")
    learned = [result for result in networks.values() if result["accuracy"] > LEARNED]
    ranks = {m: sum(r["methods"][m]["mass_rank"] for r in learned) / max(1, len(learned)) for m in METHODS}
    print(f"mean rank by mass of the {len(learned)} networks that answer more than {LEARNED:.0%} right: ", end="")
    print(", ".join(f"{m} {ranks[m]:.1f}" for m in sorted(ranks, key=ranks.get)))


def page(networks: dict[str, dict], sticker: dict, options: Options) -> str:
    """The table as a page of Markdown."""
    lines = [
        "# Do the maps find the evidence?",
        "",
        f"Made by `python benchmarks/cam_truth.py`: networks trained on {options.count} drawn faces of each class for",
        f"{options.epochs} epochs (seed {options.seed}), then run on new ones, whose evidence is known to the pixel.",
        "**Pointing**: share of maps whose highest pixel lies in the evidence. **Mass**: share of the map in it, with",
        "the method's rank on that network. Higher is better; chance is the mask's own area.",
        "",
        "| | " + " | ".join(f"`{name}` pointing | mass (rank)" for name in networks) + " |",
        "|---|" + "---:|---:|" * len(networks),
    ]
    for name in (*METHODS, *RIVALS):
        rows = [result["methods"][name] for result in networks.values()]
        ranks = [f" ({row['mass_rank']:g})" if "mass_rank" in row else "" for row in rows]
        cells = [f"{r['pointing']:.1%} | {r['mass']:.1%}{k}" for r, k in zip(rows, ranks, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for title, key in (("mask's own area", "mask_area"), ("accuracy", "accuracy")):
        lines.append(f"| {title} | " + " | ".join(f"{r[key]:.1%} | " for r in networks.values()) + " |")
    lines += [
        "",
        "The Gaussian and the random maps use no network. Where a method has no more mass than the Gaussian, its",
        "mass says no more than that faces are centered. A network of low accuracy has little evidence to be found.",
        "",
        f"**A sticker as the only evidence** (`{options.networks[0]}`, {sticker['faces']} new faces, accuracy "
        f"{sticker['accuracy']:.0%}): share of maps whose highest pixel lies on the sticker, and within "
        f"{sticker['tolerance']} pixels, one position of the map.",
        "",
        "| | on it | near it |",
        "|---|---:|---:|",
        *(
            f"| {name} | {row['pointing_exact']:.0%} | {row['pointing']:.0%} |"
            for name, row in sticker["methods"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)

    drawn = drawn_set(options.count, seed=options.seed)
    shown = (drawn.faces.splits == "PrivateTest") & (drawn.faces.labels != drawn.faces.classes.index("neutral"))
    networks = {
        name: measured(*learner(drawn.faces, name, options), drawn.faces.subset(shown), drawn.evidence[shown])
        for name in options.networks
    }
    planted, masks = only_by_sticker(options.count, drawn.faces.images.shape[1], options.seed)
    longer = replace(options, epochs=3 * options.epochs)  # the set is smaller
    model, card = learner(planted, options.networks[0], longer)
    sticker = stickers_found(model, card, planted, masks)

    print_table(networks, sticker)
    result = asdict(options) | {"device": "CPU, threads: 1", "results": networks, "sticker": sticker}
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "cam_truth.json").write_text(json.dumps(result, indent=2) + "\n")
    (ROOT / "docs" / "maps_against_truth.md").write_text(page(networks, sticker, options), encoding="utf-8")


if __name__ == "__main__":
    main()
