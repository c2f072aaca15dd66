"""Metrics: evaluation of the networks on the test set."""

import streamlit as st

from workbench import services
from workbench.ui import confusion, metrics, page_content, state, subgroups, test_set_views, url_state, views

views.title("Metrics", "How accurate are the networks on the test set?")
names, part, subset = metrics.choose()
found = metrics.scores_or_stop(names, part, subset)
names = list(found)
titles = services.networks.titles(names)


def overview() -> None:
    by_title = {titles[name]: scores for name, scores in found.items()}
    metrics.classes(by_title)
    metrics.table(by_title, part)
    with st.expander("Spread of per-class recall"):
        metrics.spread(by_title)


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
)
with views.computed(
    "workbench.services.metrics.evaluation:scores",
    "models.metrics:bootstrap",
    "workbench.services.metrics.evaluation:_chance",
    "workbench.services.metrics.paired_tests:pair",
    "models.metrics:measure",
    "models.calibration:reliability",
    "models.calibration:risk_coverage",
    "models.subgroups:subgroups",
):
    st.markdown(
        "With $c_{ij}$ images of class $i$ predicted as $j$, and $N$ images in total, recall and precision are:"
    )
    st.latex(r"r_k = \frac{c_{kk}}{\sum_j c_{kj}}, \qquad p_k = \frac{c_{kk}}{\sum_i c_{ik}}")
    st.latex(r"\text{balanced accuracy} = \frac1K\sum_k r_k")
    st.latex(r"\text{macro F1} = \frac1K\sum_k\frac{2\,p_k r_k}{p_k+r_k}")
    st.latex(
        r"\kappa = \frac{a-e}{1-e}, \qquad a = \sum_k \frac{c_{kk}}{N}, \qquad"
        r" e = \sum_k \frac{\sum_j c_{kj}\,\sum_i c_{ik}}{N^2}"
    )
    st.markdown("Calibration error over bins $b$ of confidence with $n_b$ predictions (Guo et al. 2017, section 2):")
    st.latex(r"\mathrm{ECE} = \sum_b \frac{n_b}{N}\,\big|\mathrm{accuracy}_b - \mathrm{confidence}_b\big|")
    st.markdown(
        "McNemar's test (1947): of $n$ images that exactly one of two networks classifies correctly, the first is "
        "correct on $x$; if both were equally accurate, $x$ would be binomial with $p = 1/2$. Intervals: Wilson for "
        "shares, else percentile bootstrap (Efron 1979), 1 000 draws stratified by class."
    )
