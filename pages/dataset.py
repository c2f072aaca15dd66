"""Dataset: classes, duplicates, leakage, splits, augmentation and class weighting."""

import streamlit as st

from workbench import services
from workbench.ui import dataset, views

views.title("Dataset", "What were the networks trained on, and what is wrong with it?")
found = dataset.choose()
dataset.classes(found)

if found.brightness:
    st.subheader("How bright are the pictures?")
    dataset.brightness(found)

if services.dataset.contents.has_pictures(found.name):
    st.subheader("What do they look like?")
    dataset.samples(found)

if found.name == services.dataset.contents.FER2013:
    st.subheader("Do people agree with the labels?")
    dataset.raters(*services.metrics.annotators.raters_view())

st.subheader("What is wrong with it?")
dataset.audit(found)
with st.expander("Splits by name: which pictures train, choose and test"):
    dataset.splits()

st.subheader("What does augmentation make of a face?")
dataset.augmentation()

st.subheader("Who gets the loss?")
dataset.weights(found, services.dataset.class_imbalance.weightings(found))

with views.computed(
    "workbench.services.dataset.contents:contents",
    "models.datasets.duplicates:near_pairs",
    "models.datasets.audit:audit",
    "models.datasets.sampling:class_weights",
    "models.datasets.sampling:inverse_weights",
):
    st.markdown("*Inverse* weight of a class with $n_c$ of $N$ pictures, in $K$ classes, and its share of the loss:")
    st.latex(r"w_c = \frac{N}{K\,n_c}, \qquad s_c = \frac{w_c\,n_c}{\sum_k w_k\,n_k}")
    st.markdown(
        "Copies have the same SHA-256 of their pixels. Near copies differ in at most 8 of 63 bits of a perceptual hash "
        "(signs of the slow waves of the cosine transform, against their median), and their gray values correlate with "
        "at least 0.9. The raters' majority is an answer with more than half of FER+'s ten votes (Barsoum et al. 2016)."
    )
