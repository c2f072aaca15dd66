"""Calibration: is a network right as often as it is sure?"""

import streamlit as st

from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import JUDGED, Lesson, Steps, side_by_side


def _attempt(found, words, pictures) -> None:
    prediction = found.prediction
    with words:
        T = st.slider("Temperature T", 0.25, 4.0, 2.0, 0.05, key="temperature", bind="query-params")
        cooler = "flatter: less sure" if T > 1 else "steeper: surer" if T < 1 else "the same"
        views.caption(
            f"The network's logits for this face (left as they are) are divided by T = {T:.2f} before they become "
            f"probabilities (right): {cooler}. **The order of the classes stays, and so does the answer, "
            f"{prediction.answer}.** Which T tells the truth cannot be seen on one face."
        )
    shown = []
    for t, key in ((1.0, "as-trained"), (T, "divided")):
        values = dict(zip(prediction.classes, (prediction.logits / t).softmax(-1).tolist(), strict=True))
        texts, colors = [charts.percent(v) for v in values.values()], charts.class_colors(prediction.classes)
        figure = charts.bars(values, texts, f"probability, T = {t:.2f}", top=1, colors=colors)
        shown.append((figure, key, f"Probabilities at temperature {t:.2f}"))
    side_by_side(pictures, *shown)


def _range(found) -> str:
    return f"{100 * found.low:.0f} to {100 * found.high:.0f}\N{NO-BREAK SPACE}%"


def _think(found, pictures) -> None:
    before = found.before
    names = [f"{100 * edge:.0f} to {100 * edge + 10:.0f} %" for edge in before.edges[:-1].tolist()]
    values = {name: float(n) for name, n in zip(names, before.count.tolist(), strict=True) if n}
    figure = charts.bars(values, [f"{n:.0f}" for n in values.values()], "answers to PrivateTest, by confidence")
    side_by_side(pictures, (figure, "counts", "Number of answers in each tenth of confidence"), wide=True)


def _guess(found) -> Number:
    question = (
        f"To {found.count} faces of PrivateTest this network gives its answer with a probability of "
        f"**{_range(found)}** (T = 1, as it was trained). Which share of these answers is right?"
    )
    return Number(question, 0, 100, 1, answer=100 * found.right[0], unit="\N{NO-BREAK SPACE}%", near=5)


def _reveal(found, said, words, pictures) -> None:
    shown = []
    for r, title in ((found.before, "T = 1"), (found.after, f"T = {found.temperature:.2f}")):
        figure = charts.reliability(r.edges, r.accuracy, r.confidence, r.count, f"confidence, {title}")
        shown.append((charts.few_ticks(figure), title, f"Reliability, {title}"))
    side_by_side(pictures, *shown)
    _, low, high = found.right
    fits = (
        "the interval holds it, so these answers do not show a gap"
        if low <= found.confidence <= high
        else "it was surer than it is right"
        if found.confidence > high
        else "it was less sure than it is right"
    )
    with words:
        views.caption(
            f"Right: {charts.interval(found.right)} %; mean confidence {100 * found.confidence:.1f} %: {fits}. Over "
            f"all answers the gap (ECE ↓, ten bins) is {100 * found.before.ece:.1f} points, with the temperature "
            f"{100 * found.after.ece:.1f}. It speaks of faces like FER2013's, not of the one at the left."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"p_k = \frac{e^{z_k/T}}{\sum_j e^{z_j/T}}",
        r"\mathrm{ECE} = \sum_b \frac{n_b}{N}\,\big|\mathrm{accuracy}_b - \mathrm{confidence}_b\big|",
    )
    way = "less sure" if found.temperature > 1 else "surer"
    return equations, (
        f"$T = {found.temperature:.3f}$ was fitted by the log loss on PublicTest (Guo et al. 2017) and makes this "
        f"network {way}. The bins $b$ are tenths of confidence, $n_b$ the answers in each. The other pages show "
        "probabilities with this $T$."
    )


def _take_away(found) -> str:
    way = "less sure" if found.temperature > 1 else "surer"
    before, after = 100 * found.before.ece, 100 * found.after.ece
    return (
        f"A probability is a claim that counting can check: this network's were {before:.1f} points off on average, "
        f"and one number that makes it {way} brings that to {after:.1f}."
    )


LESSON = Lesson(
    key="calibration",
    title="Calibration: sure, and right",
    question="Is it right as often as it is sure?",
    **JUDGED,
    find=lessons.calibration,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.calibration:fit_temperature", "models.calibration:reliability"),
    of_face=False,
)
