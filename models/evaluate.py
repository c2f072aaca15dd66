"""`ferscope evaluate`, or `python -m models.evaluate`: measure a checkpoint on the validation and the test part.

    python -m models.evaluate residual_cnn
    python -m models.evaluate residual_cnn --data data/fer2013.npz --tta flip

Writes the measures of the weights as they are shipped (half precision) into `card.json`, the plain logits of both parts
into `predictions.npz`, and the temperature fitted on the validation part.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from .calibration import fit_temperature
from .checkpoints import Card, checkpoint_folder, load_checkpoint, write_card
from .datasets import DataError, FaceSet
from .datasets.splits import split
from .evaluation import measure, predict
from .files import DiskFullError, write_bytes
from .preprocessing import TTA

_HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss", "calibration_error")


def evaluate(name: str | Path, faces: FaceSet, tta: tuple[str, ...] = TTA, device: str = "cpu") -> Card:
    """Measure a checkpoint and write what was found beside it.

    Args:
        name: a checkpoint's name, or the path of its folder.
        faces: the set; the card's split divides it.
        tta: ways to average over views; measures of others in the card stay.
        device: where the network runs.

    Returns:
        The card with `metrics[part][tta]` for PublicTest and PrivateTest, and the temperature.
    """
    model, card = load_checkpoint(name, device)
    if faces.classes != card.classes:
        raise DataError(f"The classes of the set ({', '.join(faces.classes)}) are not those of {name}.")
    parts = split(faces, card.split)
    measured, plain = {"PublicTest": parts.validation, "PrivateTest": parts.test}, {}
    metrics = {part: dict(card.metrics.get(part, {})) for part in measured}
    with Progress() as progress:
        for part, some in measured.items():
            for way in dict.fromkeys(("plain", *tta)):
                task = progress.add_task(f"{part} {way}", total=len(some))
                logits = predict(
                    model, card, some.images, way, progress=lambda n, t=task: progress.update(t, completed=n)
                )
                metrics[part][way] = measure(logits, torch.from_numpy(some.labels), card.classes)
                if way == "plain":
                    plain[part] = logits
    temperature = fit_temperature(plain["PublicTest"], torch.from_numpy(parts.validation.labels))
    card = dataclasses.replace(card, metrics=metrics, temperature=temperature)
    folder = checkpoint_folder(name)
    write_bytes(folder / "predictions.npz", _predictions(measured, plain))
    write_card(folder, card)
    return card


def _predictions(parts: dict[str, FaceSet], logits: dict[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        names=np.concatenate([part.names for part in parts.values()]),
        ids=np.concatenate([part.ids for part in parts.values()]),
        labels=np.concatenate([part.labels for part in parts.values()]),
        splits=np.concatenate([np.full(len(part), name) for name, part in parts.items()]),
        logits=np.concatenate([logits[name].numpy() for name in parts]).astype(np.float32),
    )
    return buffer.getvalue()


def report(card: Card, console: Console) -> None:
    """Print the measures of a card: a line for each part and way, the classes of the test part, the confusion."""
    table = Table("", *(key.replace("_", " ") for key in _HEADLINE), title=f"{card.network} · split {card.split}")
    for part, ways in card.metrics.items():
        for way, m in ways.items():
            low, high = m["accuracy_interval"]
            accuracy = f"{m['accuracy']:.2%} ({low:.2%}–{high:.2%})"
            table.add_row(f"{part} {way}", accuracy, *(f"{m[key]:.4f}" for key in _HEADLINE[1:]))
    console.print(table)
    test = card.metrics["PrivateTest"]["plain"]
    classes = Table(
        "PrivateTest plain", "precision", "recall", "f1", "support", *(f"→ {name}" for name in card.classes)
    )
    for name, row in zip(card.classes, test["confusion"], strict=True):
        m = test["per_class"][name]
        classes.add_row(
            name, *(f"{m[k]:.3f}" for k in ("precision", "recall", "f1")), str(m["support"]), *map(str, row)
        )
    console.print(classes)
    console.print(f"Temperature, fitted on PublicTest: {card.temperature:.3f}")


def _command(
    name: Annotated[str, tyro.conf.Positional],
    /,
    data: Path = Path("data/fer2013.npz"),
    tta: Literal["all", "plain", "flip", "ten-crop"] = "all",
    device: str = "auto",
) -> None:
    """Measure a checkpoint on the validation and the test part.

    Args:
        name: a checkpoint's name, or the path of its folder.
        data: the imported set (`ferscope data import`).
        tta: the average over views at test time; the plain one is always measured.
        device: cpu, cuda, mps, or auto for what is there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    card = evaluate(name, FaceSet.load(data), TTA if tta == "all" else (tta,), device)
    report(card, Console(width=None if sys.stdout.isatty() else 200))


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope evaluate ...`; ends with status 1 and one sentence where it cannot."""
    try:
        tyro.cli(_command, prog="ferscope evaluate", args=argv)
    except (DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
