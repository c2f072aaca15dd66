"""Sections of the page Robustness: where the prediction changes, occlusion, framing, curves over the test set."""

from __future__ import annotations

import math

import streamlit as st
from torch import Tensor

from models.datasets import EMOTIONS
from models.text import signed
from workbench import services
from workbench.services.framing import Framed, FrameGrid, Move
from workbench.services.robustness import CORRUPTIONS, Response, Survey, survey_minutes, surveys
from workbench.services.robustness import survey as survey_of
from workbench.services.robustness import tips as tips_of

from . import charts, model_picker, views

_ROW = 5  # images in the row
_TWELVE = len(CORRUPTIONS)


def number(value: float, corruption: str = "") -> str:
    """A value with a minus sign instead of a hyphen, and with a degree sign if it is an angle."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}") + ("°" if corruption == "rotation" else "")


def where_it_changes(found: Response, classes: tuple[str, ...]) -> str:
    """A sentence that states in which range the prediction stays the same, and where it first changes."""
    name, tips = found.corruption, tips_of(found)
    neutral = CORRUPTIONS[name].neutral
    predicted = classes[found.probabilities[found.values.tolist().index(neutral)].argmax()]
    changes = [
        f"at {number(tip.value, name)}, to {classes[tip.predicted]} ({charts.percent(tip.share)})"
        for tip in tips
        if tip.value is not None
    ]
    kept = sorted({neutral, *(tip.kept for tip in tips)})
    if not changes:
        every = f"at every value from {number(kept[0], name)} to {number(kept[-1], name)}"
        shares = found.probabilities[:, classes.index(predicted)]
        least = int(shares.argmin())
        start, low = (charts.percent(float(s)) for s in (shares[found.values.tolist().index(neutral)], shares[least]))
        return (
            f"**Prediction: {predicted} {every}.** Its probability falls from {start} to {low} "
            f"at {number(float(found.values[least]), name)}."
        )
    ends = number(kept[0], name), number(kept[-1], name)
    reach = f"from {ends[0]} to {ends[1]}" if len(kept) > 1 else f"at {ends[0]} only"
    return f"**Prediction: {predicted} {reach}; it first changes {' and '.join(changes)}.**"


def choose_value(found: Response) -> int:
    """Let the visitor choose one of the measured values; return its index."""
    corruption = CORRUPTIONS[found.corruption]
    value = st.select_slider(
        "Image shown at",
        corruption.values,
        value=first_change(found),
        format_func=lambda v: number(v, found.corruption),
        key="at",
        bind="query-params",
    )
    return corruption.values.index(value)


def curves(found: Response, classes: tuple[str, ...], value: float) -> None:
    """Draw the probabilities against the strength of a perturbation, with a dotted line at `value`."""
    corruption, colors = CORRUPTIONS[found.corruption], charts.class_colors(classes)
    chart = charts.curves(
        found.values,
        found.probabilities.T,
        classes,
        corruption.unit,
        "probability",
        colors,
        marks=(value,),
        points=True,
    )
    charts.show(chart, "curves", f"Probability of each class against {corruption.title.lower()}")


def row_of_faces(found: Response, classes: tuple[str, ...]) -> None:
    """Draw some of the perturbed images with the prediction for each."""
    chosen = _chosen(found)
    values = [float(found.values[i]) for i in chosen]
    shares = found.probabilities[chosen]
    labels = [
        (f"<b>{number(value, found.corruption)}</b>", classes[p.argmax()], charts.percent(float(p.max())))
        for value, p in zip(values, shares, strict=True)
    ]
    title = CORRUPTIONS[found.corruption].title.lower()
    charts.show(charts.faces_row(found.images[chosen], labels), "row", f"The face at five values of {title}")


def _chosen(found: Response) -> list[int]:
    """Indices of both ends, the unperturbed image, the first changes; then others, evenly spaced, up to `_ROW`."""
    values = found.values.tolist()
    neutral = values.index(CORRUPTIONS[found.corruption].neutral)
    changes = [values.index(tip.value) for tip in tips_of(found) if tip.value is not None]
    wanted = dict.fromkeys([neutral, *changes, 0, len(values) - 1])
    evenly = (round(i * (len(values) - 1) / (_ROW - 1)) for i in range(_ROW))
    return sorted(list(dict.fromkeys([*wanted, *evenly, *range(len(values))]))[:_ROW])


# ---- occlusion

_SHARES = {"a quarter": 1 / 4, "a third": 1 / 3, "a half": 1 / 2}


def choose_patch(container) -> float:
    """Let the visitor choose the side of the occluding patch, as a share of the image's side."""
    label = views.choose_one("Side of the patch", _SHARES, default="a quarter", key="patch", container=container)
    return _SHARES[label]


def occlusion_caption(drop: Tensor, class_: str, patch: int, score: str) -> str:
    """The caption of an occlusion map, with its largest drop and rise."""
    falls, rises = max(0.0, float(drop.max())), max(0.0, -float(drop.min()))
    square = f"a gray patch of {patch} × {patch} pixels"
    if score == "logit":
        return (
            f"**Red: the logit of {class_} drops** when {square} covers this region, by up to {falls:.2f}. Blue: it "
            f"rises, by up to {rises:.2f}. The probability also depends on the logits of the other classes."
        )
    if max(falls, rises) < 0.05:
        most = f"{100 * max(falls, rises):.1f}\N{NO-BREAK SPACE}percentage points"
        return (
            f"**No single region matters much.** With {square}, {class_}'s probability changes by at most {most} "
            "(red: it drops; blue: it rises). Near 100 % a probability hides changes of the *logit*."
        )
    return (
        f"**Red: the probability of {class_} drops** when {square} covers this region, by up to "
        f"{charts.percent(falls)}. Blue: it rises, by up to {charts.percent(rises)}."
    )


# ---- framing


def choose_move() -> Move:
    """Let the visitor move the crop by five sliders."""
    right, down, size, turn, pixels = st.columns(5)
    return Move(
        right=right.slider("Right", -40, 40, 20, 5, format="%d %%", key="right", bind="query-params") / 100,
        down=down.slider("Down", -40, 40, 0, 5, format="%d %%", key="down", bind="query-params") / 100,
        size=size.slider("Size", 50, 200, 60, 10, format="%d %%", key="size", bind="query-params") / 100,
        angle=turn.slider("Rotation", -90, 90, 15, 5, format="%d°", key="turn", bind="query-params"),
        resolution=pixels.slider("Resolution", 6, 48, 48, 2, format="%d px", key="pixels", bind="query-params"),
    )


def frame(found: Framed, class_: str, top: float, title: str, key: str) -> None:
    """Draw the input of one crop with its map."""
    if found.map is None:
        chart = charts.face(found.pixels, "")
    else:
        chart = charts.face_with_map(found.pixels, found.map, top, 0.7)
    charts.show(chart, key, f"{title} of the face, with the map for {class_}")
    share = charts.percent(float(found.prediction.probabilities.max()))
    views.caption(f"**{title}: {found.prediction.predicted}, {share}.**")


def grid(found: FrameGrid) -> None:
    """Draw the predictions for all shifts and sizes of the crop, and how many agree."""
    columns = [f"{number(round(100 * shift))}\N{NO-BREAK SPACE}%" for shift in found.shifts]
    rows = [f"{round(100 * size)}\N{NO-BREAK SPACE}%" for size in found.sizes]
    across, along = "shift to the right, % of the side", "size of the crop"
    chart = charts.predictions_grid(found.classes, found.probabilities, columns, rows, across, along)
    charts.show(chart, "frames", "Predicted class for each shift and size of the crop")
    empty = found.count < len(rows) * len(columns)
    views.caption(
        f"**{found.agreeing} of {found.count} crops have the same prediction as the detected crop** in the middle "
        "(0\N{NO-BREAK SPACE}%, 100\N{NO-BREAK SPACE}%). This is sensitivity to cropping for one face, not accuracy."
        + (" Empty: outside of the image." if empty else "")
    )


def similarity(rho: float) -> str:
    """A sentence about the rank correlation of two maps."""
    if math.isnan(rho):
        return "The maps cannot be compared: there is none, one is blank, or the crops hardly overlap."
    return f"Spearman correlation of the maps where both crops overlap: {signed(rho, 2)}."


# ---- over the test set


def command(network: str, corruptions: tuple[str, ...] = ()) -> None:
    """Draw what is missing for a curve over the test set: the command that measures it, and about how long it takes."""
    title = services.networks.get_spec(network).title
    if not services.networks.open_network(network).trained:
        st.info(f"Not run: {title}, {model_picker.NO_WEIGHTS}. Train it first, then measure it in a terminal.")
        st.code(f"ferscope train --model {network}\nferscope robustness {network}", language="bash")
        return
    classes = services.networks.open_network(network).classes
    if classes != EMOTIONS:
        st.info(f"Not run: curves are measured on FER2013, and {title} has other classes ({', '.join(classes[:8])}).")
        return
    minutes = survey_minutes(network, corruptions=corruptions)
    what = CORRUPTIONS[corruptions[0]].title.lower() if corruptions else f"all {_TWELVE} curves"
    about = f"about {minutes:.0f} minutes" if minutes >= 1.5 else "about a minute"
    st.info(
        f"Not run: the checkpoint of {title} has no such curve. This command measures {what} over a sample of the "
        f"test images in {about} on this computer's CPU; it needs FER2013 (`ferscope data import`). Reload this "
        "page afterwards."
    )
    more = f" --corruptions {' '.join(corruptions)}" if corruptions else ""
    st.code(f"ferscope robustness {network}{more}", language="bash")


def accuracy(surveys: list[Survey], corruption: str, key: str) -> None:
    """Draw the accuracy against the strength of a perturbation for the networks whose curve is stored."""
    curves = {services.networks.get_spec(survey.network).title: survey.found.curves[corruption] for survey in surveys}
    lines = {title: (curve.values, curve.accuracy, curve.interval) for title, curve in curves.items()}
    card = services.networks.open_network(surveys[0].network).card
    part = surveys[0].found.sample.part
    baselines = {
        "chance level": 1 / len(card.classes),
        "largest class": services.metrics.evaluation.majority_share(card.metrics[part]["plain"]),
    }
    chart = charts.accuracies(lines, CORRUPTIONS[corruption].unit, baselines, CORRUPTIONS[corruption].neutral)
    charts.show(chart, key, f"Accuracy of {', '.join(curves)} against {CORRUPTIONS[corruption].title.lower()}")


def measured_on(surveys: list[Survey]) -> str:
    """The images that the curves were measured on, and a warning if they differ between networks."""
    samples = [survey.found.sample for survey in surveys]
    different = {(sample.text, sample.data) for sample in samples}
    parts = ", ".join(sorted({sample.text for sample in samples}))
    same = (
        "" if len(different) == 1 else " The networks were measured on different images, which may explain differences."
    )
    return f"{parts}, single view, with 95 % intervals.{same}"


def rotation_table(surveys: list[Survey]) -> str:
    """A Markdown table of accuracies at some angles, for the networks whose rotation curve is stored."""
    angles = (0, 30, 90, 180)
    rows = ["| network | " + " | ".join(f"{a}°, % ↑" for a in angles) + " |", "|---|" + "---:|" * len(angles)]
    for survey in surveys:
        curve = survey.found.curves["rotation"]
        at = [curve.values.tolist().index(a) for a in angles]
        cells = [charts.interval((float(curve.accuracy[i]), *curve.interval[i].tolist())) for i in at]
        rows.append(f"| {services.networks.get_spec(survey.network).title} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def first_change(found: Response) -> float:
    """The value at which the prediction first changes; the last one if it never does."""
    changes = [tip.value for tip in tips_of(found) if tip.value is not None]
    return CORRUPTIONS[found.corruption].values[found.values.tolist().index((changes or found.values.tolist())[-1])]


def test_set(network: str, corruption: str) -> None:
    """Draw the stored curve of one network, or what is missing for it."""
    survey = survey_of(network)
    if survey.fault:
        st.warning(survey.fault)
    elif survey.found and corruption in survey.found.curves:
        accuracy([survey], corruption, "test-set")
        views.caption(
            f"**Accuracy of {services.networks.get_spec(network).title}:** {measured_on([survey])} Labels are those of "
            "the original images; annotators might label the perturbed ones differently."
        )
    elif services.networks.is_job(network):
        st.info("Not run: curves are measured for promoted checkpoints. Promote this one on the page Train first.")
    else:
        command(network)


def rotation() -> None:
    """Draw the rotation curves of RARN and of all other networks that have one; list the others."""
    everyone = surveys()
    measured = [s for s in everyone if s.found and "rotation" in s.found.curves]
    missing = [s for s in everyone if s not in measured]
    if measured:
        accuracy(measured, "rotation", "rotation")
        st.markdown(views.table(rotation_table(measured)))
        views.caption(
            f"**Accuracy against the angle of rotation.** {measured_on(measured)} Training on rotated images helps "
            "too, so only networks trained in the same way show what attention to angles adds."
        )
    rarn = next(s for s in everyone if s.network == "rarn")
    if rarn in missing:
        views.caption(
            f"**RARN: not run.** Paper A, *{services.networks.paper('A')}*, claims that its attention makes the "
            "network rotation-aware; the accuracy against the angle tests this."
        )
        command("rarn", ("rotation",))
    ready = [s.network for s in missing if s.trained]
    if ready:
        st.markdown(f"Trained, not measured: {', '.join(services.networks.titles(ready).values())}.")
    untrained = [s.network for s in missing if not s.trained and s is not rarn]
    if untrained:
        with st.expander(f"Not run: {len(untrained)} more networks, {model_picker.NO_WEIGHTS}"):
            st.markdown(", ".join(services.networks.titles(untrained).values()))
