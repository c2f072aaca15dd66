"""The confusion matrix on the page Metrics: click a cell, and see what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from models.text import counted, thousands
from workbench import services
from workbench.services.metrics.confusion import Cell, CellImage
from workbench.services.metrics.evaluation import Scores

from . import charts, page_content, url_state, views
from .exclusions import put_on_list

_A_PAGE = 12  # images
_SIDE = 112  # of an image on the page, in pixels
_ENLARGED = 3  # times, every pixel a square
_CHART = "confusion"
_TEST_IMAGES = (
    "More than half of the annotators chose another class than the label. A training run leaves an image on its list "
    "out of its training set only; validation and test sets keep it. With the official split the list changes nothing "
    "for these images, with a split that trains on them it does."
)


@page_content.fragment
def confusion(among: Mapping[str, Scores], part: str, subset: str) -> None:
    """Draw the confusion matrix of a checkpoint, the choice of a cell by click or by name, and its images."""
    left, right = st.columns([3, 2])
    with right:
        titles = services.networks.titles(among)
        found = among[url_state.choose_by_name("Checkpoint", titles, next(iter(among)), "detail")]
        title = titles[found.name]
        classes = found.card.classes
        label, predicted = _chosen(found)
        row, column = st.columns(2)
        label = row.selectbox("Label", classes, classes.index(label), key="label", bind="query-params")
        predicted = column.selectbox(
            "Predicted class", classes, classes.index(predicted), key="predicted", bind="query-params"
        )
        cell = services.metrics.confusion.cell(found.name, label, predicted, part, subset)
        _summary(cell, found)
    with left:
        figure = charts.confusion(found.confusion, classes, (label, predicted))
        charts.show_to_click(figure, _CHART, f"Confusion matrix of {title}", _clicked)
        views.caption(
            f"**{title}: labels in rows, predicted classes in columns;** color: share of the row. Click a cell "
            "or choose it here to see its images."
        )
    _inside(cell, found)


def _chosen(found: Scores) -> tuple[str, str]:
    """The default label and predicted class: the most frequent confusion; resets a choice that the network lacks."""
    classes = found.card.classes
    wrong = found.confusion.clone().fill_diagonal_(0)
    row, column = divmod(int(wrong.argmax()), len(classes))
    for key, default in (("label", classes[row]), ("predicted", classes[column])):
        if st.session_state.get(key) is not None and st.session_state[key] not in classes:
            st.session_state[key] = default
    return classes[row], classes[column]


def _clicked() -> None:
    points = st.session_state[_CHART]["selection"]["points"]
    if points:
        st.session_state["label"], st.session_state["predicted"] = points[0]["customdata"][:2]


def _summary(cell: Cell, found: Scores) -> None:
    """Draw how many images the cell has, by agreement of annotators."""
    n, row = len(cell.images), found.support[cell.label]
    st.markdown(
        f"**Of {thousands(row)} images labeled {cell.label}, {thousands(n)} are predicted as {cell.predicted}.**"
    )
    lines = [
        f"- **{kind[0].upper()}{kind[1:]}: {counted(count, 'image')}**{_because(cell, kind)}"
        for kind, count in cell.counts.items()
    ]
    views.caption("\n".join(lines) or "The cell is empty.")
    st.caption("Annotators: ten FER+ votes per image. Labels: FER2013. Both can be wrong.")


def _because(cell: Cell, kind: str) -> str:
    return f": {cell.verdicts[kind]}" if kind in cell.verdicts else ""


def _inside(cell: Cell, found: Scores) -> None:
    """Draw the images of one kind, if a dataset that has them is imported, and all ids."""
    if not cell.images:
        return
    kinds = list(cell.counts)
    if st.session_state.get("kind") not in kinds:
        st.session_state.pop("kind", None)
    kind = st.segmented_control("Images where", kinds, default=kinds[0], required=True, key="kind")
    chosen = cell.of(kind)
    pages = -(-len(chosen) // _A_PAGE)
    page = 1
    if pages > 1:
        page = st.number_input(
            f"Page (1 to {pages})", 1, pages, key=f"page-{cell.label}-{cell.predicted}-{kind}", width=180
        )
    some = chosen[(page - 1) * _A_PAGE : page * _A_PAGE]
    name, images = services.metrics.confusion.thumbnails([image.id for image in some])
    if images:
        _pictures(some, name, images, found)
    else:
        st.info(
            "FER2013 is not imported here, so only IDs and votes can be shown, no images. Import it on "
            "the page Dataset."
        )
    with st.expander(f"{counted(len(cell.images), 'image')} in this cell, with IDs and votes", expanded=not images):
        if kind in services.metrics.confusion.AGAINST_LABEL:
            reason = f"labeled {cell.label}, predicted as {cell.predicted} by {found.name}, where {kind}"
            put_on_list([image.id for image in chosen], reason[:200], "confusion", "image")
            views.caption(_TEST_IMAGES)
        _ids(cell.images)


def _pictures(some: Sequence[CellImage], set_: str, images: dict[str, np.ndarray], found: Scores) -> None:
    """Draw images with the votes, most confident first, each with a link to the page Explain."""
    with st.container(horizontal=True):
        for picture in some:
            cell = st.container(width=_SIDE, gap="xsmall")
            big = images[picture.id].repeat(_ENLARGED, 0).repeat(_ENLARGED, 1)
            cell.image(big, width=_SIDE, alt=f"Test image {picture.id}: {picture.votes_text}")
            cell.markdown(
                f"{picture.votes_text}  \nconfidence {charts.percent(picture.confidence)}  \n"
                f"[Explain]({link_to(set_, picture.id, found.name)})"
            )
    views.caption(
        "Most confident predictions first, with the annotators' votes. Your own impression is one more vote, not the "
        "ground truth."
    )


def link_to(set_: str, id_: str, network: str) -> str:
    """A link to the page Explain with a face of a dataset, and with the network if the toolbar has it."""
    known = (
        {"network": network}
        if network in (*services.networks.network_names(), *services.networks.checkpoint_names())
        else {}
    )
    return "./?" + urlencode({"set": set_, "face": id_, **known})


def _ids(pictures: Sequence[CellImage]) -> None:
    st.dataframe(
        {
            "id": [p.id for p in pictures],
            "file": [p.name for p in pictures],
            "network": [round(100 * p.confidence, 1) for p in pictures],
            "annotators": [p.votes_text for p in pictures],
            "kind": [p.verdict for p in pictures],
        },
        column_config={"network": st.column_config.NumberColumn("probability, %")},
        hide_index=True,
    )
