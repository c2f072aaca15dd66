"""Label noise: labels that are likely wrong, by confident learning (Northcutt et al. 2021, arXiv:1911.00068; cleanlab).

A label is suspicious where networks that were not trained on the image give another class a much higher probability.
So only out-of-sample probabilities count: those stored beside checkpoints (`predictions.npz`) for images whose pixels
are not in their training set. Of training images there are none, except from the folds of a cross-validation, or from
networks that were trained on another part of the dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .annotator_agreement import majorities
from .cards import Card
from .checkpoints import CheckpointError, checkpoint_folder, list_checkpoints, read_card, read_predictions
from .datasets import DataError, FaceSet, ferplus
from .datasets.fer2013 import official_hashes
from .datasets.splits import split
from .metrics import Interval, percent, share
from .text import counted

FIRST = 100
"""Images of the list whose precision is measured."""

METHOD = "normalized margin"
"""Score of a label: its probability minus that of the most probable other class, scaled to 0..1 (cleanlab)."""

_NO_NETWORK = "There are no stored out-of-sample probabilities for these images"


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """Labels of N images, the most suspicious first.

    Attributes:
        ids, names: ids and names of the images, str (N,).
        labels: the label of each, str (N,).
        suggested: the most probable other class, str (N,).
        scores: quality of the label, 0 to 1, ascending, (N,); see `METHOD`.
        likely_wrong: whether confident learning counts the label as an error, bool (N,).
        votes: votes of FER+'s annotators, int64 (N, 10), columns as in `ferplus.COLUMNS`; zeros where they are not
            known.
        networks: names of the networks whose probabilities are averaged.
        left_out: networks whose probabilities do not count → why.
        uncovered: images of each part of the dataset without such probabilities.
    """

    ids: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    suggested: np.ndarray
    scores: np.ndarray
    likely_wrong: np.ndarray
    votes: np.ndarray
    networks: tuple[str, ...]
    left_out: Mapping[str, str]
    uncovered: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def contradicted(self) -> np.ndarray:
        """Whether more than half of FER+'s annotators agree on something else than the label, bool (N,)."""
        majority = majorities(self.votes)
        return (majority != "") & (majority != self.labels)

    def precision(self, first: int = FIRST) -> tuple[int, Interval, Interval] | None:
        """How often annotators disagree with the label, among the first images of the list and among all of it.

        Returns:
            Number of first images with votes, at most `first`; precision among them; share among all images with
            votes, which a random list would have (chance). None where no image has votes.
        """
        voted = self.votes.any(1)
        if not voted.any():
            return None
        contradicted = self.contradicted[voted]
        return min(first, len(contradicted)), share(contradicted[:first]), share(contradicted)

    def sentences(self) -> list[str]:
        """The result in words: how many, how reliable beside FER+, and what it cannot say."""
        lines = [
            f"{int(self.likely_wrong.sum())} of {len(self)} labels are likely wrong, by the mean probability of "
            f"{counted(len(self.networks), 'network')} that were not trained on these images."
        ]
        if found := self.precision():
            first, precision, chance = found
            lines.append(
                f"Of the first {first}, FER+'s annotators disagree with {percent(precision)}; of all labels, "
                f"{percent(chance)}."
            )
        if self.uncovered:
            missing = ", ".join(f"{n} of {part}" for part, n in self.uncovered.items())
            lines.append(
                f"No out-of-sample probabilities are stored for {missing}: these networks were trained on them. The "
                "folds of a cross-validation, or networks of another split, have some."
            )
        return lines


@dataclass(frozen=True, eq=False)
class _Probabilities:
    """Out-of-sample probabilities of one network: of classes (N, K), with label, name and id of each image."""

    classes: tuple[str, ...]
    values: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    ids: np.ndarray


def find_label_noise(networks: Sequence[str | Path] = (), faces: FaceSet | None = None) -> LabelNoise:
    """Rank the labels of a dataset by how likely they are wrong.

    Args:
        networks: checkpoints by name or path, or folders of cross-validations, whose probabilities are averaged; by
            default those of `checkpoints/` that have some for these images.
        faces: the dataset; None: FER2013's test sets, as the stored predictions have them.

    Raises:
        DataError: none of the networks has out-of-sample probabilities for these images.
    """
    found: dict[str, list[_Probabilities]] = {}
    left_out: dict[str, str] = {}
    for name in networks or single_networks():
        try:
            found[Path(name).name] = [_probabilities(one, faces) for one in _folds(name)]
        except (CheckpointError, DataError) as error:
            left_out[Path(name).name] = str(error)
    if not found:
        reasons = " ".join(left_out.values()) if networks else ""
        raise DataError(f"{_NO_NETWORK}. {reasons}".rstrip())
    ids, labels, names, mean, classes = _averaged([one for folds in found.values() for one in folds], faces)
    covered = np.flatnonzero(mean.any(1))
    order, scores, suggested, wrong = _ranked(labels[covered], mean[covered])
    chosen = covered[order]
    words = np.array(classes)
    uncovered = _uncovered(faces, chosen) if faces is not None else {}
    return LabelNoise(
        ids[chosen], names[chosen], words[labels[chosen]], words[suggested[order]], scores[order], wrong[order],
        ferplus.votes(names)[chosen], tuple(found), left_out if networks else {}, uncovered,
    )  # fmt: skip


def single_networks() -> list[str]:
    """Names of the checkpoints that judge labels by default: all but ensembles, whose members count already."""
    return [name for name in list_checkpoints() if read_card(name).network != "ensemble"]


def _folds(name: str | Path) -> list[str | Path]:
    """The folders of the folds of a cross-validation; of anything else itself."""
    return [*sorted(checkpoint_folder(name).glob("fold-*"))] or [name]


def _probabilities(name: str | Path, faces: FaceSet | None) -> _Probabilities:
    """Those of a checkpoint for images that it was not trained on; DataError where there are none."""
    card = read_card(name)
    stored = read_predictions(name)
    kept = ~np.isin(_hashes(stored.ids), _trained_hashes(name, card, faces))
    if faces is not None:
        if faces.classes != card.classes:
            raise DataError(f"{name} has other classes than the dataset.")
        kept &= np.isin(stored.ids, faces.ids)
    if not kept.any():
        raise DataError(f"{name} has no stored probabilities for images that it was not trained on.")
    values = (stored.logits / (card.temperature or 1.0)).double().softmax(-1).numpy()
    labels = stored.labels.numpy()
    return _Probabilities(card.classes, values[kept], labels[kept], stored.names[kept], stored.ids[kept])


def _hashes(ids: np.ndarray) -> np.ndarray:
    """Pixel hashes of images, from their ids."""
    return np.array([str(id_).rsplit("-", 2)[-2:][0] for id_ in ids])


def _trained_hashes(name: str | Path, card: Card, faces: FaceSet | None) -> np.ndarray:
    """Pixel hashes of the images that a network was trained on; DataError where they are not known."""
    if card.seen:
        raise DataError(f"{name} is left out: weights that it comes from have seen some of its test images.")
    if card.data == official_hashes().data:
        return official_hashes().trained
    if faces is not None:
        parts = split(faces, card.split)
        if parts.fingerprint == card.data:
            return parts.training.pixel_hashes
    raise DataError(f"Which images {name} was trained on is not known here.")


def _averaged(
    found: Sequence[_Probabilities], faces: FaceSet | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Ids, labels, names, mean probabilities (N, K; zeros where no network has any) and the classes."""
    first = found[0]
    same = [one for one in found if one.classes == first.classes]
    if faces is not None:
        ids, labels, names = faces.ids, faces.labels, faces.names
    else:
        joined = [np.concatenate([getattr(one, a) for one in same]) for a in ("ids", "labels", "names")]
        ids, at = np.unique(joined[0], return_index=True)
        labels, names = joined[1][at], joined[2][at]
    place = {id_: i for i, id_ in enumerate(ids.tolist())}
    total, times = np.zeros((len(ids), len(first.classes))), np.zeros(len(ids))
    for one in same:
        rows = [place[id_] for id_ in one.ids.tolist()]
        np.add.at(total, rows, one.values)  # an image may be in two parts of a split
        np.add.at(times, rows, 1)
    return ids, labels, names, total / np.maximum(times, 1)[:, None], first.classes


def _ranked(labels: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Order by score, scores, most probable other class, and which labels are errors; each (N,)."""
    from cleanlab.filter import find_label_issues  # here: cleanlab takes seconds
    from cleanlab.rank import get_label_quality_scores

    scores = get_label_quality_scores(labels, mean, method="normalized_margin")
    wrong = np.asarray(find_label_issues(labels, mean, n_jobs=1))
    others = mean.copy()
    others[np.arange(len(labels)), labels] = -1
    return np.argsort(scores, kind="stable"), scores, others.argmax(1), wrong


def _uncovered(faces: FaceSet, covered: np.ndarray) -> dict[str, int]:
    missing = np.ones(len(faces), dtype=bool)
    missing[covered] = False
    parts, counts = np.unique(faces.splits[missing], return_counts=True)
    return dict(zip(parts.tolist(), counts.tolist(), strict=True))
