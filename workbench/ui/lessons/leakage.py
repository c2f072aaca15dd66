"""Leakage: what a test is worth whose pictures were in training."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import JUDGED, Lesson, Steps, side_by_side

_COPIES = ("pixel by pixel", "nearly as well")


def _attempt(found, words, pictures) -> None:
    with words:
        copies = views.choose_one("Copies count", _COPIES, default=_COPIES[0], key="copies")
        n = found.exact if copies == _COPIES[0] else found.near
        views.caption(
            f"PrivateTest has {found.pictures} pictures. **{n} of them are in Training too.** "
            + ("The same pixels. " if copies == _COPIES[0] else "The same, or cut, brightened, compressed anew. ")
            + f"Right: paper E drew {charts.percent(found.resplit)} of the whole set for training, so about that share "
            "of any test part is in it. How much this helps a network cannot be seen here."
        )
    side_by_side(pictures, _parts(n / found.pictures, "official split"), _parts(found.resplit, "paper E's split"))


def _parts(share, label):
    values = {"in training": share, "not in it": 1 - share}
    texts = [charts.percent(value) for value in values.values()]
    return charts.bars(values, texts, label, top=1), label, f"Share of test pictures that are in training, {label}"


def _think(found, pictures) -> None:
    side_by_side(pictures, _parts(found.near / found.pictures, "exact or near copies"))


def _guess(found) -> Number:
    question = (
        f"This network is right in **{100 * found.all_[0]:.1f} %** of PrivateTest (single view). Now the {found.near} "
        "pictures that are in Training, exactly or nearly, are left out. By how many points does its accuracy fall?"
    )
    return Number(question, -20, 60, 0.1, answer=100 * found.gain, unit=" points", digits=1, near=0.7)


def _reveal(found, said, words, pictures) -> None:
    rows = {"all": found.all_, "those in training": found.on_leaked, "the others": found.without}
    values = {name: value for name, (value, _, _) in rows.items()}
    figure = charts.bars(
        values, [f"{charts.interval(row)} %" for row in rows.values()], "accuracy ↑, 95 % interval", top=1
    )
    side_by_side(pictures, (figure, "accuracies", "Accuracy with and without leaks"), wide=True)
    if found.on_leaked[1] > found.without[2]:
        apart = "On what it was trained with the network is better, beyond what chance explains."
    elif found.on_leaked[2] < found.without[1]:
        apart = (
            "On what it was trained with the network is worse, beyond what chance explains: nothing "
            "speaks for knowing them by heart, and these pictures are harder for it."
        )
    else:
        apart = "The intervals of the two parts overlap: on these pictures they are not told apart."
    with words:
        views.caption(
            f"{apart} Only {charts.percent(found.near / found.pictures)} are leaked, which bounds the effect on the "
            "whole; leaks are not harmless for that. Nor is the gap all memory: pictures that were found twice may be "
            "easier, or labeled differently."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    mixed = found.resplit * found.on_leaked[0] + (1 - found.resplit) * found.without[0]
    measured = ""
    if found.measured:
        official, resplit = (f"{100 * value:.1f} %" for value in found.measured)
        measured = (
            f" Measured, `residual_cnn` trained alike on both has {official} of PrivateTest by the official split and "
            f"{resplit} by paper E's: the gap did not hold."
        )
    return (r"a = \frac{n_l\,a_l + (n - n_l)\,a_o}{n}", r"a - a_o = \frac{n_l}{n}\,(a_l - a_o)"), (
        "What a leak adds is the leaked share times the gap. By the same arithmetic, and only if that gap held, a test "
        f"with {charts.percent(found.resplit)} leaked would show {100 * mixed:.1f} % for a network that is worth "
        f"{100 * found.without[0]:.1f} %: a sum, not a measurement.{measured}"
    )


def _take_away(found) -> str:
    return "Before you compare two accuracies, ask which test pictures each network had already seen."


LESSON = Lesson(
    key="leakage",
    title="Leakage: tests that training has seen",
    question="What is a leaked test worth?",
    **JUDGED,
    find=lambda face, network: lessons.leakage(network),
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.datasets.audit:leaked", "workbench.services.lessons:leakage"),
    of_face=False,
)
