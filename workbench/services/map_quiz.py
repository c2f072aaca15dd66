"""Agreement of regions that a person selects with a map, or with known evidence.

The image is cut into a grid of cells, named as on a chessboard: columns A, B, C … from the left, rows 1, 2, 3 … from
the top. Cell i of a grid with n columns is column i mod n of row i div n.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from models.datasets.synthetic.faces import draw

from ..faces import Face, load_sample, samples
from .explain import Explanation

GRID = 6
"""Rows, and columns, of the grid; 8 pixels of 48 to a cell."""


@dataclass(frozen=True, eq=False)
class Score:
    """How well picked cells agree with a map whose values are at least 0.

    Attributes:
        mass: share of the map's sum that lies in the picked cells, 0..1; higher is better.
        area: share of the image that they cover, 0..1: the expected mass of a random selection of this size.
        most: the mass of the best selection of this size, 0..1.
        overlap: picked and strongest cells in common, over all that are one or the other (intersection over union),
            0..1; higher is better. As many of the strongest cells count as were picked; blank cells never count.
        random_overlap: expected overlap of a random selection of this size.
        cells: share of the map in each cell, (GRID · GRID,); sums to 1.
        strongest: indices of those strongest cells, the strongest first.
    """

    mass: float
    area: float
    most: float
    overlap: float
    random_overlap: float
    cells: Tensor
    strongest: tuple[int, ...]

    @property
    def reached(self) -> float:
        """The mass divided by the best mass of a selection of this size, 0..1; higher is better."""
        return self.mass / self.most


@dataclass(frozen=True, eq=False)
class Guess:
    """A selection beside the map, and beside the true evidence.

    Attributes:
        picked: indices of the picked cells, ascending.
        map: agreement with the map; None for a blank map.
        truth: agreement with the drawn evidence; None for a photograph, whose true evidence is unknown.
        evidence: where a drawn face differs from a face at rest, 0..1, (S, S); None for a photograph.
        map_truth: agreement of the map's strongest cells, as many as were picked, with the drawn evidence; None if one
            of the two is missing.
    """

    picked: tuple[int, ...]
    map: Score | None
    truth: Score | None
    evidence: Tensor | None
    map_truth: Score | None


def cell_name(cell: int) -> str:
    """A1 for the cell in the upper left corner, F6 for the lower right one."""
    return f"{chr(ord('A') + cell % GRID)}{cell // GRID + 1}"


def guess(explanation: Explanation, face: Face, class_: str, cells: Collection[int], method: str = "gradcam") -> Guess:
    """Score a guess where the map of a class is strong.

    Args:
        explanation: explanation of this face.
        face: where it is a drawn sample, its evidence is known.
        class_: class whose map was guessed. A drawn face's evidence is that for the expression that it was drawn with,
            and counts for this class alone.
        cells: numbers of the picked cells, from 0 to GRID · GRID − 1, one at least.
        method: one of `cam.METHODS`.

    Raises:
        ValueError: no cell, a cell outside of the grid, or an unknown class or method.
    """
    heat = explanation.map_of(class_, method)
    known = evidence(face, len(heat)) if drawn_as(face) == class_ else None
    mapped, truth = score(heat, cells), None if known is None else score(known, cells)
    own = score(known, mapped.strongest) if mapped and known is not None else None
    return Guess(tuple(sorted(set(cells))), mapped, truth, known, own)


def score(values: Tensor, cells: Collection[int]) -> Score | None:
    """How well picked cells agree with a map (S, S), at least 0; None where it is 0 everywhere. Errors as `guess`."""
    picked = set(cells)
    if not picked or min(picked) < 0 or max(picked) >= GRID * GRID:
        raise ValueError(f"cells={sorted(picked)}: pick one cell or more, by numbers from 0 to {GRID * GRID - 1}")
    held = in_cells(values)
    if held.sum() <= 0:
        return None
    pixels = in_cells(torch.ones_like(values))
    held = held / held.sum()
    order = held.argsort(descending=True, stable=True)[: len(picked)].tolist()
    strongest = tuple(cell for cell in order if held[cell] > 0)
    return Score(
        mass=float(held[list(picked)].sum()),
        area=float(pixels[list(picked)].sum() / pixels.sum()),
        most=float(held[list(strongest)].sum()),
        overlap=len(picked & set(strongest)) / len(picked | set(strongest)),
        random_overlap=_random_overlap(len(picked), len(strongest)),
        cells=held,
        strongest=strongest,
    )


def in_cells(values: Tensor) -> Tensor:
    """The sum of an image (S, S) in each cell of the grid, (GRID · GRID,); each pixel counts for one cell."""
    row, column = (torch.arange(side) * GRID // side for side in values.shape)  # cell of each line of pixels
    by_row = values.new_zeros(GRID, values.shape[1]).index_add(0, row, values)
    return by_row.new_zeros(GRID, GRID).index_add(1, column, by_row).flatten()


def _random_overlap(picked: int, strongest: int) -> float:
    """Expected intersection over union of `picked` randomly drawn cells with `strongest` given ones."""
    from scipy.stats import hypergeom  # here: scipy.stats takes half a second

    drawn = hypergeom(GRID * GRID, strongest, picked)
    return float(sum(drawn.pmf(k) * k / (picked + strongest - k) for k in range(1, min(picked, strongest) + 1)))


# ---- what is known of drawn faces


def drawn_as(face: Face) -> str | None:
    """The expression that a sample was drawn with; None for any other face."""
    return _drawn_samples().get(face.key)


def evidence(face: Face, size: int) -> Tensor | None:
    """Where a drawn sample differs from a face at rest, 0..1, (size, size); None for any other face.

    Of a neutral one, which differs nowhere, brows, eyes and mouth. What a face does not show is evidence too, and
    cannot be marked.
    """
    emotion = drawn_as(face)
    return None if emotion is None else torch.from_numpy(draw(emotion, size).evidence)


@lru_cache(maxsize=1)
def _drawn_samples() -> dict[str, str]:
    names = [sample.name for sample in samples() if sample.name.startswith("drawn_")]
    return {load_sample(name).key: name.removeprefix("drawn_") for name in names}
