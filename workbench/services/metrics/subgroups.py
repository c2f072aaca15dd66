"""Metrics of a checkpoint for each group of test images, by a table that the visitor gives."""

from __future__ import annotations

from models.datasets.groups import columns_of, image_column, read_groups
from models.subgroups import SMALLEST, Subgroups
from models.subgroups import subgroups as of_groups

from .evaluation import Subset, stored_predictions

__all__ = ["SMALLEST", "Subgroups", "columns_of", "image_column", "subgroups"]


def subgroups(
    name: str, table: bytes, column: str, images: str, part: str = "PrivateTest", subset: Subset = "all"
) -> Subgroups:
    """Metrics for each group of the test images.

    Args:
        name: name of the checkpoint.
        table: content of a CSV file.
        column: name of the column of groups.
        images: name of the column that names the images.
        part: the test set.
        subset: the images of the test set that count.

    Raises:
        DataError: the table cannot be used, or every group is small; CheckpointError: card or predictions
            are missing or damaged, or there are none for this test set.
    """
    given = stored_predictions(name, part, subset)
    groups = read_groups(table, column, given.ids, given.names, images)
    return of_groups(given.logits.argmax(-1).numpy(), given.labels.numpy(), given.card.classes, groups)
