"""Metrics: evaluation of the networks on the test set."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.ui import confusion, metrics, page_content, state, subgroups, test_set_views, url_state, views
from workbench.ui.how_computed.metrics import HOW

views.title("Metrics", "How accurate are the networks on the test set?")


@page_content.fragment
def main() -> None:
    chosen = metrics.choose_or_stop()
    sections = {
        "Overview": overview,
        "Confusion matrix": matrix,
        "Calibration": calibration,
        "Curves": curves,
        "Mean maps": mean_maps,
        "Embedding": embedding,
        "Groups": groups,
        "Leakage": leakage,
        "Significance": significance,
    }
    views.tabs(
        {title: partial(draw, chosen) for title, draw in sections.items()},
        {
            "label": "Confusion matrix",
            "predicted": "Confusion matrix",
            "first": "Significance",
            "second": "Significance",
        },
        HOW,
    )


def overview(chosen: metrics.Chosen) -> None:
    by_title = {chosen.titles[name]: scores for name, scores in chosen.found.items()}
    metrics.classes(by_title)
    metrics.table(by_title, chosen.part)
    views.folded("Spread of per-class recall", "spread-open", partial(metrics.spread, by_title))


def detail(chosen: metrics.Chosen) -> str:
    return url_state.choose_by_name(
        "Checkpoint", chosen.titles, next(iter(chosen.found)), "detail", st.columns([2, 3])[0]
    )


def matrix(chosen: metrics.Chosen) -> None:
    confusion.confusion(chosen.found, chosen.part, chosen.subset)


def calibration(chosen: metrics.Chosen) -> None:
    metrics.reliability(services.metrics.calibration.of(detail(chosen), chosen.part, chosen.subset))
    st.header("Risk–coverage curve")
    metrics.risk(chosen.titles, chosen.part, chosen.subset)


def curves(chosen: metrics.Chosen) -> None:
    if trained := metrics.or_warning(services.metrics.training_curves.history, detail(chosen)):
        metrics.training(trained)


def groups(chosen: metrics.Chosen) -> None:
    subgroups.subgroups(detail(chosen), chosen.part, chosen.subset)


def leakage(chosen: metrics.Chosen) -> None:
    metrics.leaks(chosen.titles, chosen.part)


def significance(chosen: metrics.Chosen) -> None:
    known = services.networks.titles(services.metrics.evaluation.checkpoints())
    left, right = st.columns(2)
    first = url_state.choose_by_name("First checkpoint", known, next(iter(known)), "first", left)
    second = url_state.choose_by_name("Second checkpoint", known, [*known][:2][-1], "second", right)
    if first == second:
        st.info("A checkpoint cannot be compared with itself. Choose another one.")
    elif compared := metrics.or_warning(services.metrics.paired_tests.pair, first, second, chosen.part, chosen.subset):
        metrics.pair(compared)
        found = services.metrics.paired_tests.disagreements(first, second, chosen.part, chosen.subset)
        test_set_views.disagreements(found, first, second)
        test_set_views.curves(first, second)


def mean_maps(chosen: metrics.Chosen) -> None:
    test_set_views.mean_maps(list(chosen.found))


@page_content.fragment
def embedding(chosen: metrics.Chosen) -> None:
    test_set_views.embedding(detail(chosen), state.face())


main()
