"""Class imbalance: class weights in the loss, and the recall of rare classes."""

from models.text import percentage
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import JUDGED, Lesson, Steps, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        name = views.choose_one("Class weights", [*found.loss_shares], default="paper-c", key="weights")
        shares = found.loss_shares[name]
        first = found.classes[int(shares.argmax())]
        leads = (
            "Every class gets the same share."
            if float(shares.max() - shares.min()) < 1e-6
            else f"{first.capitalize()} gets the most, {charts.percent(float(shares.max()))}."
        )
        views.caption(
            "The classes of FER2013 have unequal size (left). The loss is a sum over images, so a class's share is "
            f"its number of images times its weight (right). {leads}"
        )
    texts = [charts.percent(share) for share in shares.tolist()]
    loss = _bars(found, shares, texts, "share of the loss"), "loss", "Share of the loss by class"
    side_by_side(right, _counts(found), loss)


def _bars(found, values, texts, label):
    by_class = dict(zip(found.classes, values.tolist(), strict=True))
    return charts.bars(by_class, texts, label, colors=charts.class_colors(found.classes))


def _counts(found):
    texts = [f"{n:.0f}" for n in found.counts.tolist()]
    return _bars(found, found.counts, texts, "training images"), "counts", "Training images of each class"


def _think(found, right) -> None:
    side_by_side(right, _counts(found))


def _guess(found) -> Number:
    rare = found.classes[found.rarest]
    question = (
        f"What is the recall of **{rare}**, the smallest class: which share of PrivateTest images labeled {rare} does "
        f"this network predict as {rare}?"
    )
    return Number(
        question, 0, 100, 1, answer=100 * found.recalls[found.rarest][0], unit="\N{NO-BREAK SPACE}%", near=7.5
    )


def _reveal(found, predicted, left, right) -> None:
    rare = found.classes[found.rarest]
    recalls = dict(zip(found.classes, found.recalls, strict=True))
    worst = min(recalls, key=recalls.get)
    side_by_side(
        right, (charts.recall_bars({"": recalls}), "recalls", "Recall of each class, with 95 % intervals"), wide=True
    )
    with left:
        lost = 100 * (found.accuracy[0] - found.without_rarest)
        views.caption(
            f"**Accuracy {charts.with_interval(found.accuracy)}, balanced accuracy {percentage(found.balanced)}.** If "
            f"it never predicted {rare}, its accuracy would be {percentage(found.without_rarest)}, "
            + (f"{lost:.1f} points less" if lost >= 0.05 else "no lower")
            + f". The lowest recall is that of {worst}; size is not the only reason why a class is hard."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\mathcal{L} = \frac{\sum_n w_{c(n)}\,\ell_n}{\sum_n w_{c(n)}}, \qquad w_c = \frac{N}{K\,n_c}",
        r"\text{balanced accuracy} = \frac{1}{K}\sum_c R_c",
    )
    return equations, (
        "$\\ell_n$ is the loss of image $n$, $c(n)$ its class. With these $w_c$ (*inverse*) each class has the same "
        "share of the loss. Accuracy weights classes by their size, balanced accuracy weights them equally."
    )


def _take_away(found) -> str:
    rare = found.classes[found.rarest]
    return f"A network can reach a high accuracy without {rare}: look at the recall of every class."


LESSON = Lesson(
    key="imbalance",
    title="Class imbalance: accuracy and recall",
    question="What does accuracy hide when classes have unequal size?",
    **JUDGED,
    find=lambda face, network: lessons.imbalance(network),
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.datasets.sampling:class_weights", "models.datasets.sampling:inverse_weights"),
    of_face=False,
    uses_face=False,
)
