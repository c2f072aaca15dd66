"""The section of checkpoints/README.md about drawn faces: accuracy in a domain that no network was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.checkpoints import CheckpointError
from models.metrics import percent

from ..services.metrics.leaderboard import Result
from ..surveys.drawn_faces import read_drawn_faces


def section(found: Sequence[Result]) -> Iterator[str]:
    """Lines of Markdown: accuracy on drawn faces of each network that is measured on them.

    Args:
        found: the trained networks; those without weights are left out.
    """
    yield "## Faces of another domain"
    yield ""
    measured = {}
    for result in found:
        try:
            measured[result.name] = read_drawn_faces(result.name)
        except CheckpointError:  # an earlier training run without weights
            continue
    if not measured:
        yield "not run: `ferscope refresh --only drawn-faces readme`"
        return
    first = next(iter(measured.values()))
    yield "| checkpoint | drawn faces, plain | " + " | ".join(f"recall of {name}" for name in first.recall) + " |"
    yield "|---|" + "---:|" * (1 + len(first.recall))
    for name, one in sorted(measured.items(), key=lambda item: -item[1].accuracy):
        recall = " | ".join(f"{100 * share:.0f} %" for share in one.recall.values())
        yield f"| `{name}` | {percent((one.accuracy, *one.interval))} | {recall} |"
    yield ""
    yield (
        f"Accuracy on {first.pictures} drawn faces, as many of each class ({100 / len(first.recall):.1f} % by chance), "
        "which no network here was trained on: how far it carries to another domain, and which expressions do. With "
        "CK+, JAFFE or another set of your own, `ferscope evaluate all --data data/jaffe.npz` prints such a table."
    )
