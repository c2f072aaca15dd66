"""Where a training run's initial weights and its teacher come from, and which images they have seen.

A network that starts from weights which were trained on test images is no longer tested by them, whatever its own split
says. An image counts as seen where an ancestor used it and this run does not (FER2013's official split repeats 288
test images in Training, which every official network knows; they are no reason to refuse a start):

- an image of the validation set that an ancestor was trained on;
- an image of the test set that an ancestor was trained on, or by which its epoch was chosen.

Images are the same where their pixels are. Near-duplicates are counted and reported beside them. What an ancestor used
follows from its split and the fingerprint of its data, for every dataset that is available; the pixel hashes of
FER2013's official split ship with the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..cards import IMAGENET, Ancestor, Card, Role, chain
from ..checkpoints import read_card
from ..datasets import DataError, FaceSet
from ..datasets.duplicates import near_duplicates_of
from ..datasets.fer2013 import official_hashes
from ..datasets.splits import Parts, find, split
from ..text import counted
from .config import TrainConfig
from .errors import TrainingError
from .events import first_process

Key = tuple[str, str]
"""Split and fingerprint of the data: which images a training run used."""


@dataclass(frozen=True)
class Seen:
    """Images that ancestors have seen and the training run itself does not use.

    Attributes:
        of: number of images in the validation and the test set, by the set's name.
        exact: number of these that ancestors have seen, by pixel hash.
        near: number of further ones that are near-duplicates of an image that an ancestor was trained on.
        by: names of the ancestors that used other images than the training run.
        unknown: names of those whose images are not available; they are in no count.
        not_compared: names of those of which only pixel hashes are available, so that `near` does not include them.
    """

    of: dict[str, int]
    exact: dict[str, int]
    near: dict[str, int]
    by: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()

    @property
    def marks(self) -> dict[str, int | None]:
        """Marks of a card: counts by the name of the set, None where they are not known; empty where none was seen."""
        if self.unknown:
            return {part: n or None for part, n in self.exact.items()}
        return {part: n for part, n in self.exact.items() if n}

    def sentences(self) -> list[str]:
        """Sentences to report; empty if nothing was seen and all ancestors are known."""
        lines = []
        if any(self.exact.values()) or any(self.near.values()):
            counts = [f"{self.exact[part]} of {n} images of {part}{self._near(part)}" for part, n in self.of.items()]
            lines.append(
                f"{_listed(self.by)}: trained on or selected by {' and '.join(counts)} that are "
                "not in the training set of this run."
            )
        if self.unknown:
            lines.append(
                f"{_listed(self.unknown)}: which images it has seen is not known, because its dataset (or the file of "
                "its split) is not available."
            )
        return lines

    def _near(self, part: str) -> str:
        if self.not_compared:
            return " (near-duplicates not compared)"
        return f" (and {counted(self.near[part], 'near-duplicate')})"


@dataclass(frozen=True)
class Provenance:
    """Where the weights of a training run come from: its ancestors, and the `seen` of its card."""

    ancestors: tuple[Ancestor, ...]
    seen: dict[str, int | None]


def provenance(config: TrainConfig, parts: Parts) -> Provenance:
    """The ancestors of a training run, after a check that they have not seen its validation and test images.

    Args:
        config: configuration of the training run; with `allow_seen` the provenance is marked instead of refused.
        parts: training, validation and test set of the training run.

    Raises:
        TrainingError: they have seen some, or it cannot be determined; the message has the numbers.
        CheckpointError: the start or the teacher cannot be read.
    """
    folders = _used_checkpoints(config)
    cards = {folder: read_card(folder) for folder in folders}
    ancestors = tuple(cards[folder].as_ancestor(folder.absolute().name, *roles) for folder, roles in folders.items())
    found = seen_images(ancestors, parts, sets_near(config.data))
    marks, lines = dict(found.marks), []
    for folder, card in cards.items():  # marks of an imported checkpoint, even where its chain does not show them
        if card.data == parts.fingerprint and card.seen:
            marks |= {part: n for part, n in card.seen.items() if not marks.get(part)}
            lines.append(f"{folder.name}: {card.caveat}")
    lines += found.sentences()
    if marks and not config.allow_seen:
        raise TrainingError(
            f"{' '.join(lines)} The results would not be a test. Start from (or distill) weights that were trained "
            f"with the split {config.split} of this dataset, or train with --allow-seen: the card is then marked, and "
            "the network is left out of rankings, verdicts and ensembles."
        )
    for line in lines if first_process() else ():
        print(line)
    if config.pretrained:
        ancestors = (Ancestor(IMAGENET, ("start",), config.model), *ancestors)
    return Provenance(ancestors, marks)


def verified(card: Card, files: Iterable[Path]) -> Card:
    """Correct the `seen` of a card that others wrote, so that it agrees with its chain of ancestors.

    Args:
        card: card of the checkpoint; its own marks are kept.
        files: available datasets, see `sets_near`.
    """
    if not _others(card.ancestors, card.data):
        return card
    files = list(files)
    parts = _at_hand({(card.split, card.data)}, files).get((card.split, card.data))
    if parts is None:
        known = find(card.split)
        marks = dict.fromkeys(known.names if known else ("validation", "test"))
    else:
        marks = seen_images(card.ancestors, parts, files).marks
    return replace(card, seen={**card.seen, **{part: n or card.seen.get(part) for part, n in marks.items()}})


def seen_images(ancestors: Sequence[Ancestor], parts: Parts, files: Iterable[Path]) -> Seen:
    """Count the validation and test images that ancestors have seen beyond what the run itself uses.

    Args:
        ancestors: the ancestors, with their chains.
        parts: training, validation and test set of the training run.
        files: datasets that are searched for the ancestors' images.
    """
    names, sets = _others(ancestors, parts.fingerprint), _evaluated(parts)
    exact = {part: np.zeros(len(faces), dtype=bool) for part, faces in sets.items()}
    near = {part: np.zeros(len(faces), dtype=bool) for part, faces in sets.items()}
    found, hashes = _at_hand(names.keys(), files), official_hashes()
    unknown, not_compared = [], []
    for key, name in names.items():
        if key in found:
            trained, chosen = (found[key].training.pixel_hashes, found[key].validation.pixel_hashes)
            extra = found[key].training.subset(~np.isin(trained, parts.training.pixel_hashes))
            for part, faces in sets.items() if len(extra) else ():
                near[part] |= near_duplicates_of(faces, extra)
        elif key[1] == hashes.data:
            trained, chosen = hashes.trained, hashes.chosen
            not_compared.append(name)
        else:
            unknown.append(name)
            continue
        for part, mask in _exact(trained, chosen, parts).items():
            exact[part] |= mask
    return Seen(
        of={part: len(faces) for part, faces in sets.items()},
        exact={part: int(mask.sum()) for part, mask in exact.items()},
        near={part: int((near[part] & ~exact[part]).sum()) for part in sets},
        by=tuple(name for name in names.values() if name not in unknown),
        unknown=tuple(unknown),
        not_compared=tuple(not_compared),
    )


def sets_near(data: Path) -> Iterator[Path]:
    """Datasets that may hold ancestors' images: the run's own, then other `.npz` files in its folder, in the
    subfolders and in the parent folder."""
    folder = data.absolute().parent
    yield data
    for pattern in ("*.npz", "*/*.npz", "../*.npz"):
        yield from (file for file in sorted(folder.glob(pattern)) if file.name != data.name)


def _used_checkpoints(config: TrainConfig) -> dict[Path, list[Role]]:
    """The folders that a training run starts from or distills, with their roles."""
    roles: dict[Path, list[Role]] = {}
    if config.start_from:
        roles[config.start_from] = ["start"]
    teacher = config.teacher or config.start_from
    if config.distillation and teacher:
        roles.setdefault(teacher, []).append("teacher")
    return roles


def _others(ancestors: Iterable[Ancestor], data: str) -> dict[Key, str]:
    """Splits and datasets of ancestors other than `data`, each with the name of one ancestor."""
    found: dict[Key, str] = {}
    for one in chain(ancestors):
        if one.data != data and not (one.name == IMAGENET and not one.data):
            found.setdefault((one.split, one.data), one.name)
    return found


def _evaluated(parts: Parts) -> dict[str, FaceSet]:
    """Validation and test set by name; a single one where both are the same images."""
    return dict(zip(parts.names, (parts.validation, parts.test), strict=True))


def _exact(trained: np.ndarray, chosen: np.ndarray, parts: Parts) -> dict[str, np.ndarray]:
    """Which images count as seen, by pixel hash: bool (N,) for each evaluated set."""
    own_trained, own_chosen = parts.training.pixel_hashes, parts.validation.pixel_hashes
    found = {
        part: np.isin(faces.pixel_hashes, trained) & ~np.isin(faces.pixel_hashes, own_trained)
        for part, faces in _evaluated(parts).items()
    }
    test = parts.test.pixel_hashes
    found[parts.names[1]] |= np.isin(test, chosen) & ~np.isin(test, own_trained) & ~np.isin(test, own_chosen)
    return found


def _at_hand(keys: Iterable[Key], files: Iterable[Path]) -> dict[Key, Parts]:
    """The images of the training runs whose datasets are among the files, which are read until all are found."""
    found: dict[Key, Parts] = {}
    missing = set(keys)
    for file in files:
        if not missing:
            break
        with suppress(DataError):
            faces = FaceSet.load(file)
            for key in tuple(missing):
                with suppress(DataError):
                    parts = split(faces, key[0])
                    if parts.fingerprint == key[1]:
                        found[key] = parts
        missing -= found.keys()
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
