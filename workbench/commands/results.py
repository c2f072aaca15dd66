"""The text of checkpoints/README.md, computed from the checkpoints; `ferscope refresh` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from models import PAPERS, get_spec
from models.checkpoints import CheckpointError, read_card
from models.ensemble_selection import NAME as ENSEMBLE
from models.ensemble_selection import Choice
from models.metrics import Interval, percent
from models.registry import changed
from models.text import signed

from ..services.metrics import leaderboard, paired_tests, rankings
from ..services.metrics.leaderboard import Result
from . import drawn_faces
from . import ensemble as ensemble_report

NOT_RUN = "not run"
WAYS = ("plain", "flip", "ten-crop")
OFFICIAL = "official"


def text(ensemble: Choice | None = None) -> str:
    """The whole page.

    Args:
        ensemble: the members selected on PublicTest; None: not run.
    """
    found = leaderboard.results()
    parts = (
        _head(),
        _trained(found),
        _untrained(),
        _rankings(),
        _leaks(found),
        _epoch_choices(),
        _other_splits(found),
        drawn_faces.section(found),
        _batch_norm(),
        ensemble_report.section(found, ensemble),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head() -> Iterator[str]:
    yield "# The trained networks"
    yield ""
    yield "Written by `ferscope refresh` from cards, predictions and training curves in this folder; do not edit it."
    yield ""
    yield (
        "A folder with the name of a network holds the weights that the app offers. `experiments/` holds all other "
        "training runs: card, history and predictions, and the weights only where a later one starts from them."
    )
    yield ""
    yield (
        "All results are of weights in half precision, as they ship. On FER2013's official split the epoch was "
        "selected on PublicTest, and PrivateTest is reported. *Plain* is a single view, *flip* averages over the "
        "image and its mirror image, *ten-crop* over ten crops. Intervals in parentheses are 95 % intervals (Wilson) "
        "over images: they cover other test images, not other training runs. Two results with overlapping intervals "
        "may still differ significantly, because the networks are tested on the same images; see *Do the papers' "
        "rankings hold?*"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 1) -> Iterator[str]:
    """A Markdown table; columns from the `numbers`-th on are right-aligned."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---:" if i >= numbers else "---" for i in range(len(head))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _trained(found: Sequence[Result]) -> Iterator[str]:
    yield "## Accuracy"
    yield ""
    head = ("checkpoint", "paper: its result", "plain", "flip", "ten-crop", "recipe, seed", "epochs", "device, minutes")
    head = (*head, "calibration error, before → after")
    yield from _table(head, (_row(s) for s in found if s.card.split == OFFICIAL), 2)
    yield ""
    yield (
        "The papers' results come from other training runs, often on other splits; the page Papers compares the "
        "protocols. The calibration error is the expected calibration error of a single view, before and after "
        "temperature scaling, fitted on PublicTest; it is above 0 even for a perfectly calibrated network, because "
        "the test set is finite (page Metrics). Minutes are of the device beside them, under whatever load it had."
    )
    if leaderboard.left_out():
        yield ""
        yield leaderboard.left_out()


def _row(result: Result) -> tuple[str, ...]:
    card = result.card
    ways = tuple(percent(result.accuracy[way]) if way in result.accuracy else NOT_RUN for way in WAYS)
    if card.network == ENSEMBLE:
        return (_name(result), _figure(card.network), *ways, "a vote", "–", "–", _calibration(result))
    last = f" of the last {card.epochs}" if card.start else ""
    epochs = f"{result.epochs}, no. {card.best_epoch}{last} kept"
    teacher = f", distilled from `{card.teacher.name}`" if card.teacher and card.teacher != card.start else ""
    training = f"{card.recipe}, {card.seed}{teacher}", epochs, f"{card.device}; {result.minutes:.0f}"
    return (_name(result), _figure(card.network), *ways, *training, _calibration(result))


def _name(result: Result) -> str:
    card = result.card
    with_ = ", ".join(f"{k}={value}" for k, value in changed(card.network, card.overrides).items() if k != "members")
    return f"`{result.name}`" + (f" ({with_})" if with_ else "")


def _figure(network: str) -> str:
    spec, found = get_spec(network), leaderboard.figure(get_spec(network))
    return f"{spec.paper}: {100 * found[1]:.4g} % {found[0]}" if found else f"{spec.paper}: none like ours"


def _calibration(result: Result) -> str:
    if result.calibration is None:
        return NOT_RUN
    before, after = (100 * value for value in result.calibration)
    return f"{before:.1f} → {after:.1f} %"


def _untrained() -> Iterator[str]:
    yield "## Not trained"
    yield ""
    missing = leaderboard.untrained()
    if not missing:
        yield "Every network is trained."
        return
    rows = []
    for one in missing:
        times = "; ".join(f"about {_minutes(minutes)} on {device}" for device, minutes in one.minutes.items())
        rows.append((f"`{one.network}`", _figure(one.network), one.recipe, times or "not measured"))
    yield from _table(("network", "paper: its result", "recipe", "estimated time"), rows, 9)
    yield ""
    yield (
        "Times are estimated from measured steps (`benchmarks/training_steps.py`): the duration of a step times the "
        "steps of all epochs, and the forward passes of the evaluation."
    )


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes < 600 else f"{minutes / 60:.0f} hours"


def _rankings() -> Iterator[str]:
    yield "## Do the papers' rankings hold?"
    yield ""
    found = rankings.rankings()
    if found:
        rows = []
        for one in found:
            seeds = "; ".join(f"seed {seed}: {_points(value)}" for seed, value in one.by_seed.items())
            over = _points(one.over_seeds) if one.over_seeds else "one seed"
            order = f"{one.paper}: `{one.first}` over `{one.second}`"
            measure = one.measure.replace("_", " ")
            alike = f"{one.recipe}, {one.split}"
            rows.append((order, measure, signed(100 * one.claimed, 2), seeds, over, alike, one.verdict))
        head = (
            "ranking in the paper",
            "measure",
            "paper's difference, points",
            "ours, over images",
            "ours, over seeds",
        )
        yield from _table((*head, "recipe, split", "the ranking"), rows, 9)
        yield ""
        yield (
            "Only networks trained with the same settings are compared, on the same images, single view. The "
            "intervals over images hold for these training runs; the intervals over seeds (Student's t), which are "
            "wide for few seeds, compare the *architectures*. A ranking *holds* or is *reversed* if the interval over "
            "images excludes zero with every seed. By chance alone, one in twenty comparisons appears significant. "
            "Short training runs put networks that converge slowly at a disadvantage."
        )
        yield ""
    left = rankings.rankings_not_run()
    if left:
        yield "Not run, because the two were not trained with the same settings:"
        yield ""
        for letter in PAPERS:
            mine = [f"`{a}` over `{b}`" for a, b in left if get_spec(a).paper == letter]
            if mine:
                yield f"- paper {letter}: {', '.join(mine)}"


def _points(value: Interval) -> str:
    middle, low, high = (signed(100 * v, 1) for v in value)
    return f"{middle} ({low} to {high})"


def _leaks(found: Sequence[Result]) -> Iterator[str]:
    yield "## Effect of leaked test images"
    yield ""
    rows = []
    for result in found:
        if result.card.split != OFFICIAL:
            continue
        try:
            exact, near = paired_tests.leak_effects(result.name)
        except CheckpointError:
            continue
        figures = (exact.without, exact.on, near.without, near.on)
        rows.append((_name(result), percent(result.accuracy["plain"]), *map(percent, figures)))
    if not rows:
        yield NOT_RUN
        return
    head = ("checkpoint", "all of PrivateTest, plain", f"without the {exact.n_images} duplicates", "on the duplicates")
    yield from _table((*head, f"without the {near.n_images} duplicates and near-duplicates", "on these"), rows)
    yield ""
    yield (
        "Duplicates are test images that are also in the training set with the same pixels; near-duplicates are almost "
        "the same. A network may have memorized them, or they may be easier: these results do not distinguish the two. "
        "Expect the accuracy without them on new faces."
    )


def _epoch_choices() -> Iterator[str]:
    yield "## Selecting the epoch on the test set"
    yield ""
    rows = [
        (
            f"`{one.name}`",
            f"{100 * one.accuracy:.2f} % (epoch {one.epoch})",
            f"{100 * one.best_accuracy:.2f} % (epoch {one.best_epoch})",
            signed(100 * (one.best_accuracy - one.accuracy), 2),
            str(one.epochs),
        )
        for one in leaderboard.epoch_choices()
    ]
    if not rows:
        yield NOT_RUN
        return
    head = ("checkpoint", "selected on validation", "best on test", "difference, points", "epochs")
    yield from _table(head, rows)
    yield ""
    yield (
        "Test accuracy, single view, in full precision, from the training curves. Paper D reports the best epoch on "
        "the test set, which is biased upward: the more, the more epochs there are and the more they vary."
    )


def _other_splits(found: Sequence[Result]) -> Iterator[str]:
    yield "## One network, other splits"
    yield ""
    networks = list(dict.fromkeys(["residual_cnn", *(s.card.network for s in found if s.card.split != OFFICIAL)]))
    rows = []
    for network in networks:
        mine = [s for s in found if s.card.network == network]
        for result in sorted(mine, key=lambda s: s.card.split != OFFICIAL):
            ways = (percent(result.accuracy[way]) if way in result.accuracy else NOT_RUN for way in WAYS[:2])
            rows.append((_name(result), result.card.split, result.part, result.card.recipe, *ways))
    yield from _table(("checkpoint", "split", "reported on", "recipe", "plain", "flip"), rows, 4)
    known = {s.card.split for s in found if s.card.network == "residual_cnn"}
    wanted = {"random-80-20": "paper C's random 80/20", "kaggle-oheix": "paper E's re-split"}
    missing = [f"{words} (`{split}`)" for split, words in wanted.items() if split not in known]
    yield ""
    yield (
        "In paper C's split, duplicates of an image are in both the training and the test set, and the epoch is "
        "selected on the reported images; in paper E's, four of five test images are in the training set. A higher "
        "accuracy there does not mean a better network."
    )
    if missing:
        yield ""
        yield f"`residual_cnn` on {' and on '.join(missing)}: {NOT_RUN}."


def _batch_norm() -> Iterator[str]:
    yield "## Does batch norm speed up convergence by 31 %? (paper C)"
    yield ""
    found = leaderboard.convergence()
    if not found:
        yield f"{NOT_RUN.capitalize()}: no network is trained both with batch norm and without."
        return
    for one in found:
        recipe = leaderboard.optimizer_of(read_card(one.with_norm))
        beside = f"{recipe}: `{one.with_norm}` beside `{one.without_norm}`"
        if not one.levels:
            with_norm, without_norm, majority = (f"{100 * share:.1f} %" for share in (*one.best, one.majority))
            yield (
                f"{beside}: not comparable, because one of them hardly learns at this learning rate. The best "
                f"validation accuracy is {with_norm} with batch norm and {without_norm} without; always predicting the "
                f"largest class gives {majority}."
            )
            yield ""
            continue
        yield f"{beside}, epochs until the validation accuracy is reached:"
        yield ""
        rows = (
            (f"{100 * level:.0f} %", str(a), str(b), f"{100 - 100 * a / b:.0f} %".replace("-", "−"))
            for level, (a, b) in zip(one.levels, one.epochs, strict=True)
        )
        yield from _table(("accuracy", "with", "without", "epochs saved"), rows, 0)
        yield ""
    yield (
        "The paper does not state at which accuracy its 31 % was measured; it trains with Adam at 1e-4. One seed each. "
        "How many epochs batch norm saves depends on optimizer and learning rate, which may suit one of the two better."
    )
