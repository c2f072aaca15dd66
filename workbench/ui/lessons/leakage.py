"""Leakage: test images that are in the training set too."""

from models.text import percentage, thousands
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import JUDGED, Lesson, Steps, side_by_side

_COPIES = ("exact duplicates", "near-duplicates too")


def _attempt(found, left, right) -> None:
    with left:
        copies = views.choose_one("Which duplicates", _COPIES, default=_COPIES[0], key="copies")
        n = found.exact if copies == _COPIES[0] else found.near
        views.caption(
            f"PrivateTest has {thousands(found.n_images)} images. **{thousands(n)} of them are in the training "
            f"set too,** "
            + ("with the same pixels. " if copies == _COPIES[0] else "the same or cropped, brightened, recompressed. ")
            + f"Right: paper E drew {charts.percent(found.resplit)} of the whole dataset at random for training, so "
            "about that share of the official test set is in it."
        )
    side_by_side(right, _parts(n / found.n_images, "official split"), _parts(found.resplit, "paper E's split"))


def _parts(share, label):
    values = {"in training": share, "not in it": 1 - share}
    texts = [charts.percent(value) for value in values.values()]
    return charts.bars(values, texts, label, top=1), label, f"Share of test images that are in training, {label}"


def _think(found, right) -> None:
    side_by_side(right, _parts(found.near / found.n_images, "duplicates and near-duplicates"))


def _guess(found) -> Number:
    question = (
        f"This network has an accuracy of **{percentage(found.all_[0])}** on PrivateTest (single view). Now the "
        f"{found.near} leaked images are left out. By how many percentage points does its accuracy drop?"
    )
    return Number(question, -20, 60, 0.1, answer=100 * found.gain, unit=" points", digits=1, near=0.7)


def _reveal(found, predicted, left, right) -> None:
    rows = {"all": found.all_, "leaked images": found.on_leaked, "the others": found.without}
    values = {name: value for name, (value, _, _) in rows.items()}
    figure = charts.bars(
        values, [charts.with_interval(row) for row in rows.values()], "accuracy ↑, 95 % interval", top=1
    )
    side_by_side(right, (figure, "accuracies", "Accuracy with and without leaks"), wide=True)
    if found.on_leaked[1] > found.without[2]:
        apart = "Accuracy on leaked images is significantly higher."
    elif found.on_leaked[2] < found.without[1]:
        apart = "Accuracy on leaked images is significantly lower, so there is no sign of memorization."
    else:
        apart = "The intervals overlap: no significant difference."
    with left:
        views.caption(
            f"{apart} Only {charts.percent(found.near / found.n_images)} are leaked, which limits the effect on the "
            "overall accuracy. A gap need not be memorization: images that exist twice may be easier."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    mixed = found.resplit * found.on_leaked[0] + (1 - found.resplit) * found.without[0]
    measured = ""
    if found.measured:
        official, resplit = map(percentage, found.measured)
        measured = (
            f" Measured: `residual_cnn` with the same recipe reaches {official} of PrivateTest on the official split "
            f"and {resplit} on paper E's, so the gap did not stay the same."
        )
    return (r"a = \frac{n_l\,a_l + (n - n_l)\,a_o}{n}", r"a - a_o = \frac{n_l}{n}\,(a_l - a_o)"), (
        "Leakage adds the leaked share times the gap. If the gap stayed the same, a test set with "
        f"{charts.percent(found.resplit)} leaked images would show {percentage(mixed)} instead of "
        f"{percentage(found.without[0])}: an extrapolation, not a measurement.{measured}"
    )


def _take_away(found) -> str:
    return "Before you compare two accuracies, check which test images each network was trained on."


LESSON = Lesson(
    key="leakage",
    title="Leakage: test images in the training set",
    question="How much does leakage raise the test accuracy?",
    **JUDGED,
    find=lambda face, network: lessons.leakage(network),
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.datasets.audit:leaked", "workbench.services.lessons:leakage"),
    of_face=False,
    uses_face=False,
)
