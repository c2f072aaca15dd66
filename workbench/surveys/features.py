"""Penultimate features of a checkpoint, stored as `features.npz` beside it: few principal components, and no image.

`ferscope refresh` computes them with the dataset. The page Metrics draws those of the test set, and the page Explain
looks for the training faces that are nearest to the current one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import CheckpointError, checkpoint_folder, load_checkpoint, writable_folder
from models.datasets import FaceSet
from models.datasets.splits import split
from models.files import UNPACKING_ERRORS, write_bytes

from ..analysis.features import Projection, penultimate_features, principal_components
from .sample import SurveySample, draw_sample, weights_digest

FILE = "features.npz"
COMPONENTS = 16
"""Principal components that are stored of each image."""
_BATCH = 128  # images in one pass
LARGEST = 64 * 1024**2  # bytes
_AGAIN = "Compute them: ferscope refresh --only features"


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """The stored features of one part of a dataset, N images.

    Attributes:
        rows: coordinates along the principal components, (N, K).
        labels: index of the label of each, (N,).
        names: names of the files in the dataset, (N,).
        ids: ids of the images, as in `FaceSet.ids`, (N,).
    """

    rows: Tensor
    labels: Tensor
    names: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True, eq=False)
class Features:
    """Penultimate features of a checkpoint.

    Attributes:
        sample: the test set and the weights.
        projection: projection from features to the coordinates that are stored.
        training, test: the two parts.
        embedding: the test set in two dimensions by t-SNE (van der Maaten and Hinton 2008), (N, 2).
    """

    sample: SurveySample
    projection: Projection
    training: FeatureRows
    test: FeatureRows
    embedding: Tensor


def read_features(name_or_path: str | Path) -> Features:
    """Read the features beside a checkpoint's weights.

    Raises:
        CheckpointError: there are none, the file is damaged, or they belong to other weights.
    """
    folder = checkpoint_folder(name_or_path)
    path = folder / FILE
    try:
        if path.stat().st_size > LARGEST:
            raise CheckpointError(f"{path} is larger than {LARGEST // 1024**2} MB. Delete it. {_AGAIN}")
        with np.load(path, allow_pickle=False) as file:
            found = _from_arrays({key: file[key] for key in file.files})
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is not there. {_AGAIN}") from error
    except (KeyError, TypeError, *UNPACKING_ERRORS) as error:
        raise CheckpointError(f"{path} holds no features ({error}). Delete it. {_AGAIN}") from error
    if found.sample.weights != weights_digest(folder):
        raise CheckpointError(f"{path} belongs to other weights than those beside it. {_AGAIN}")
    return found


def survey_features(
    name: str | Path,
    faces: FaceSet,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """Compute the features of a checkpoint's training and test set and store them, unless they are stored already.

    Args:
        name: a checkpoint's name, or the path of its folder.
        faces: the dataset; the card's split divides it.
        device: where the network runs.
        progress: called with the images that are done, and their total.

    Raises:
        CheckpointError: there is no such checkpoint.
        DataError: the dataset has other classes, or lacks what the split needs.
        ValueError: the network does not end in a linear layer.
    """
    sample, test = draw_sample(name, faces, "test", None, 0)
    try:
        if (known := read_features(name)).sample == sample:
            return known
    except CheckpointError:
        pass
    model, card = load_checkpoint(name, device)
    training = split(faces, card.split).training
    total = len(training) + len(test)

    def features(part: FaceSet, before: int) -> Tensor:
        rows = []
        for start in range(0, len(part), _BATCH):
            x = card.prepare(torch.from_numpy(part.images[start : start + _BATCH]).to(device))
            rows.append(penultimate_features(model, x).cpu())
            progress(before + min(start + _BATCH, len(part)), total)
        return torch.cat(rows)

    raw = features(training, 0)
    projection = principal_components(raw, COMPONENTS)
    rows = projection(features(test, len(training)))
    found = Features(sample, projection, _rows(projection(raw), training), _rows(rows, test), _embedded(rows))
    _write(writable_folder(name) / FILE, found)
    return found


def _embedded(rows: Tensor) -> Tensor:
    from sklearn.manifold import TSNE  # here: it takes half a second

    perplexity = min(30.0, (len(rows) - 1) / 3)
    return torch.from_numpy(TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(rows.numpy()))


def _rows(rows: Tensor, part: FaceSet) -> FeatureRows:
    return FeatureRows(rows, torch.from_numpy(part.labels).long(), part.names, part.ids)


# ---- the file


def _write(path: Path, found: Features) -> None:
    """Half precision for what is looked up, single precision for the projection."""
    arrays = {
        "sample": np.array(json.dumps(asdict(found.sample))),
        "kept": np.array(found.projection.kept),
        "mean": found.projection.mean.numpy(),
        "components": found.projection.components.numpy(),
        "embedding": found.embedding.numpy().astype(np.float16),
    }
    for key, part in (("training", found.training), ("test", found.test)):
        arrays |= {
            f"{key}_rows": part.rows.numpy().astype(np.float16),
            f"{key}_labels": part.labels.numpy().astype(np.uint8 if part.labels.max() < 256 else np.int32),
            f"{key}_names": part.names.astype("S"),
            f"{key}_ids": part.ids.astype("S"),
        }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def _from_arrays(arrays: dict[str, np.ndarray]) -> Features:
    """The features in a file's arrays; KeyError, TypeError or ValueError where they do not fit together."""
    sample = SurveySample(**json.loads(str(arrays["sample"])))
    mean, components = (torch.from_numpy(arrays[key]).float() for key in ("mean", "components"))
    if mean.ndim != 1 or components.ndim != 2 or components.shape[1] != len(mean):
        raise ValueError("mean and components have different lengths")
    parts = [_part(arrays, key, len(components)) for key in ("training", "test")]
    embedding = torch.from_numpy(arrays["embedding"]).float()
    if embedding.shape != (len(parts[1].rows), 2):
        raise ValueError("the embedding has not two numbers for each test image")
    return Features(sample, Projection(mean, components, float(arrays["kept"])), *parts, embedding)


def _part(arrays: dict[str, np.ndarray], key: str, width: int) -> FeatureRows:
    rows = torch.from_numpy(arrays[f"{key}_rows"]).float()
    labels = torch.from_numpy(arrays[f"{key}_labels"].astype(np.int64))
    names, ids = (arrays[f"{key}_{column}"].astype("U") for column in ("names", "ids"))
    if rows.shape != (len(labels), width) or not len(names) == len(ids) == len(labels):
        raise ValueError(f"the columns of the {key} set have different lengths")
    return FeatureRows(rows, labels, names, ids)
