"""The claims of a paper as data, with each figure as printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.training.config import TrainConfig
from models.training.recipes import from_recipe

SCALES = {"%": 100.0, "points": 100.0, "M": 1e-6, "GiB": 2.0**-30}
"""Factor of a value in each unit."""


@dataclass(frozen=True, eq=False)
class Protocol:
    """How a paper trained, as far as it says.

    Attributes:
        name: its own, such as "paper-d-ckplus".
        set: name of the dataset.
        recipe: the one that follows the paper.
        train: fields of `TrainConfig` in which it departs from the recipe.
        unstated: fields that the paper leaves open, so that no value of ours contradicts it.
        lacks: a sentence about what it leaves open, and what has to be there first.
    """

    name: str
    set: str
    recipe: str
    train: Mapping[str, Any]
    unstated: tuple[str, ...]
    lacks: str

    def config(self, network: str) -> TrainConfig:
        """How a network is trained by it."""
        return from_recipe(self.recipe, model=network, **self.train)

    def command(self, network: str) -> str:
        """The call that comes nearest to it, and leaves the result where this page finds it."""
        options = "".join(f" --{name.replace('_', '-')} {value}" for name, value in self.train.items())
        start = f"ferscope train --model {network} --recipe {self.recipe}"
        return f"{start}{options} --out checkpoints/{network}-{self.name}"


@dataclass(frozen=True)
class Claim:
    """One figure, or one statement that can be compared with something.

    Attributes:
        id: unique over all papers, such as "d-memory".
        paper: letter of the paper.
        place: table, figure, equation, section or slide.
        what: what it is a figure of.
        claimed: the figure as printed; a quotation where it is no figure.
        unit: "%", "points" (of per cent), "M" (millions), "GiB" or none.
        by: name of the evaluator that obtains ours, and `given`, what it needs.
        network: the one that it is about, or "".
        protocol: how that was trained, or None where training plays no part.
        within: share by which a figure that is called approximate may differ.
        contradicts: another place of the paper says what ours says.
        choice: what the paper leaves open and we chose, where that may be why ours is another.
        shown: `claimed` for the screen, where that differs.
        note: a sentence for the reader.
        row, class_: row of a table of classes that it is from, such as "fer2013/resnet18", and the class.
    """

    id: str
    paper: str
    place: str
    what: str
    claimed: str
    unit: str
    by: str
    given: Mapping[str, Any]
    network: str = ""
    protocol: Protocol | None = None
    within: float = 0.0
    contradicts: bool = False
    choice: str = ""
    shown: str = ""
    note: str = ""
    row: str | None = None
    class_: str | None = None

    @property
    def value(self) -> float | None:
        """The figure in its unit; None for a statement."""
        return number(self.claimed)

    @property
    def plain(self) -> float | None:
        """The figure without its unit: per cent as a share of 1, millions as a count."""
        return None if self.value is None else self.value / self.scale

    @property
    def scale(self) -> float:
        """What a plain value is multiplied by to stand before the unit."""
        return SCALES.get(self.unit, 1.0)

    @property
    def text(self) -> str:
        """The figure as shown on the page, with its unit."""
        if self.value is None:
            size = re.fullmatch(r"[\d*x]+", self.claimed)
            return self.shown or (self.claimed if size else f"“{self.claimed}”")
        told = re.search(r"[%MG]|million|modules", self.claimed)
        return re.sub(r" ?%", "\N{NO-BREAK SPACE}%", self.claimed if told else f"{self.claimed} {self.unit}".strip())


@dataclass(frozen=True)
class Row:
    """One network in a table with a figure for each class, as printed; an empty value is missing from the paper's
    text."""

    id: str
    model: str
    network: str
    values: tuple[str, ...]
    average: str
    best_epoch: int | None = None
    gain: str | None = None
    plain: str | None = None


@dataclass(frozen=True)
class Table:
    """A table with a figure for each class.

    Attributes:
        id, place: id and place in the paper.
        set: name of the dataset.
        test: number of its test images as the paper has it.
        classes: names of the columns.
        rows: one for each network.
    """

    id: str
    place: str
    set: str
    test: int
    classes: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, id: str) -> Row:
        """A row by its id."""
        return next(row for row in self.rows if row.id == id)


@dataclass(frozen=True)
class Finding:
    """A result of the comparison; `text` has {what:which} in place of every figure."""

    title: str
    text: str
    claims: tuple[str, ...]
    table: str = ""


@dataclass(frozen=True)
class Paper:
    """One of the five papers.

    Attributes:
        letter: "A" to "E".
        short: a word or two for a button.
        title, authors, source: these, as far as they are known; empty where they are not.
        claims: claims in the order of the text, those of the tables of classes last.
        tables: those with a figure for each class.
        findings: the notable ones.
    """

    letter: str
    short: str
    title: str
    authors: str
    source: str
    claims: tuple[Claim, ...]
    tables: tuple[Table, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    def claim(self, id: str) -> Claim:
        """A claim by its id, with or without the letter; KeyError where there is none."""
        wanted = id if id.startswith(f"{self.letter.lower()}-") else f"{self.letter.lower()}-{id}"
        for claim in self.claims:
            if claim.id == wanted:
                return claim
        raise KeyError(wanted)

    def table(self, id: str) -> Table:
        """A table by its id."""
        return next(table for table in self.tables if table.id == id)


def number(text: str) -> float | None:
    """The first figure in a text: "35 887", "+23,808", "~2.5M", "83.2%"; None in a quotation or a size."""
    if re.search(r"\d[*x]\d", text):  # 24*24*128
        return None
    found = re.fullmatch(r"(?:about |around |by the )?([+<~∼−-]?)(\d[\d ,]*(?:\.\d+)?)\D*", text)
    if found is None:
        return None
    value = float(found[2].replace(",", "").replace(" ", ""))
    return -value if found[1] in ("-", "−") else value


def figure(text: str) -> float:
    """The first figure in a text, see `number`; ValueError where there is none."""
    if (found := number(text)) is None:
        raise ValueError(f'"{text}" has no figure')
    return found
