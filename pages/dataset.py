"""Dataset: classes, duplicates, leakage, splits, augmentation and class weighting."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.ui import dataset, label_noise, views
from workbench.ui.how_computed.dataset import HOW

views.title("Dataset", "What were the networks trained on, and what is wrong with it?")
found = dataset.choose()


def classes() -> None:
    dataset.classes(found)
    if services.dataset.contents.has_images(found.name):
        st.header("Samples")
        dataset.samples(found)
    if found.brightness:
        views.folded("Brightness", "brightness-open", partial(dataset.brightness, found))


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
