"""The section of checkpoints/README.md about the ensemble: its members and its accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models import PAPERS, get_spec
from models.ensemble_selection import NAME as ENSEMBLE
from models.ensemble_selection import Choice
from models.metrics import percent
from models.preprocessing import TTA

from ..services.metrics import leaderboard
from ..services.metrics.leaderboard import Result


def section(found: Sequence[Result], choice: Choice | None) -> Iterator[str]:
    """Lines of Markdown: how the members were chosen, and whether an ensemble ships.

    Args:
        found: the trained networks, with the ensemble if it ships.
        choice: the chosen members; None: not run.
    """
    yield "## The ensemble"
    yield ""
    if choice is None:
        yield "not run"
        return
    steps = ", ".join(
        f"`{name}` (log loss {loss:.3f}, accuracy {_share(accuracy)})"
        for name, loss, accuracy in zip(choice.members, choice.log_losses, choice.accuracies, strict=True)
    )
    yield (
        f"Members are selected greedily on PublicTest among {choice.of} networks with weights, by the log loss of the "
        f"mean probability; the figures are of the members selected so far: {steps}. PrivateTest was not used."
    )
    if choice.rejected:
        yield (
            f"The next best candidate, `{choice.rejected}`, would raise the log loss to "
            f"{choice.rejected_log_loss:.3f} (accuracy {_share(choice.rejected_accuracy)})."
        )
    if choice.related:
        left = ", ".join(f"`{name}` beside `{member}`" for name, member in choice.related)
        yield (
            f"Members come from independent training runs. Excluded, because one started from the other or was "
            f"distilled from it, or both started from the same trained weights: {left}."
        )
    if choice.agreement:
        pairs_ = ", ".join(f"`{a}` and `{b}` {_share(share)}" for (a, b), share in choice.agreement.items())
        yield f"Same predicted class on PublicTest: {pairs_}."
    if choice.shared_teachers:
        yield f"Several members were distilled from {', '.join(f'`{name}`' for name in choice.shared_teachers)}."
    yield ""
    yield from _shipped_ensemble(found, choice)


def _shipped_ensemble(found: Sequence[Result], choice: Choice) -> Iterator[str]:
    best = f"`{choice.best}`, the best single network on PublicTest ({_share(choice.best_accuracy)})"
    if not choice.ships:
        yield f"No ensemble ships: no ensemble of independent training runs is more accurate than {best}."
        return
    yield f"The ensemble ships: on PublicTest it is more accurate than {best}."
    mine = next((s for s in found if s.card.network == ENSEMBLE), None)
    if mine:
        ways = ", ".join(f"{percent(mine.accuracy[way])} {way}" for way in TTA if way in mine.accuracy)
        figure = leaderboard.figure(get_spec(ENSEMBLE))
        yield (
            f"On PrivateTest: {ways}. The ensemble that paper E (*{PAPERS['E']}*) compares with reaches "
            f"{100 * figure[1]:.1f} %; its members were trained with additional data."
        )


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"
