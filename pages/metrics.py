"""Metrics: evaluation of the networks on the test set."""

import streamlit as st

from workbench import services
from workbench.ui import confusion, metrics, page_content, views

views.title("Metrics", "How accurate are the networks on the test set?")
names, part, pictures = metrics.choose()
found = metrics.scores_or_stop(names, part, pictures)
names = list(found)
metrics.classes(found)

st.subheader("How good is it in numbers?")
metrics.table(found, part)

st.subheader("How unequal are the classes?")
metrics.spread(found)


@page_content.fragment
def detail() -> None:
    left, _ = st.columns([2, 3])
    name = left.selectbox("Checkpoint in detail", names, key="detail", bind="query-params")
    st.subheader("Which classes does it take for each other?")
    confusion.confusion(found[name], part, pictures)
    st.subheader("Can its probabilities be believed?")
    metrics.reliability(services.metrics.evaluation.calibration(name, part, pictures))
    st.subheader("How did its training go?")
    if trained := metrics.or_warning(services.metrics.training_curves.history, name):
        metrics.training(trained)


detail()
st.subheader("How many errors stay, where only the surest answers count?")
metrics.risk(names, part, pictures)

st.subheader("What are the leaked test pictures worth?")
metrics.leaks(names, part)


@page_content.fragment
def pair() -> None:
    st.subheader("Is one better than the other, or luckier?")
    known = services.metrics.evaluation.checkpoints()
    left, right = st.columns(2)
    first = left.selectbox("First", known, key="first", bind="query-params")
    second = right.selectbox("Second", known, min(1, len(known) - 1), key="second", bind="query-params")
    if first == second:
        st.info("A network cannot be compared with itself. Choose another one.")
    elif compared := metrics.or_warning(services.metrics.paired_tests.pair, first, second, part, pictures):
        metrics.pair(compared)


pair()
with views.computed(
    "workbench.services.metrics.evaluation:scores",
    "workbench.services.metrics.evaluation:_drawn",
    "workbench.services.metrics.evaluation:_chance",
    "workbench.services.metrics.paired_tests:pair",
    "models.metrics:measure",
    "models.calibration:reliability",
    "models.calibration:risk_coverage",
):
    st.markdown(
        "With $c_{ij}$ pictures of class $i$ that are called $j$, and $N$ pictures in all; recall and precision of $k$:"
    )
    st.latex(r"r_k = \frac{c_{kk}}{\sum_j c_{kj}}, \qquad p_k = \frac{c_{kk}}{\sum_i c_{ik}}")
    st.latex(r"\text{balanced accuracy} = \frac1K\sum_k r_k")
    st.latex(r"\text{macro F1} = \frac1K\sum_k\frac{2\,p_k r_k}{p_k+r_k}")
    st.latex(
        r"\kappa = \frac{a-e}{1-e}, \qquad a = \sum_k \frac{c_{kk}}{N}, \qquad"
        r" e = \sum_k \frac{\sum_j c_{kj}\,\sum_i c_{ik}}{N^2}"
    )
    st.markdown("Calibration error over bins $b$ of confidence, with $n_b$ answers each (Guo et al. 2017, section 2):")
    st.latex(r"\mathrm{ECE} = \sum_b \frac{n_b}{N}\,\big|\mathrm{accuracy}_b - \mathrm{confidence}_b\big|")
    st.markdown(
        "McNemar's test (1947): of $n$ pictures that one of two networks gets right and the other wrong, $x$ fall to "
        "the first; were both equally good, $x$ would be binomial with one half. Shares have Wilson's interval, the "
        "other measures that of the percentile bootstrap (Efron 1979): 1 000 draws, each class keeping its size."
    )
