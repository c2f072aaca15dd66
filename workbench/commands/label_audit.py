"""The part of `ferscope data audit` about labels that are likely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from models.datasets import DataError, FaceSet, ferplus
from models.datasets.exclusion import exclusion_list, write_exclusion_list
from models.label_noise import LabelNoise, find_label_noise

REASON = "likely wrong labels (ferscope data audit)"
_ROWS = 20


def report(networks: Sequence[str], faces: FaceSet, console: Console, exclusions: Path | None = None) -> list[str]:
    """Print the most suspicious labels, write the likely wrong ones to an exclusion list, and return the sentences.

    Raises:
        DataError: networks are given, or a list is to be written, and there are no probabilities for these images.
    """
    try:
        found = find_label_noise(networks, faces)
    except DataError as error:
        if networks or exclusions:
            raise
        console.print(f"Label noise: not measured. {error}.", soft_wrap=True)
        return []
    lines = ["Label noise: " + found.sentences()[0], *found.sentences()[1:]]
    for line in (*lines, *(f"{name} is not used: {why}" for name, why in found.left_out.items())):
        console.print(line, soft_wrap=True)
    console.print(_table(found))
    if exclusions:
        wrong = exclusion_list(found.ids[found.likely_wrong].tolist(), REASON)
        write_exclusion_list(exclusions, wrong)
        console.print(f"{len(wrong.hashes)} images are in {exclusions}", soft_wrap=True)
    return lines


def _table(found: LabelNoise) -> Table:
    image = Column("image", no_wrap=True, overflow="fold")
    table = Table(image, "label", "suggested", "quality", "votes of annotators", box=SIMPLE_HEAD)
    for i in range(min(_ROWS, len(found))):
        votes = ferplus.in_words(found.votes[i]) or "not known"
        table.add_row(found.ids[i], found.labels[i], found.suggested[i], f"{found.scores[i]:.3f}", votes)
    return table
