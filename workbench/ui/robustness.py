"""What the page Robustness shows: where an answer changes, frames round a face, curves over a test set."""

from __future__ import annotations

import math

import streamlit as st
from torch import Tensor

from models.text import signed
from workbench import services
from workbench.services.framing import Framed, FrameGrid, Move
from workbench.services.robustness import CORRUPTIONS, Response, Survey, survey_minutes, surveys
from workbench.services.robustness import survey as survey_of
from workbench.services.robustness import tips as tips_of

from . import charts, views

_ROW = 5  # pictures in the row
_TWELVE = len(CORRUPTIONS)


def number(value: float, corruption: str = "") -> str:
    """A value as people read it, with a true minus sign, and with a degree sign where it is an angle."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}") + ("°" if corruption == "rotation" else "")


def where_it_changes(found: Response, classes: tuple[str, ...]) -> str:
    """The sentence that says how far the answer stays, and where it first changes."""
    name, tips = found.corruption, tips_of(found)
    neutral = CORRUPTIONS[name].neutral
    answer = classes[found.probabilities[found.values.tolist().index(neutral)].argmax()]
    changes = [
        f"at {number(tip.value, name)}, to {classes[tip.answer]} ({charts.percent(tip.share)})"
        for tip in tips
        if tip.value is not None
    ]
    kept = sorted({neutral, *(tip.kept for tip in tips)})
    if not changes:
        return (
            f"**The network answers {answer} at every value from {number(kept[0], name)} to {number(kept[-1], name)}.**"
        )
    ends = number(kept[0], name), number(kept[-1], name)
    reach = f"from {ends[0]} to {ends[1]}" if len(kept) > 1 else f"at {ends[0]} only"
    return f"**The network answers {answer} {reach}, and first changes {' and '.join(changes)}.**"


def choose_value(found: Response) -> int:
    """Let the visitor choose one of the values that were asked about; its place among them."""
    corruption = CORRUPTIONS[found.corruption]
    value = st.select_slider(
        "Picture shown at",
        corruption.values,
        value=telling(found),
        format_func=lambda v: number(v, found.corruption),
        key="at",
        bind="query-params",
    )
    return corruption.values.index(value)


def curves(found: Response, classes: tuple[str, ...], value: float) -> None:
    """Probabilities against the values of a corruption; a dotted line stands at one of them."""
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
    """A few of the pictures that the network was shown, with what it answered to each."""
    chosen = _chosen(found)
    values = [float(found.values[i]) for i in chosen]
    shares = found.probabilities[chosen]
    labels = [
        (f"<b>{number(value, found.corruption)}</b>", classes[p.argmax()], charts.percent(float(p.max())))
        for value, p in zip(values, shares, strict=True)
    ]
    title = CORRUPTIONS[found.corruption].title.lower()
    charts.show(charts.faces_row(found.pictures[chosen], labels), "row", f"The face at five values of {title}")


def _chosen(found: Response) -> list[int]:
    """Both ends, the picture as it is, where the answer first changes; then others, evenly, until there are enough."""
    values = found.values.tolist()
    neutral = values.index(CORRUPTIONS[found.corruption].neutral)
    changes = [values.index(tip.value) for tip in tips_of(found) if tip.value is not None]
    wanted = dict.fromkeys([neutral, *changes, 0, len(values) - 1])
    evenly = (round(i * (len(values) - 1) / (_ROW - 1)) for i in range(_ROW))
    return sorted(list(dict.fromkeys([*wanted, *evenly, *range(len(values))]))[:_ROW])


# ---- a part of the face is hidden

_SHARES = {"a quarter": 1 / 4, "a third": 1 / 3, "a half": 1 / 2}


def choose_patch(place) -> float:
    """Side of the square that hides a part of the face, as a share of the picture's."""
    words = views.choose_one("Side of the square", _SHARES, default="a quarter", key="patch", place=place)
    return _SHARES[words]


def what_covering_does(drop: Tensor, class_: str, patch: int) -> str:
    """What a map of occlusion shows, in numbers."""
    falls, rises = max(0.0, float(drop.max())), max(0.0, -float(drop.min()))
    square = f"a gray square of {patch} × {patch} pixels"
    if max(falls, rises) < 0.05:
        most = f"{100 * max(falls, rises):.1f}\N{NO-BREAK SPACE}points"
        return (
            f"**No single place decides.** Wherever {square} lies, {class_} changes by {most} of probability at most."
        )
    return (
        f"**Where it is red, {class_} loses probability** when {square} lies there, up to {charts.percent(falls)}; "
        f"where it is blue, it gains, up to {charts.percent(rises)}."
    )


# ---- the frame round the face


def choose_move() -> Move:
    """Five sliders for the frame."""
    right, down, size, turn, pixels = st.columns(5)
    return Move(
        right=right.slider("Right", -40, 40, 20, 5, format="%d %%", key="right", bind="query-params") / 100,
        down=down.slider("Down", -40, 40, 0, 5, format="%d %%", key="down", bind="query-params") / 100,
        size=size.slider("Size", 50, 200, 60, 10, format="%d %%", key="size", bind="query-params") / 100,
        angle=turn.slider("Turned", -90, 90, 15, 5, format="%d°", key="turn", bind="query-params"),
        resolution=pixels.slider("Pixels a side", 6, 48, 48, 2, key="pixels", bind="query-params"),
    )


def frame(found: Framed, class_: str, top: float, title: str, key: str) -> None:
    """What the network sees in one frame, with its map."""
    if found.map is None:
        chart = charts.face(found.pixels, "")
    else:
        chart = charts.face_with_map(found.pixels, found.map, top, 0.7)
    charts.show(chart, key, f"{title}, with the map for {class_}")
    share = charts.percent(float(found.prediction.probabilities.max()))
    views.caption(f"**{title}: {found.prediction.answer}, {share}.**")


def grid(found: FrameGrid) -> None:
    """The answers to all shifts and sizes, and how many of them agree."""
    columns = [f"{number(round(100 * shift))}\N{NO-BREAK SPACE}%" for shift in found.shifts]
    rows = [f"{round(100 * size)}\N{NO-BREAK SPACE}%" for size in found.sizes]
    across, along = "frame moved to the right, % of its side", "size of the frame"
    chart = charts.predictions_grid(found.classes, found.probabilities, columns, rows, across, along)
    charts.show(chart, "frames", "The answer to each of the frames")
    empty = found.asked < len(rows) * len(columns)
    views.caption(
        f"**{found.agreeing} of {found.asked} frames get the answer of the frame as it was found**, which stands in "
        "the middle (0\N{NO-BREAK SPACE}%, 100\N{NO-BREAK SPACE}%). It says how steady the answer to "
        "this one face is, not how often it is right." + (" Empty: outside of the picture." if empty else "")
    )


def same_place(likeness: float) -> str:
    """How alike two maps are, in words."""
    if math.isnan(likeness):
        return "The maps cannot be compared: there is none, one is blank, or the frames hardly overlap."
    alike = signed(likeness, 2)
    return f"Over the places that both frames show, the rank correlation of the maps is {alike} (1: same order)."


# ---- over a test set


def command(network: str, corruptions: tuple[str, ...] = ()) -> None:
    """What is missing for a curve over the test set, the command that measures it, and about how long it takes."""
    if not services.networks.open_network(network).trained:
        st.info(f"Not run: {network} has no trained weights. Train it first, then measure it in a terminal.")
        st.code(f"ferscope train --model {network}\nferscope robustness {network}", language="bash")
        return
    minutes = survey_minutes(network, corruptions=corruptions)
    what = CORRUPTIONS[corruptions[0]].title.lower() if corruptions else f"all {_TWELVE} curves"
    about = f"about {minutes:.0f} minutes" if minutes >= 1.5 else "about a minute"
    st.info(
        f"Not run: no such curve lies beside the weights of {network}. This command measures {what} over a "
        f"draw of the test pictures, {about} on this computer's processor; it needs FER2013 (`ferscope data import`). "
        "Then open this page again."
    )
    more = f" --corruptions {' '.join(corruptions)}" if corruptions else ""
    st.code(f"ferscope robustness {network}{more}", language="bash")


def accuracy(surveys: list[Survey], corruption: str, key: str) -> None:
    """Accuracy against a corruption for the networks whose curve is stored, and over which pictures."""
    curves = {services.networks.get_spec(survey.network).title: survey.found.curves[corruption] for survey in surveys}
    lines = {title: (curve.values, curve.accuracy, curve.interval) for title, curve in curves.items()}
    chance = 1 / len(services.networks.open_network(surveys[0].network).classes)
    chart = charts.accuracies(lines, CORRUPTIONS[corruption].unit, chance, CORRUPTIONS[corruption].neutral)
    charts.show(chart, key, f"Accuracy against {CORRUPTIONS[corruption].title.lower()}")


def pictures_asked(surveys: list[Survey]) -> str:
    """Over which pictures the curves were measured, and a warning where these are not the same."""
    asked = [survey.found.question for survey in surveys]
    different = {(question.text, question.data) for question in asked}
    parts = ", ".join(sorted({question.text for question in asked}))
    same = "" if len(different) == 1 else " Not all networks saw the same pictures: lines may differ for that reason."
    return f"{parts}, single view, with 95 % intervals.{same}"


def upright_and_turned(surveys: list[Survey]) -> str:
    """A table of accuracies at some angles, for the networks whose rotation curve is stored."""
    angles = (0, 30, 90, 180)
    rows = ["| | " + " | ".join(f"{a}°, % ↑" for a in angles) + " |", "|---|" + "---:|" * len(angles)]
    for survey in surveys:
        curve = survey.found.curves["rotation"]
        at = [curve.values.tolist().index(a) for a in angles]
        cells = [charts.interval((float(curve.accuracy[i]), *curve.interval[i].tolist())) for i in at]
        rows.append(f"| {services.networks.get_spec(survey.network).title} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def telling(found: Response) -> float:
    """The value to begin with: where the answer first changes; else the last one."""
    changes = [tip.value for tip in tips_of(found) if tip.value is not None]
    return CORRUPTIONS[found.corruption].values[found.values.tolist().index((changes or found.values.tolist())[-1])]


def test_set(network: str, corruption: str) -> None:
    """The stored curve of one network, or what is missing."""
    survey = survey_of(network)
    if survey.fault:
        st.warning(survey.fault)
    elif survey.found and corruption in survey.found.curves:
        accuracy([survey], corruption, "test-set")
        views.caption(
            f"**Accuracy of {services.networks.get_spec(network).title}:** {pictures_asked([survey])} Labels are "
            f"those of the "
            "pictures as they were; whether people would still give them is another question."
        )
    elif services.networks.is_job(network):
        st.info(
            "Not run: curves are measured of checkpoints with a name. Promote this training on the page Train first."
        )
    else:
        command(network)


def rotation() -> None:
    """RARN and all other networks whose rotation curve is stored, in one chart; the others by name."""
    everyone = surveys()
    measured = [s for s in everyone if s.found and "rotation" in s.found.curves]
    missing = [s for s in everyone if s not in measured]
    if measured:
        accuracy(measured, "rotation", "rotation")
        st.markdown(upright_and_turned(measured))
        views.caption(
            f"**Who keeps its accuracy when faces are turned?** {pictures_asked(measured)} A network that was trained "
            "on turned pictures keeps it too, with or without attention to angles: only a comparison of networks that "
            "were trained alike tells the two apart."
        )
    rarn = next(s for s in everyone if s.network == "rarn")
    if rarn in missing:
        views.caption(
            f"**RARN: not run.** Paper A, *{services.networks.paper('A')}*, claims that its attention makes it aware "
            f"of "
            "rotation; a curve against the angle, beside those of other networks, is the test."
        )
        command("rarn", ("rotation",))
    ready = [s.network for s in missing if s.trained]
    if ready:
        st.markdown("Trained, but not measured: " + ", ".join(f"`{name}`" for name in ready) + ".")
    untrained = [s.network for s in missing if not s.trained and s is not rarn]
    if untrained:
        with st.expander(f"Not run, because not trained here: {len(untrained)} more networks"):
            st.markdown(", ".join(f"`{name}`" for name in untrained))
