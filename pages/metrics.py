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


HOW = {
    "Overview": (
        """
With $c_{ij}$ images of class $i$ predicted as $j$, and $N$ images in total, recall and precision are:

$$
r_k = \\frac{c_{kk}}{\\sum_j c_{kj}}, \\qquad p_k = \\frac{c_{kk}}{\\sum_i c_{ik}}
$$

$$
\\text{balanced accuracy} = \\frac1K\\sum_k r_k, \\qquad
\\text{macro F1} = \\frac1K\\sum_k\\frac{2\\,p_k r_k}{p_k+r_k}
$$

$$
\\kappa = \\frac{a-e}{1-e}, \\qquad a = \\sum_k \\frac{c_{kk}}{N}, \\qquad
e = \\sum_k \\frac{\\sum_j c_{kj}\\,\\sum_i c_{ik}}{N^2}
$$

Intervals: Wilson for shares, else percentile bootstrap (Efron 1979), 1 000 draws stratified by class.
""",
        "workbench.services.metrics.evaluation:scores",
        "models.metrics:measure",
        "models.metrics:bootstrap",
        "workbench.services.metrics.evaluation:_chance",
    ),
    "Confusion matrix": (
        "Cell $(i, j)$ counts the images of label $i$ predicted as $j$; its color is the share of row $i$. The images "
        "of a cell are grouped by the majority of FER+'s ten votes (Barsoum et al. 2016).",
        "workbench.services.metrics.confusion:cell",
    ),
    "Calibration": (
        """
Calibration error over bins $b$ of confidence with $n_b$ of $N$ predictions (Guo et al. 2017, section 2):

$$
\\mathrm{ECE} = \\sum_b \\frac{n_b}{N}\\,\\big|\\mathrm{accuracy}_b - \\mathrm{confidence}_b\\big|
$$

Temperature scaling divides the logits by one number $T$, which minimizes the cross-entropy on PublicTest. The
risk–coverage curve is the share of errors among the most confident predictions.
""",
        "models.calibration:reliability",
        "models.calibration:fit_temperature",
        "models.calibration:risk_coverage",
    ),
    "Curves": (
        "Accuracy and loss as the training run recorded them after each epoch; nothing is computed again here.",
        "workbench.services.metrics.training_curves:history",
    ),
    "Mean maps": (
        "For each image the Grad-CAM $L$ of its predicted class, divided by its maximum; then mean and standard "
        "deviation over the images that are predicted as the class, correctly or wrongly.",
        "workbench.analysis.mean_maps:mean_maps",
    ),
    "Embedding": (
        "Features before the last layer, projected to principal components of the training set; then the first two, or "
        "t-SNE of all of them (van der Maaten and Hinton 2008).",
        "workbench.surveys.features:survey_features",
        "workbench.services.metrics.test_set_views:embedding",
    ),
    "Groups": (
        "Accuracy and recall of each group with Wilson intervals. Whether the largest difference could be chance: "
        "chi-square or permutation test.",
        "models.subgroups:subgroups",
    ),
    "Leakage": (
        "Accuracy on the test images without those that are in the training set too, and on these alone, with Wilson "
        "intervals.",
        "workbench.services.metrics.paired_tests:leak_effects",
    ),
    "Significance": (
        "McNemar's test (1947): of $n$ images that exactly one of two networks classifies correctly, the first is "
        "correct on $x$; if both were equally accurate, $x$ would be binomial with $p = 1/2$. Intervals: percentile "
        "bootstrap (Efron 1979), 1 000 draws stratified by class.",
        "workbench.services.metrics.paired_tests:pair",
    ),
}

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
