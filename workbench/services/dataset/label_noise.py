"""Labels of a dataset that are likely wrong, by networks that were not trained on the images."""

from __future__ import annotations

from threading import Lock

from models.datasets import DataError
from models.label_noise import LabelNoise, find_label_noise, single_networks
from models.paths import RUNS

from ...jobs import store
from .contents import FER2013, has_images, images_of


def label_noise(name: str) -> LabelNoise:
    """The labels of a dataset, the most suspicious first; a few seconds, then cached until the set changes.

    Judged by the networks of `checkpoints/`, by completed training runs on shared images, and by cross-validations. Of
    FER2013 the labels of its test sets are judged also where it is not imported.

    Raises:
        DataError: no network has out-of-sample probabilities for these images, or the set is not imported.
    """
    key = _key(name)
    with _finding:
        if key not in _found:
            try:
                _found[key] = find_label_noise(key[1], images_of(name) if key[0] else None)
            except DataError as error:
                raise DataError(_NO_NETWORK) from error
        return _found[key]


def is_known(name: str) -> bool:
    """Whether `label_noise` returns at once."""
    return _key(name) in _found


_finding = Lock()
_found: dict[tuple[str, tuple[str, ...]], LabelNoise] = {}
_NO_NETWORK = (
    "There are no stored out-of-sample probabilities for these images. Train a network on this dataset and evaluate it "
    "(the page Train does both), or a cross-validation: ferscope train --data SET --split subject-10fold"
)


def _key(name: str) -> tuple[str, tuple[str, ...]]:
    """Fingerprint of the images, empty for FER2013 where it is not imported, and the networks that judge."""
    return "" if name == FER2013 and not has_images(name) else images_of(name).fingerprint, _judges()


def _judges() -> tuple[str, ...]:
    """Folders of the networks whose probabilities may count."""
    ended = (job.folder for job in store.jobs() if job.has_checkpoint and not job.alive and not job.belongs_to)
    folds = (file.parent for file in sorted(RUNS.glob("*/summary.json")))
    return (*single_networks(), *map(str, ended), *map(str, folds))
