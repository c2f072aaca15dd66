"""Out of distribution: the confidence of a network on images unlike its training images."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import JUDGED, Lesson, Steps, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        view = views.choose_one("Image", [*found.views], default="upside down", key="view")
        pixels, p = found.views[view]
        plain = found.views["as it is"][1]
        k = int(p.argmax())
        views.caption(
            f"The face is shown as it is, or as no image of the training set is. **Predicted: {found.classes[k]}, "
            f"{charts.percent(float(p.max()))}**; as it is: {found.classes[int(plain.argmax())]}, "
            f"{charts.percent(float(plain.max()))}. The probabilities always sum to 1: there is no class for anything "
            "else."
        )
    side_by_side(
        right,
        (charts.face(pixels, view), "view-image", f"The image: {view}"),
        (charts.probabilities(found.classes, p, found.classes[k]), "view-probabilities", f"Probabilities, {view}"),
    )


def _think(found, right) -> None:
    tiles = charts.face(found.tiles, "images without a person")
    known = _bars({_TEST: found.known})
    side_by_side(right, (tiles, "tiles", "Images without a person"), (known, "known", "Mean confidence on test images"))


_TEST = "PrivateTest, faces"


def _bars(groups, predicted=None):
    means = {name: float(values.mean()) for name, values in groups.items()}
    means |= {} if predicted is None else {"predicted": predicted / 100}
    texts = [charts.percent(value) for value in means.values()]
    return charts.bars(means, texts, "mean confidence", "predicted", top=1)


def _guess(found) -> Number:
    known, least = charts.percent(float(found.known.mean())), charts.percent(1 / len(found.classes))
    question = (
        f"{len(found.foreign['no face'])} crops of photographs show no person: a cat, coffee, grass, bricks, a page of "
        "text. What is the network's mean confidence (probability of the predicted class) on them? On test images it "
        f"is {known}, the least possible is {least}."
    )
    return Number(question, 0, 100, 1, answer=100 * found.without_a_face, unit="\N{NO-BREAK SPACE}%", near=7)


def _reveal(found, predicted, left, right) -> None:
    groups = {_TEST: found.known, **found.foreign}
    separable = {**found.separable, "by chance": 0.5}
    texts = [f"{value:.2f}" for value in separable.values()]
    side_by_side(
        right,
        (_bars(groups, predicted), "confidences", "Mean confidence on each group of images"),
        (charts.bars(separable, texts, "AUROC of the confidence ↑", top=1), "auroc", "AUROC against PrivateTest"),
    )
    name, most = found.most_predicted
    with left:
        views.caption(
            f"{charts.percent(most)} of the images without a face are predicted as {name}. AUROC: how often a test "
            f"image has the higher confidence, for images without a face {found.separable['no face']:.2f}, for drawn "
            f"faces {found.separable['drawn faces']:.2f}. So a threshold on the confidence rejects them only in part."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"s(x) = \max_k p_k(x), \qquad \sum_k p_k(x) = 1",
        r"\mathrm{AUROC} = P\big(s(x) > s(x')\big) + \tfrac12 P\big(s(x) = s(x')\big)",
    )
    return equations, (
        "$x$ is a test image, $x'$ one without a face. The maximum softmax probability is the usual baseline for "
        "detecting out-of-distribution inputs (Hendrycks and Gimpel 2017). Calibration on PublicTest says nothing "
        "about other images. A face detector before the network is the simpler remedy."
    )


def _take_away(found) -> str:
    return (
        "A network has no class for “none of these”: images without a face get a confidence of "
        f"{charts.percent(found.without_a_face)} on average, test images {charts.percent(float(found.known.mean()))}."
    )


LESSON = Lesson(
    key="out-of-distribution",
    title="Out of distribution: no class for anything else",
    question="How confident is a network about images unlike its training images?",
    **JUDGED,
    find=lessons.ood_confidence,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("workbench.services.lessons:ood_confidence", "workbench.services.lessons:auroc"),
)
