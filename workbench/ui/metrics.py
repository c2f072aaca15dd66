"""Sections of the page Metrics: which checkpoints, their classes, measures, leaks, pairs and trainings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
import torch

from models import list_models
from models.checkpoints import CheckpointError
from workbench import services
from workbench.services.metrics.evaluation import MEASURES, Calibration, Scores
from workbench.services.metrics.paired_tests import Pair
from workbench.services.metrics.training_curves import History

from . import charts, state, views

_CURVES = {"train": "#7F7F7F", "validation": "#0072B2", "test": "#D55E00"}


def choose() -> tuple[list[str], str, str]:
    """The visitor's checkpoints, the part of the set, and which of its pictures count."""
    known = services.metrics.evaluation.checkpoints()
    names = st.multiselect(
        "Checkpoints", known, default=_trained(known), key="checkpoints", bind="query-params", placeholder="Choose some"
    )
    left, right = st.columns(2)
    part = views.choose_one(
        "Part",
        services.metrics.evaluation.TEST_PARTS,
        default=services.metrics.evaluation.TEST_PARTS[0],
        key="part",
        place=left,
    )
    pictures = right.selectbox(
        "Which pictures",
        services.metrics.evaluation.WHICH_PICTURES,
        key="pictures",
        bind="query-params",
        help=_LEAKS_HELP,
    )
    return names, part, pictures


_LEAKS_HELP = (
    "Some test pictures of FER2013 are in its training part too, pixel by pixel (copies) or nearly (near copies). "
    "Without them, what is left was not seen in the training of FER2013's official split. A network of another split "
    "may have been trained on many of these pictures."
)


def _trained(known: tuple[str, ...]) -> list[str]:
    return [name for name in known if name in list_models()][:4]


def scores_or_stop(names: list[str], part: str, pictures: str) -> dict[str, Scores]:
    """What the chosen checkpoints are worth; says what is missing, and ends the page where nothing is left."""
    found = {}
    with st.spinner("Measuring"):
        for name in names:
            try:
                found[name] = services.metrics.evaluation.scores(name, part, pictures)
            except CheckpointError as error:
                st.warning(str(error))
    for name, measured in found.items():
        if measured.card.split != "official":
            st.warning(
                f"{name} was trained by the split {measured.card.split}, not by FER2013's own: it may have learned "
                "from many of these pictures. Do not compare it with the others."
            )
        elif not services.metrics.evaluation.is_of_fer2013(measured.card):
            st.warning(f"{name} was measured on another set than FER2013. Do not compare it with the others.")
        if caveat := measured.card.caveat:
            st.warning(f"{name}: {caveat} Do not compare it with the others.")
    if found:
        return found
    st.info("No checkpoint to show. Choose one that was measured on this part.")
    again = {
        "checkpoints": _trained(services.metrics.evaluation.checkpoints()),
        "part": services.metrics.evaluation.TEST_PARTS[0],
    }
    st.button("Show the trained networks", on_click=st.session_state.update, args=(again,), type="primary")
    state.stop()


def or_warning(ask: Callable[..., Any], *arguments: str) -> Any:
    """An answer of a service; None and a sentence on the page where a file is missing or damaged."""
    try:
        return ask(*arguments)
    except CheckpointError as error:
        st.warning(str(error))
        return None


def classes(found: dict[str, Scores]) -> None:
    """Recall of each class, for each checkpoint, and the best and the worst in words."""
    charts.show(charts.recall_bars({name: s.recall for name, s in found.items()}), "recall", "Recall of each class")
    first = next(iter(found.values()))
    best, worst = (pick(first.recall, key=lambda name: first.recall[name][0]) for pick in (max, min))
    rarest = min(first.support, key=first.support.get)
    told = " and ".join(f"{name} in {charts.with_interval(first.recall[name])}" for name in (best, worst))
    views.caption(
        f"**Recall** is the share of a class's pictures that the network calls so: {first.name} finds {told} of them, "
        f"the best and the worst. Lines are 95 % intervals, wide where pictures are few ({rarest}: "
        f"{first.support[rarest]}). How good it is for women or men, the old or the young, nobody can say "
        "from this set: it does not tell who is shown."
    )


def table(found: dict[str, Scores], part: str) -> None:
    """All measures, a row each, a column for each checkpoint; the best value of a row is bold."""
    rows = [f"| pictures | {' | '.join(f'{s.pictures:,}'.replace(',', ' ') for s in found.values())} |"]
    for measure in MEASURES:
        known = {name: s.values[measure.key][0] for name, s in found.items() if measure.key in s.values}
        pick = max if measure.higher_is_better else min
        best = {name for name, value in known.items() if len(known) > 1 and value == pick(known.values())}
        cells = [f"**{s.text(measure)}**" if name in best else s.text(measure) for name, s in found.items()]
        rows.append(f"| {measure.label} | {' | '.join(cells)} |")
    rows.append(f"| temperature | {' | '.join(_temperature(s) for s in found.values())} |")
    head = f"| | {' | '.join(found)} |\n|---|{'---:|' * len(found)}"
    st.markdown("\n".join([head, *rows]))
    low, high = (100 * v for v in next(iter(found.values())).chance)
    own = " It was fitted on PublicTest itself, so there it flatters." if part == "PublicTest" else ""
    views.caption(
        "**Single view, 95 % intervals in brackets; arrows point to the better direction, the best of a row is bold.** "
        "Where intervals overlap, the best may be luck: see the pair test below. *Calibrated* divides the logits by "
        f"the temperature, under 1 where the network was not sure enough.{own} A calibration error has no interval; "
        f"chance alone gives a perfectly calibrated network {low:.1f} to {high:.1f} % on so many pictures (for the "
        "first column)."
    )
    with st.expander("What each measure is"):
        st.markdown("\n".join(f"- **{measure.label}**: {measure.meaning}." for measure in MEASURES))


def _temperature(found: Scores) -> str:
    return f"{found.card.temperature:.3f}" if found.card.temperature else "not fitted"


def spread(found: dict[str, Scores]) -> None:
    """How unequal the classes are, a line for each checkpoint."""
    charts.show(charts.recall_spread({name: s.recall for name, s in found.items()}), "spread", "Spread of the recalls")
    widths = ", ".join(f"{name} {100 * s.spread:.0f}" for name, s in found.items())
    views.caption(
        f"**From the worst to the best class, in percentage points:** {widths}. One accuracy hides this; a network can "
        "gain accuracy by giving up a rare class, and a narrow spread alone is no merit either."
    )


def leaks(names: list[str], part: str) -> None:
    """Accuracy with and without the leaked pictures, and on them alone."""
    rows = []
    for name in names:
        for seen in or_warning(services.metrics.paired_tests.seen_before, name, part) or ():
            cells = (f"{charts.with_interval(v)}" if seen.pictures else "none" for v in (seen.without, seen.on))
            rows.append(f"| {name} | {seen.kind} | {seen.pictures} | {' | '.join(cells)} |")
    head = "| | left out | pictures | accuracy without them ↑ | on them |\n|---|---|---:|---:|---:|"
    st.markdown("\n".join([head, *rows]))
    views.caption(
        f"**Pictures of {part} that sit in Training too:** where the last column is the higher one, they are answered "
        "better than the others and lift the accuracy. That they were learned by heart does not follow: pictures that "
        "go round in copies may be easier ones. The list is that of the official split; the page Data counts the leaks "
        "of the others."
    )


def reliability(found: Calibration) -> None:
    """Accuracy against confidence, before and after the temperature."""
    ways = [("as trained", found.before)]
    if found.after is not None:
        ways.append((f"divided by the temperature, {found.temperature:.2f}", found.after))
    for column, (label, r) in zip(st.columns(2), ways, strict=False):
        with column:
            figure = charts.reliability(r.edges, r.accuracy, r.confidence, r.count, f"confidence, {label}")
            charts.show(figure, f"reliability-{label[:2]}", f"Accuracy of answers by confidence, {label}")
            views.caption(f"**{label.capitalize()}:** calibration error {100 * r.ece:.1f}\N{NO-BREAK SPACE}%.")
    views.caption(
        "A bar over the dotted line: more often right than it says; under it: surer than right. Hollow bars are fewer "
        "than 20 answers. A small error says nothing about a single face, and nothing about classes that were not "
        "answered."
    )


def risk(names: list[str], part: str, pictures: str) -> None:
    """Errors among the surest answers, a line for each checkpoint."""
    grid = torch.linspace(0.02, 1, 99)
    curves = {name: services.metrics.evaluation.calibration(name, part, pictures).risk.risk for name in names}
    lines = {name: risk[(grid * len(risk)).long().clamp(1) - 1] for name, risk in curves.items()}
    charts.show(charts.risk_coverage(grid, lines), "risk", "Share of errors among the surest answers")
    half = ", ".join(f"{name} {charts.percent(float(risk[len(risk) // 2 - 1]))}" for name, risk in curves.items())
    views.caption(
        f"**Let each answer only where it is surest:** of the surer half of its answers these are wrong: {half}. That "
        "being sure goes with being right on these pictures is no promise for other ones."
    )


def pair(found: Pair) -> None:
    """McNemar's test in a table and in words."""
    a, b = found.first, found.second
    st.markdown(
        f"| | {b} right | {b} wrong |\n|---|---:|---:|\n| **{a} right** | {found.both_right} | {found.first_only} |\n"
        f"| **{a} wrong** | {found.second_only} | {found.neither} |"
    )
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    told = "the pictures tell them apart" if found.p_value < 0.05 else "the pictures do not tell them apart"
    views.caption(
        f"**McNemar's test, exact: {p}; {told}** (at 5 %). Only the {found.first_only + found.second_only} "
        f"pictures that one gets right and the other wrong count. {a} less {b}, in percentage points: accuracy "
        f"{charts.interval(found.accuracy, signed=True)}, balanced accuracy "
        f"{charts.interval(found.balanced_accuracy, signed=True)}. It speaks of these two trainings only: "
        "what another seed would have brought, more trainings must show. Pairs tried until one differs are no test."
    )


def training(found: History) -> None:
    """Accuracy and loss, epoch by epoch."""
    left, right = st.columns(2)
    for column, kind, log in ((left, "accuracy", False), (right, "loss", True)):
        lines = {name: found.columns[f"{name}_{kind}"] for name in _CURVES if f"{name}_{kind}" in found.columns}
        lines = {name: values for name, values in lines.items() if bool(values.isfinite().all())}
        with column:
            if not lines or len(found.epochs) < 2:
                st.info(f"The history has no curve of the {kind}: one epoch, or no such column.")
                continue
            colors = tuple(_CURVES[name] for name in lines)
            figure = charts.curves(
                found.epochs, torch.stack([*lines.values()]), tuple(lines), "epoch", f"{kind} {'↓' if log else '↑'}",
                colors, log=log, marks=found.joins,
            )  # fmt: skip
            charts.show(figure, f"history-{kind}", f"{kind.capitalize()} of each epoch")
    join = ""
    if found.joins:
        join = (
            " At a dotted line another training took over the best weights so far; what came after them is not drawn."
        )
    views.caption(
        f"**Epoch {found.best} was kept,** by its accuracy on the validation part.{join} Training accuracy is taken on "
        "changed (augmented) pictures with dropout on, so it can lie below the others; the test curve was watched by "
        "nobody and chose nothing."
    )
