"""Sections of the page Metrics: choice of checkpoints, per-class recall, measures, leakage, significance, training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
import torch

from models import list_models
from models.checkpoints import CheckpointError
from models.text import percentage, thousands
from workbench import services
from workbench.services.metrics.calibration import Calibration
from workbench.services.metrics.evaluation import MEASURES, Scores
from workbench.services.metrics.paired_tests import Pair
from workbench.services.metrics.training_curves import History

from . import charts, state, url_state, views

_CURVES = {"train": "#7F7F7F", "validation": "#0072B2", "test": "#D55E00"}


@dataclass(frozen=True)
class Chosen:
    """What is evaluated: scores by checkpoint, the test set, which of its images count, titles by checkpoint."""

    found: Mapping[str, Scores]
    part: str
    subset: str
    titles: Mapping[str, str]


def choose_or_stop() -> Chosen:
    """Let the visitor choose checkpoints, the test set, and which of its images count; end the page without scores."""
    known = services.metrics.evaluation.checkpoints()
    titles = services.networks.titles(known)
    names = url_state.choose_by_name("Checkpoints", titles, _trained(known), "checkpoints", placeholder="Choose some")
    left, right = st.columns(2)
    part = views.choose_one(
        "Test set",
        services.metrics.evaluation.TEST_PARTS,
        default=services.metrics.evaluation.TEST_PARTS[0],
        key="part",
        container=left,
    )
    subset = right.selectbox(
        "Images",
        services.metrics.evaluation.IMAGE_SUBSETS,
        key="images",
        bind="query-params",
        help=_LEAKS_HELP,
    )
    found = _scores_or_stop(names, part, subset)
    return Chosen(found, part, subset, services.networks.titles(list(found)))


_LEAKS_HELP = (
    "Some test images of FER2013 are in its training set too, as duplicates (same pixels) or near-duplicates. Without "
    "them the test set does not overlap with the training set of the official split. Networks of other splits may have "
    "been trained on many of these images."
)


def _trained(known: tuple[str, ...]) -> list[str]:
    return [name for name in known if name in list_models()][:4]


def _scores_or_stop(names: list[str], part: str, subset: str) -> dict[str, Scores]:
    """The scores of the chosen checkpoints, with warnings; ends the page if there are none."""
    found = {}
    with st.spinner("Measuring"):
        for name in names:
            try:
                found[name] = services.metrics.evaluation.scores(name, part, subset)
            except CheckpointError as error:
                st.warning(str(error))
    for name, measured in found.items():
        title = services.networks.get_spec(name).title
        if measured.card.split != "official":
            st.warning(
                f"{title} was trained on the split {measured.card.split}, not on the official one: its training set "
                "may contain many of these images. Do not compare it with the others."
            )
        elif not services.metrics.evaluation.is_of_fer2013(measured.card):
            st.warning(f"{title} was evaluated on another dataset than FER2013. Do not compare it with the others.")
        if caveat := measured.card.caveat:
            st.warning(f"{title}: {caveat} Do not compare it with the others.")
    if found:
        return found
    st.info("No checkpoint to show. Choose one that was evaluated on this test set.")
    again = {
        "checkpoints": _trained(services.metrics.evaluation.checkpoints()),
        "part": services.metrics.evaluation.TEST_PARTS[0],
    }
    st.button("Show the trained networks", on_click=st.session_state.update, args=(again,), type="primary")
    state.stop()


def or_warning(ask: Callable[..., Any], *arguments: str) -> Any:
    """The result of a service; None and a warning on the page if a file is missing or damaged."""
    try:
        return ask(*arguments)
    except CheckpointError as error:
        st.warning(str(error))
        return None


def classes(found: dict[str, Scores]) -> None:
    """Draw the recall of each class for each checkpoint."""
    charts.show(
        charts.recall_bars({name: s.recall for name, s in found.items()}),
        "recall",
        f"Recall of each class by {', '.join(found)}",
    )
    title, first = next(iter(found.items()))
    best, worst = (pick(first.recall, key=lambda name: first.recall[name][0]) for pick in (max, min))
    rarest = min(first.support, key=first.support.get)
    high, low = (f"{name} {charts.with_interval(first.recall[name])}" for name in (best, worst))
    views.caption(
        f"**Recall of each class** with 95 % intervals: {title} is best on {high} and worst on {low}. Few "
        f"images give wide intervals ({rarest}: {thousands(first.support[rarest])}). For demographic groups see "
        f"the tab Groups."
    )


def table(found: dict[str, Scores], part: str) -> None:
    """Draw a table of all measures, a column for each checkpoint; the best value of a row is bold."""
    rows = [f"| images | {' | '.join(thousands(s.n_images) for s in found.values())} |"]
    for measure in MEASURES:
        known = {name: s.values[measure.key][0] for name, s in found.items() if measure.key in s.values}
        pick = max if measure.higher_is_better else min
        best = {name for name, value in known.items() if len(known) > 1 and value == pick(known.values())}
        cells = [f"**{s.text(measure)}**" if name in best else s.text(measure) for name, s in found.items()]
        rows.append(f"| {measure.label} | {' | '.join(cells)} |")
    rows.append(f"| temperature | {' | '.join(_temperature(s) for s in found.values())} |")
    head = f"| metric | {' | '.join(found)} |\n|---|{'---:|' * len(found)}"
    st.markdown(views.table("\n".join([head, *rows])))
    low, high = next(iter(found.values())).chance
    own = " It was fitted on PublicTest itself, so here it is optimistic." if part == "PublicTest" else ""
    views.caption(
        "**Single view (without flip averaging), 95 % intervals. Bold: best value of the row; the tab Significance "
        "tests a difference.** The networks were trained differently unless their names say so, so a difference is "
        f"not due to the architecture alone. *Calibrated*: logits divided by the temperature.{own} By chance alone, "
        f"a calibrated network with the accuracy of the first column has a calibration error of {100 * low:.1f} to "
        f"{percentage(high)} on so many images."
    )
    with st.expander("What each measure is"):
        st.markdown("\n".join(f"- **{measure.label}**: {measure.meaning}." for measure in MEASURES))


def _temperature(found: Scores) -> str:
    return f"{found.card.temperature:.3f}" if found.card.temperature else "not fitted"


def spread(found: dict[str, Scores]) -> None:
    """Draw the spread of per-class recall, a line for each checkpoint."""
    charts.show(
        charts.recall_spread({name: s.recall for name, s in found.items()}),
        "spread",
        f"Lowest to highest recall of a class by {', '.join(found)}",
    )
    widths = ", ".join(f"{name} {100 * s.spread:.0f}" for name, s in found.items())
    views.caption(
        f"**Difference between best and worst class, in percentage points:** {widths}. Overall accuracy hides it: a "
        "network can gain accuracy by ignoring a rare class."
    )


def leaks(titles: Mapping[str, str], part: str) -> None:
    """Draw a table of the accuracy with and without leaked images, and on them alone, of checkpoints by name."""
    rows = []
    for name, title in titles.items():
        for seen in or_warning(services.metrics.paired_tests.leak_effects, name, part) or ():
            cells = (f"{charts.with_interval(v)}" if seen.n_images else "none" for v in (seen.without, seen.on))
            rows.append(f"| {title} | {seen.kind} | {thousands(seen.n_images)} | {' | '.join(cells)} |")
    head = "| checkpoint | left out | images | accuracy without them ↑ | accuracy on them |\n|---|---|---:|---:|---:|"
    st.markdown(views.table("\n".join([head, *rows]), keys=2))
    views.caption(
        f"**Images of {part} that are in the training set too** (official split). A higher accuracy on them need not "
        "mean memorization: images that have duplicates may be easier."
    )


def reliability(found: Calibration) -> None:
    """Draw reliability diagrams before and after temperature scaling."""
    ways = [("as trained", found.before)]
    if found.after is not None:
        ways.append((f"after temperature scaling, T = {found.temperature:.2f}", found.after))
    for column, (label, r) in zip(st.columns(2), ways, strict=False):
        with column:
            figure = charts.reliability(r.edges, r.accuracy, r.confidence, r.count, f"confidence, {label}")
            charts.show(figure, f"reliability-{label[:2]}", f"Reliability diagram, {label}")
            views.caption(f"**{label[0].upper()}{label[1:]}:** calibration error {percentage(r.ece)}.")
    if found.after is not None:
        better = found.after.ece < found.before.ece
        views.caption(
            f"On these images temperature scaling {'lowers' if better else 'does not lower'} the calibration error. "
            "$T$ was fitted on PublicTest."
        )
    views.caption(
        "Bars above the dotted line: underconfident; below: overconfident; hollow: fewer than 20 predictions. A small "
        "calibration error says nothing about a single image."
    )


def risk(titles: Mapping[str, str], part: str, subset: str) -> None:
    """Draw the risk–coverage curve of each checkpoint, given by name."""
    grid = torch.linspace(0.02, 1, 99)
    curves = {title: services.metrics.calibration.of(name, part, subset).risk.risk for name, title in titles.items()}
    lines = {title: risk[(grid * len(risk)).long().clamp(1) - 1] for title, risk in curves.items()}
    charts.show(
        charts.risk_coverage(grid, lines),
        "risk",
        f"Share of errors among the most confident predictions: {', '.join(curves)}",
    )
    half = ", ".join(f"{title} {charts.percent(float(risk[len(risk) // 2 - 1]))}" for title, risk in curves.items())
    views.caption(
        f"**Errors among the more confident half of the predictions:** {half}. Other images can behave differently."
    )


def pair(found: Pair) -> None:
    """Draw McNemar's test as a table and a caption."""
    a, b = services.networks.titles((found.first, found.second)).values()
    st.markdown(
        f"| images | {b} correct | {b} wrong |\n|---|---:|---:|\n"
        f"| **{a} correct** | {found.both_right} | {found.first_only} |"
        f"\n| **{a} wrong** | {found.second_only} | {found.neither} |"
    )
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    verdict = "significant" if found.p_value < 0.05 else "not significant"
    views.caption(
        f"**McNemar's test, exact: {p}, {verdict}** at 5 %, from {found.first_only + found.second_only} images that "
        f"exactly one classifies correctly. {a} minus {b}, in percentage points: accuracy "
        f"{charts.interval(found.accuracy, signed=True)}, balanced accuracy "
        f"{charts.interval(found.balanced_accuracy, signed=True)}. It compares these two training runs; other random "
        "seeds can give other results."
    )


def training(found: History) -> None:
    """Draw accuracy and loss against the epoch."""
    left, right = st.columns(2)
    for column, kind, log in ((left, "accuracy", False), (right, "loss", True)):
        lines = {name: found.columns[f"{name}_{kind}"] for name in _CURVES if f"{name}_{kind}" in found.columns}
        lines = {name: values for name, values in lines.items() if bool(values.isfinite().all())}
        with column:
            if not lines or len(found.epochs) < 2:
                st.info(f"There is no {kind} curve: the training run had one epoch, or the {kind} was not recorded.")
                continue
            colors = tuple(_CURVES[name] for name in lines)
            figure = charts.curves(
                found.epochs, torch.stack([*lines.values()]), tuple(lines), "epoch", f"{kind} {'↓' if log else '↑'}",
                colors, log=log, marks=found.joins,
            )  # fmt: skip
            charts.marked(figure, {f"best: epoch {found.best}": (found.best, charts.PREDICTED)})
            charts.show(figure, f"history-{kind}", f"{kind.capitalize()} of training and validation by epoch")
    join = ""
    if found.joins:
        join = (
            " At a dotted line, another training run continued from the best weights so far; epochs after them are "
            "left out."
        )
    views.caption(
        f"**The weights are those of epoch {found.best},** the best on the validation set.{join} Training accuracy is "
        "measured on augmented images with dropout, so it can be lower. The test curve was not used for any choice."
    )
