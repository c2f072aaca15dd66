"""`ferscope data`: import datasets, and show their contents and problems."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from models.datasets import DataError, FaceSet, duplicates, split_tables, splits, subjects
from models.datasets import audit as audits
from models.files import DiskFullError, write_bytes, write_json
from models.paths import DATA, FER2013

from . import data_import, label_audit
from .data_import import counts_table, show_set

Source = Annotated[Path, tyro.conf.Positional]

app = tyro.extras.SubcommandApp()


app.command(name="import")(data_import.import_set)


@app.command(name="info")
def info(path: Source = FER2013, /) -> None:
    """Print the counts and the fingerprint of an imported dataset."""
    faces = FaceSet.load(path)
    console = Console()
    show_set(faces, console)
    console.print(f"{path}: fingerprint {faces.fingerprint}", soft_wrap=True)


@app.command(name="audit")
def audit(
    path: Source = FER2013,
    /,
    near: int = duplicates.NEAR,
    html: Path | None = None,
    json: Path | None = None,
    networks: tuple[str, ...] = (),
    exclusions: Path | None = None,
) -> None:
    """Find duplicates, leakage between splits, conflicting labels, blank images and labels that are likely wrong.

    Args:
        path: the imported set.
        near: bits of 63 in which the perceptual hashes of near-duplicates may differ.
        html: write the report to this file, without images.
        json: write the counts to this file.
        networks: checkpoints, or folders of cross-validations, whose stored probabilities judge the labels; by default
            those of checkpoints/ that were not trained on the images.
        exclusions: write the images with likely wrong labels to this list (.json); --exclude FILE of `ferscope train`
            leaves them out.
    """
    if exclusions and exclusions.suffix != ".json":
        raise DataError(f"{exclusions}: the list is written as JSON; give a name that ends with .json")
    faces, console = FaceSet.load(path), Console()
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        task = progress.add_task("")
        found = audits.audit(faces, near, lambda step: progress.update(task, description=f"Searching for {step}"))
    console.print(counts_table(faces.classes, faces.counts()))
    for sentence in audits.sentences(found):
        console.print(sentence, soft_wrap=True)
    console.print(_leak_table(found.leaks))
    console.print("duplicates: test images in the training set; on test: the epoch is selected on test images")
    noise = label_audit.report(networks, faces, console, exclusions)
    if html:
        write_bytes(html, audits.as_html(found, path.stem, noise).encode())
        console.print(f"The report is in {html}", soft_wrap=True)
    if json:
        write_json(json, {**found.as_dict(), "label_noise": noise})
        console.print(f"The counts are in {json}", soft_wrap=True)


def _leak_table(leaks: tuple[audits.Leak, ...]) -> Table:
    table = Table(*audits.LEAK_HEAD, "on test", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for k in leaks:
        exact, near = (f"{n} ({n / k.test:.0%})" for n in (k.exact, k.near))
        sizes = map(str, (k.training, k.validation, k.test))
        table.add_row(k.split, *sizes, exact, near, "yes" if k.chosen_on_test else "no")
    return table


@app.command(name="splits")
def show_splits(
    name: Annotated[str, tyro.conf.Positional] = "", /, data: Path = FER2013, out: Path | None = None, seed: int = 0
) -> None:
    """Print the available splits of a dataset, or one of them, and write it as lists of ids.

    Args:
        name: name of one split, or of a cross-validation, such as subject-10fold; without it all are printed.
        data: the imported set.
        out: write the lists to this file (.json); --split FILE of `ferscope train` takes it.
        seed: random seed, for splits that draw images at random.
    """
    if out and out.suffix != ".json":
        raise DataError(f"{out}: the lists are written as JSON; give a name that ends with .json")
    console = Console()
    if not name and data == FER2013 and not data.is_file():
        console.print(split_tables.notes())
        console.print(f"{data} is not imported. Give another dataset with --data to print the sizes.")
        return
    faces = FaceSet.load(data)
    if not name:
        console.print(split_tables.sizes(faces))
    elif subjects.is_cross_validation(name) and not out:
        folds = [splits.split(faces, fold, seed) for fold in subjects.fold_names(faces, name)]
        console.print("Test set of each fold:", split_tables.by_fold(folds), subjects.note(f"{name}-1"))
    else:
        _show_split(faces, name, seed, out, console)


def _show_split(faces: FaceSet, name: str, seed: int, out: Path | None, console: Console) -> None:
    parts = splits.split(faces, name, seed)
    console.print(split_tables.by_class(parts))
    if found := splits.find(name):
        console.print(found.note)
    if out:
        splits.write_split(out, parts, faces, name, seed)
        console.print(f"Written to {out}", soft_wrap=True)


@app.command(name="preview")
def preview(
    path: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    augmentation: Literal[
        "all", "none", "quick", "strong", "moderate", "paper-a", "paper-b", "paper-c", "paper-d", "paper-e"
    ] = "all",
    out: Path = Path("preview.png"),
    seed: int = 0,
) -> None:
    """Draw a grid of augmented faces: the first column has one face of each class, the others augmented versions of it.

    Args:
        path: an imported set; by default drawn faces.
        augmentation: none, quick, strong, moderate, paper-a to paper-e; all: every one of them, for a single face,
            a row each.
        out: the image to write. With a dataset it contains its faces: consider who may see them.
        seed: equal seeds give equal grids.
    """
    from models.datasets import augment
    from models.datasets.synthetic import faces as synthetic  # here, because kornia takes a second or two

    console = Console()
    if path is None:
        faces = np.stack([synthetic.draw_face(emotion, 96, seed=seed) for emotion in synthetic.EXPRESSIONS])
    else:
        known = FaceSet.load(path)
        rng = np.random.default_rng(seed)
        faces = np.stack([known.images[rng.choice(np.flatnonzero(known.labels == k))] for k in np.unique(known.labels)])
    names = list(augment.AUGMENTATIONS) if augmentation == "all" else [augmentation]
    some = faces[min(3, len(faces) - 1) :][:1] if augmentation == "all" else faces  # the happy one
    grid = np.concatenate([augment.preview(some, name, seed=seed) for name in names])
    buffer = io.BytesIO()
    Image.fromarray(grid).save(buffer, "PNG")
    write_bytes(out, buffer.getvalue())
    for name in names:
        found = augment.AUGMENTATIONS[name]
        console.print(f"{name}: {', '.join(found.steps) or 'nothing'}", soft_wrap=True)
        if found.no_effect:
            console.print(f"  no effect on gray images: {', '.join(found.no_effect)}", soft_wrap=True)
    console.print(f"Written to {out}, a row for each {'of these' if augmentation == 'all' else 'face'}", soft_wrap=True)


@app.command(name="draw")
def draw(
    out: Path = DATA / "drawn.npz", count: int = 300, size: int = 48, seed: int = 0, sticker: str | None = None
) -> None:
    """Draw a dataset of faces with known evidence, to train on and to test maps with.

    Args:
        out: the file to write.
        count: Training images of each class; each of the two test sets gets a fifth as many.
        size: side of the images in pixels.
        seed: equal seeds give equal datasets.
        sticker: a class whose Training images carry a sticker, a planted shortcut.
    """
    from models.datasets.synthetic.sets import save_drawn

    console = Console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Drawing")
        drawn = save_drawn(
            out, count, size, seed, sticker, lambda done, total: progress.update(task, completed=done, total=total)
        )
    show_set(drawn.faces, console)
    console.print(f"Written to {out}; fingerprint {drawn.faces.fingerprint}", soft_wrap=True)


@app.command(name="fetch")
def fetch(name: Annotated[Literal["fer2013"], tyro.conf.Positional] = "fer2013", /, out: Path = FER2013) -> None:
    """Download FER2013 from Kaggle and import it (needs: pip install -e ".[kaggle]").

    Args:
        name: name of the set.
        out: the file to write.
    """
    try:
        import kagglehub
    except ImportError:
        raise DataError(f'Downloading needs kagglehub: pip install -e ".[kaggle]". {_BY_HAND}') from None
    try:
        folder = kagglehub.dataset_download("msambare/fer2013")
    except Exception as error:  # kagglehub has errors of its own for a missing network, a missing account, a full disk
        raise DataError(f"Kaggle could not be reached or refused ({error}). {_BY_HAND}") from error
    data_import.import_set(Path(folder), out, "fer2013")


_BY_HAND = (
    "By hand: download the archive at https://www.kaggle.com/datasets/msambare/fer2013, then: "
    "ferscope data import archive.zip"
)


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope data ...`; on an error, print one sentence and exit with status 1."""
    try:
        app.cli(prog="ferscope data", args=argv)
    except (DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
