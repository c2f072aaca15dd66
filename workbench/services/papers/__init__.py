"""The papers' claims beside our results, with a verdict and how each result was obtained.

`loading.py` loads the claims, `evaluators.py` obtains our results, this module judges. Nothing of
ours is stored: it is counted, drawn or measured on request.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from models.checkpoints import CheckpointError, checkpoint_folders, read_card
from models.metrics import accuracy_of, percent
from models.text import percentage, thousands

from ...surveys.robustness import FILE as SURVEY
from ..svd import memory_account
from . import counts, elsewhere
from .definitions import Claim, Finding, Paper, Protocol, Table
from .evaluators import EVALUATORS, Ours
from .fractions import agrees, counted, shares, test_pictures
from .loading import papers
from .networks import added, stock
from .trained import nearest_run

Verdict = Literal[
    "recomputed",
    "reproduced",
    "different protocol",
    "not run",
    "not reproduced under our choices",
    "inconsistent in the paper",
    "not reproduced",
]

VERDICTS: dict[str, str] = {
    "recomputed": "the same value is computed from code, from the dataset, or from the paper's own figures",
    "reproduced": "trained as in the paper, and its figure is in our 95 % interval",
    "different protocol": "ours has other training settings or another split, so the two cannot be compared",
    "not run": "not trained here; the command is below",
    "not reproduced under our choices": (
        "as in the paper in all that it states, but with our choices where it leaves values open, and with another "
        "result: other choices might reproduce it"
    ),
    "inconsistent in the paper": "another part of the same paper contradicts it",
    "not reproduced": "computed or measured as in the paper, with another result",
}
"""Verdict → meaning, from claims that hold to claims that do not."""


@dataclass(frozen=True)
class Checked:
    """A claim with its verdict.

    Attributes:
        claim: the claim.
        verdict: a key of VERDICTS.
        ours: our result in words; "not run" where there is none.
        way: how ours was obtained and how it differs, or what would have to be run.
        value: ours in the claim's unit; None for a statement or where nothing was run.
        interval: 95 % interval of ours in the claim's unit, where it was measured.
    """

    claim: Claim
    verdict: Verdict
    ours: str
    way: str
    value: float | None = None
    interval: tuple[float, float] | None = None


def judge(claim: Claim, ours: Ours) -> Verdict:
    """The verdict on a claim that has something of ours beside it.

    A figure agrees where ours is the printed one, rounded or cut off; a measured one where it lies in our interval.
    """
    if ours.kind == "measured":
        if ours.differs:
            return "different protocol"
        if ours.interval and claim.plain is not None and ours.interval[0] <= claim.plain <= ours.interval[1]:
            return "reproduced"
        return "not reproduced under our choices" if claim.choice or ours.choices else "not reproduced"
    holds = ours.holds
    if holds is None:
        holds = ours.value is not None and agrees(claim.scale * ours.value, claim.claimed, claim.within)
    if holds:
        return "recomputed"
    if claim.choice:
        return "not reproduced under our choices"
    return "inconsistent in the paper" if ours.kind == "own" or claim.contradicts else "not reproduced"


def check(letter: str) -> tuple[Checked, ...]:
    """Every claim of a paper with its verdict, in the order of the paper; computed again if a checkpoint changes."""
    return _check(letter, _stamp())


def _stamp() -> tuple:
    names = ("card.json", "predictions.npz", SURVEY)
    files = [folder / name for folder in checkpoint_folders().values() for name in names]
    return tuple((str(file), file.stat().st_mtime_ns) for file in files if file.is_file())


@lru_cache(maxsize=16)
def _check(letter: str, stamp: tuple) -> tuple[Checked, ...]:
    given = paper_of(letter)
    nearest_run.cache_clear()
    return tuple(_checked(claim, given) for claim in given.claims)


def _checked(claim: Claim, given: Paper) -> Checked:
    try:
        ours = EVALUATORS[claim.by](claim, given)
    except CheckpointError as error:
        needs = str(error) if claim.protocol is None else f"train `{claim.network}`, see the commands"
        return Checked(claim, "not run", "not run", needs)
    differs = f"Different protocol: {'; '.join(ours.differs)}." if ours.differs else ""
    open_ = ""
    if ours.choices and not ours.differs:
        lacks = claim.protocol.lacks if claim.protocol else ""
        open_ = f"Not stated in the paper, our choice: {'; '.join(ours.choices)}. {lacks}"
    way = " ".join(filter(None, (f"{ours.way}.", differs, open_, claim.choice, claim.note)))
    value = None if ours.value is None else claim.scale * ours.value
    ends = ours.interval and (claim.scale * ours.interval[0], claim.scale * ours.interval[1])
    return Checked(claim, judge(claim, ours), ours.text, way, value, ends)


def paper_of(letter: str) -> Paper:
    """One of the five papers, "A" to "E"."""
    return next(paper for paper in papers() if paper.letter == letter)


def summary() -> dict[str, dict[str, int]]:
    """Number of claims with each verdict, by the paper's letter, in the order of VERDICTS."""
    found = {}
    for paper in papers():
        verdicts = Counter[str](checked.verdict for checked in check(paper.letter))
        found[paper.letter] = {verdict: verdicts[verdict] for verdict in VERDICTS}
    return found


@dataclass(frozen=True)
class Command:
    """What would run claims that were not run.

    Attributes:
        network: name of the network that is trained.
        set: name of the dataset that it is trained on.
        line: command line for a terminal.
        lacks: what it cannot do of the paper's training.
        claims: number of claims that wait for it.
    """

    network: str
    set: str
    line: str
    lacks: str
    claims: int


def commands(letter: str) -> tuple[Command, ...]:
    """The training runs that a paper's claims wait for, in its order, also those that were trained otherwise."""
    waiting: dict[tuple[str, str], tuple[Protocol, list[Claim]]] = {}
    for checked in check(letter):
        claim = checked.claim
        if claim.protocol and checked.verdict in ("not run", "different protocol"):
            waiting.setdefault((claim.network, claim.protocol.name), (claim.protocol, []))[1].append(claim)
    return tuple(
        Command(network, protocol.set, protocol.command(network), protocol.lacks, len(mine))
        for (network, _), (protocol, mine) in waiting.items()
    )


@dataclass(frozen=True)
class PlainRow:
    """A row of a per-class table in images: correct predictions, and the plain accuracy with its 95 % interval."""

    set: str
    model: str
    right: int
    of: int
    accuracy: tuple[float, float, float]
    average: str


def plain_rows(letter: str) -> tuple[PlainRow, ...]:
    """The plain accuracy behind every printed average of a paper's tables."""
    return tuple(_plain(table, row.id) for table in paper_of(letter).tables for row in table.rows)


def _plain(table: Table, row_id: str) -> PlainRow:
    row, found = table.row(row_id), counted(table, row_id)
    return PlainRow(table.set, row.model, sum(found.right), sum(found.of), found.accuracy, row.average)


def told(finding: Finding, letter: str) -> str:
    """The text of a finding, with every figure looked up or computed now."""
    return re.sub(r"\{(\w+):([\w/.-]+)\}", lambda m: _FIGURES[m[1]](letter, m[2]), finding.text)


def _found(letter: str, id: str) -> Checked:
    wanted = paper_of(letter).claim(id).id
    return next(checked for checked in check(letter) if checked.claim.id == wanted)


def _right(letter: str, at: str) -> str:
    table, row = at.split("/")
    found = _plain(paper_of(letter).table(table), row)
    value, low, high = found.accuracy
    share = f"{percentage(value)}, {100 * low:.1f} to {100 * high:.1f}"
    return f"{thousands(found.right)} of {thousands(found.of)} correct ({share})"


def _epochs(letter: str, which: str) -> str:
    rows = [row for table in paper_of(letter).tables for row in table.rows if (row.plain is None) == (which == "plain")]
    found = sorted({row.best_epoch for row in rows if row.best_epoch is not None})
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _accuracy(letter: str, name: str) -> str:
    """Accuracy of a checkpoint on its test set, single view; "not run" where it is not measured."""
    try:
        plain = list(read_card(name).metrics.values())[-1]["plain"]
    except (CheckpointError, LookupError):
        return "(not run)"
    return percent(accuracy_of(plain))


def _bytes(letter: str, reading: str) -> str:
    value = getattr(memory_account(), reading)
    return f"{value / 2**30:.3g} GiB" if value >= 2**27 else f"{value / 2**10:.0f} KiB"


def _fit(letter: str, at: str) -> str:
    """How many images of another class a printed recall would be, "claim/class"."""
    id, class_ = at.split("/")
    n = test_pictures(class_)
    return " or ".join(f"{k} of {thousands(n)}" for k in shares(paper_of(letter).claim(id).claimed, n)) or "none"


_FIGURES: dict[str, Callable[[str, str], str]] = {
    "claimed": lambda letter, id: paper_of(letter).claim(id).text,
    "ours": lambda letter, id: _found(letter, id).ours,
    "fit": _fit,
    "right": _right,
    "epochs": _epochs,
    "accuracy": _accuracy,
    "memory": _bytes,
    "added": lambda letter, network: thousands(added(network, "resnet18")),
    "stock": lambda letter, name: thousands(stock(name)),
}
"""Functions that replace {name:argument} in the text of a finding."""
