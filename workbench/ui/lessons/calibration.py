"""Calibration: does confidence equal accuracy?"""

import streamlit as st

from models.text import percentage
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import JUDGED, Lesson, Steps, side_by_side


def _attempt(found, left, right) -> None:
    prediction = found.prediction
    with left:
        T = st.slider("Temperature T", 0.25, 4.0, 2.0, 0.05, key="temperature", bind="query-params")
        effect = "lower confidence" if T > 1 else "higher confidence" if T < 1 else "unchanged"
        views.caption(
            f"The logits for this face (left: T = 1) are divided by T = {T:.2f} before the softmax (right): {effect}. "
            f"**The order of the classes stays the same, and so does the prediction, {prediction.predicted}.**"
        )
    shown = []
    for t, key in ((1.0, "as-trained"), (T, "divided")):
        values = dict(zip(prediction.classes, (prediction.logits / t).softmax(-1).tolist(), strict=True))
        texts, colors = [charts.percent(v) for v in values.values()], charts.class_colors(prediction.classes)
        figure = charts.bars(values, texts, f"probability, T = {t:.2f}", top=1, colors=colors)
        shown.append((figure, key, f"Probabilities at temperature {t:.2f}"))
    side_by_side(right, *shown)


def _range(found) -> str:
    return f"{100 * found.low:.0f} to {percentage(found.high, 0)}"


def _think(found, right) -> None:
    before = found.before
    names = [f"{100 * edge:.0f} to {percentage(edge + 0.1, 0)}" for edge in before.edges[:-1].tolist()]
    values = {name: float(n) for name, n in zip(names, before.count.tolist(), strict=True) if n}
    figure = charts.bars(values, [f"{n:.0f}" for n in values.values()], "predictions on PrivateTest, by confidence")
    side_by_side(right, (figure, "counts", "Number of predictions in each bin of confidence"), wide=True)


def _guess(found) -> Number:
    question = (
        f"For {found.count} images of PrivateTest this network has a confidence of **{_range(found)}** (T = 1). Which "
        "share of these predictions is correct?"
    )
    return Number(question, 0, 100, 1, answer=100 * found.right[0], unit="\N{NO-BREAK SPACE}%", near=5)


def _reveal(found, predicted, left, right) -> None:
    shown = []
    for r, title in ((found.before, "T = 1"), (found.after, f"T = {found.temperature:.2f}")):
        figure = charts.reliability(r.edges, r.accuracy, r.confidence, r.count, f"confidence, {title}")
        shown.append((charts.few_ticks(figure), title, f"Reliability, {title}"))
    side_by_side(right, *shown)
    _, low, high = found.right
    fits = (
        "no significant gap"
        if low <= found.confidence <= high
        else "overconfident"
        if found.confidence > high
        else "underconfident"
    )
    with left:
        views.caption(
            f"Accuracy {charts.with_interval(found.right)}, mean confidence {percentage(found.confidence)}: {fits}. "
            f"The expected calibration error (ECE ↓, ten bins) over all images is {percentage(found.before.ece)}, "
            f"after temperature scaling {percentage(found.after.ece)}."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"p_k = \frac{e^{z_k/T}}{\sum_j e^{z_j/T}}",
        r"\mathrm{ECE} = \sum_b \frac{n_b}{N}\,\big|\mathrm{accuracy}_b - \mathrm{confidence}_b\big|",
    )
    way = "lowers" if found.temperature > 1 else "raises"
    return equations, (
        f"$T = {found.temperature:.3f}$ minimizes the log loss on PublicTest (Guo et al. 2017) and {way} the "
        "confidence. There are ten bins $b$ with $n_b$ predictions each. The other pages show probabilities with this "
        "$T$."
    )


def _take_away(found) -> str:
    before, after = percentage(found.before.ece), percentage(found.after.ece)
    return (
        f"Probabilities can be checked by counting: this network's calibration error is {before}, and one "
        f"parameter, the temperature, changes it to {after}."
    )


LESSON = Lesson(
    key="calibration",
    title="Calibration: confidence and accuracy",
    question="Does the confidence of a network equal its accuracy?",
    **JUDGED,
    find=lessons.calibration,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.calibration:fit_temperature", "models.calibration:reliability"),
    of_face=False,
)
