"""Metrics: evaluation of the networks on the test set."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.ui import confusion, metrics, page_content, state, subgroups, test_set_views, url_state, views
from workbench.ui.how_computed.metrics import HOW

views.title("Metrics", "How accurate are the networks on the test set?")
names, part, subset = metrics.choose()
found = metrics.scores_or_stop(names, part, subset)
names = list(found)
titles = services.networks.titles(names)


def overview() -> None:
    by_title = {titles[name]: scores for name, scores in found.items()}
    metrics.classes(by_title)
    metrics.table(by_title, part)
    views.folded("Spread of per-class recall", "spread-open", partial(metrics.spread, by_title))


def detail() -> str:
    return url_state.choose_by_name("Checkpoint", titles, names[0], "detail", st.columns([2, 3])[0])


def matrix() -> None:
    confusion.confusion(found, part, subset)


def calibration() -> None:
    metrics.reliability(services.metrics.calibration.of(detail(), part, subset))
    st.header("Risk–coverage curve")
    metrics.risk(titles, part, subset)


def curves() -> None:
    if trained := metrics.or_warning(services.metrics.training_curves.history, detail()):
        metrics.training(trained)


def groups() -> None:
    subgroups.subgroups(detail(), part, subset)


def leakage() -> None:
    metrics.leaks(titles, part)


def significance() -> None:
    known = services.networks.titles(services.metrics.evaluation.checkpoints())
    left, right = st.columns(2)
    first = url_state.choose_by_name("First checkpoint", known, next(iter(known)), "first", left)
    second = url_state.choose_by_name("Second checkpoint", known, [*known][:2][-1], "second", right)
    if first == second:
        st.info("A checkpoint cannot be compared with itself. Choose another one.")
    elif compared := metrics.or_warning(services.metrics.paired_tests.pair, first, second, part, subset):
        metrics.pair(compared)
        found = services.metrics.paired_tests.disagreements(first, second, part, subset)
        test_set_views.disagreements(found, first, second)
        test_set_views.curves(first, second)


def mean_maps() -> None:
    test_set_views.mean_maps(names)


@page_content.fragment
def embedding() -> None:
    test_set_views.embedding(detail(), state.face())


views.tabs(
    {
        "Overview": overview,
        "Confusion matrix": matrix,
        "Calibration": calibration,
        "Curves": curves,
        "Mean maps": mean_maps,
        "Embedding": embedding,
        "Groups": groups,
        "Leakage": leakage,
        "Significance": significance,
    },
    {"label": "Confusion matrix", "predicted": "Confusion matrix", "first": "Significance", "second": "Significance"},
    HOW,
)
