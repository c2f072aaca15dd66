"""Labels that are likely wrong, on the page Dataset: a list with images, to be marked for an exclusion list."""

from __future__ import annotations

import numpy as np
import streamlit as st

from models.datasets import DataError, ferplus
from models.datasets.exclusion import hash_of
from models.label_noise import LabelNoise
from workbench import services
from workbench.services.dataset import exclusions
from workbench.services.dataset.contents import Contents

from . import page_content, views
from .exclusions import put_on_list

_A_PAGE = 12  # images
_SIDE = 112  # of an image on the page, in pixels
_ENLARGED = 3  # times, every pixel a square
_LISTED = 100
_REASON = "likely wrong labels, marked on the page Dataset"


@page_content.fragment
def label_noise(found: Contents) -> None:
    """Draw the most suspicious labels, found after a click, with their precision against FER+ and chance."""
    if not services.dataset.label_noise.is_known(found.name):
        container = st.empty()
        if not container.button("Find labels that are likely wrong", key="label-noise"):
            st.caption("Compares the labels with probabilities of networks that were not trained on the images.")
            return
        container.empty()
    try:
        with st.spinner("Ranking the labels"):
            noise = services.dataset.label_noise.label_noise(found.name)
    except DataError as error:
        st.info(str(error))
        return
    views.caption("\n".join(f"- {line}" for line in noise.sentences()))
    pages = -(-min(len(noise), _LISTED) // _A_PAGE)
    page = (
        st.number_input(f"Page (1 to {pages})", 1, pages, key=f"noise-page-{found.name}", width=180) if pages > 1 else 1
    )
    rows = range((page - 1) * _A_PAGE, min(page * _A_PAGE, len(noise)))
    marked = _images(noise, rows, found.name)
    left, right = st.columns(2)
    with left:
        put_on_list(marked, _REASON, "noise-marked", "marked image")
    with right:
        put_on_list(noise.ids[noise.likely_wrong].tolist(), _REASON, "noise-all", "likely wrong label")
    views.caption(
        "**Most suspicious labels first** (low quality: another class is far more probable). Unusual images are not "
        "always wrong: look at each."
    )
    with st.expander(f"The first {min(len(noise), _LISTED)} with IDs, quality and votes"):
        _table(noise, min(len(noise), _LISTED))


def _images(noise: LabelNoise, rows: range, name: str) -> list[str]:
    """Draw images with label, suggestion and votes, each with a box to mark it; the ids of those that are marked."""
    pictures = _pictures(name, noise.ids[rows.start : rows.stop])
    on = exclusions.lists_of(noise.ids[i] for i in rows)
    marked = []
    with st.container(horizontal=True):
        for i in rows:
            id_ = str(noise.ids[i])
            cell = st.container(width=_SIDE, gap="xsmall")
            if id_ in pictures:
                cell.image(
                    pictures[id_],
                    width=_SIDE,
                    alt=f"Image {id_}, labeled {noise.labels[i]}, suggested {noise.suggested[i]}",
                )
            lists = f"  \non {', '.join(on[id_])}" if on[id_] else ""
            cell.markdown(
                f"label {noise.labels[i]}  \n**{noise.suggested[i]}?**  \n{_votes(noise, i)}  \n"
                f"quality {noise.scores[i]:.2f}{lists}"
            )
            if cell.checkbox("mark", key=f"noise-mark-{hash_of(id_)}-{i}"):
                marked.append(id_)
    if not pictures:
        st.info(
            "FER2013 is not imported here, so only labels and votes can be shown, no images. Import it on "
            "the page Dataset."
        )
    return marked


def _pictures(name: str, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The images by id, enlarged; empty where the set is not imported."""
    if not services.dataset.contents.has_images(name):
        return {}
    faces = services.dataset.contents.images_of(name)
    chosen = np.flatnonzero(np.isin(faces.ids, ids))
    return {str(faces.ids[i]): faces.images[i].repeat(_ENLARGED, 0).repeat(_ENLARGED, 1) for i in chosen}


def _votes(noise: LabelNoise, i: int) -> str:
    return ferplus.in_words(noise.votes[i]) or "no votes known"


def _table(noise: LabelNoise, n: int) -> None:
    st.dataframe(
        {
            "id": noise.ids[:n],
            "file": noise.names[:n],
            "label": noise.labels[:n],
            "suggested": noise.suggested[:n],
            "quality": noise.scores[:n].round(3),
            "annotators": [_votes(noise, i) for i in range(n)],
        },
        hide_index=True,
    )
