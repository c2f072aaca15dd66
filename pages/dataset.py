"""Dataset: classes, duplicates, leakage, splits, augmentation and class weighting."""

import streamlit as st

from workbench import services
from workbench.ui import dataset, label_noise, views

views.title("Dataset", "What were the networks trained on, and what is wrong with it?")
found = dataset.choose()


def classes() -> None:
    dataset.classes(found)
    if services.dataset.contents.has_images(found.name):
        st.header("Samples")
        dataset.samples(found)
    if found.brightness:
        with st.expander("Brightness"):
            dataset.brightness(found)


def labels() -> None:
    if found.name == services.dataset.contents.FER2013:
        dataset.annotators(*services.metrics.annotators.annotator_agreement())
    else:
        st.info("Annotator votes are known for FER2013 only. Choose it above.")
    st.header("Likely wrong labels")
    label_noise.label_noise(found)


def leakage() -> None:
    dataset.audit(found)
    with st.expander("Named splits: training, validation and test sets"):
        dataset.splits()


def weights() -> None:
    dataset.weights(found, services.dataset.class_imbalance.weightings(found))


HOW = {
    "Classes": ("The images of each class and split are counted.", "workbench.services.dataset.contents:contents"),
    "Labels": (
        "A majority is more than half of FER+'s ten votes (Barsoum et al. 2016). A label is likely wrong where "
        "networks that were not trained on the image give another class a much higher probability: confident learning "
        "(Northcutt et al. 2021).",
        "workbench.services.metrics.annotators:annotator_agreement",
        "models.label_noise:find_label_noise",
    ),
    "Leakage": (
        "Duplicates have the same SHA-256 hash of their pixels. Near-duplicates differ in at most 8 of 63 bits of a "
        "perceptual hash (low frequencies of the cosine transform, compared with their median), and their gray values "
        "correlate with at least 0.9.",
        "models.datasets.duplicates:near_pairs",
        "models.datasets.audit:audit",
    ),
    "Augmentation": (
        "Each version draws the steps of the augmentation anew, with the random seed of its row.",
        "workbench.services.dataset.class_imbalance:changed",
    ),
    "Weights": (
        """
*Inverse* weight of a class with $n_c$ of $N$ images and $K$ classes, and its share of the loss:

$$
w_c = \\frac{N}{K\\,n_c}, \\qquad s_c = \\frac{w_c\\,n_c}{\\sum_k w_k\\,n_k}
$$
""",
        "models.datasets.sampling:class_weights",
        "models.datasets.sampling:inverse_weights",
    ),
}

views.tabs(
    {
        "Classes": classes,
        "Labels": labels,
        "Leakage": leakage,
        "Augmentation": dataset.augmentation,
        "Weights": weights,
    },
    {"augmentation": "Augmentation"},
    HOW,
)
