"""One image of each class of a dataset, by which datasets are told apart in the form."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from models.datasets import EMOTIONS, DataError, FaceSet
from models.datasets.synthetic.faces import draw

from ..dataset import imported
from . import sources

_SIDE = 48  # pixels, of a drawn face


def examples(name: str) -> dict[str, np.ndarray]:
    """The first training image of each class, gray, uint8 (S, S); of a drawn dataset, faces drawn like its own.

    Empty for a dataset that is not on this computer, or has no training images by that name.
    """
    if name in sources.DRAWINGS:
        return _drawn(sources.DRAWINGS[name].sticker)
    try:
        found = imported.open_set(name) if name in imported.imported_sets() else FaceSet.load(sources.path_of(name))
    except DataError:
        return {}
    labels = np.where(found.splits == "Training", found.labels, -1)
    first = {class_: np.flatnonzero(labels == k)[:1] for k, class_ in enumerate(found.classes)}
    return {class_: found.images[at[0]] for class_, at in first.items() if len(at)}


@lru_cache(maxsize=8)
def _drawn(sticker: str | None) -> dict[str, np.ndarray]:
    return {name: draw(name, _SIDE, 1, sticker="forehead" if name == sticker else None).image for name in EMOTIONS}
