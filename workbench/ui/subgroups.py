"""Metrics for groups of images on the page Metrics: the choice of a table, and what is measured for each group."""

from __future__ import annotations

import streamlit as st

from models.checkpoints import CheckpointError
from models.datasets import DataError
from models.datasets.groups import MOST_BYTES
from workbench import services
from workbench.server import access
from workbench.services.metrics.subgroups import SMALLEST, Subgroups

from . import charts, uploads, views

_DRAWN = 6  # groups in the chart; more are only in the table


def subgroups(name: str, part: str, subset: str) -> None:
    """Draw the choice of a table and its columns, and below it the metrics of each group."""
    if access.samples_only():
        return
    views.caption(
        "Is the network equally accurate for all groups of images? Give a CSV with a column that names the images (id, "
        f"path or name) and a column of groups; groups of fewer than {SMALLEST} images are hidden."
    )
    file = uploads.file_uploader("Table of groups (CSV)", type="csv", key="groups", max_upload_size=MOST_BYTES >> 20)
    if file is None:
        st.caption("Groups come from your table only: none are inferred from images. The table stays in memory.")
        return
    try:
        found = _chosen(name, file.getvalue(), part, subset)
    except (DataError, CheckpointError) as error:
        st.warning(str(error))
        return
    _chart(found)
    _table(found)
    views.caption("\n".join(f"- {sentence}" for sentence in found.sentences()))
    views.caption(
        "A difference can come from the images, the labels or the mix of classes of a group as well as from the "
        "network, and no difference here is no proof that there is none."
    )


def _chosen(name: str, table: bytes, part: str, subset: str) -> Subgroups:
    columns = services.metrics.subgroups.columns_of(table)
    left, right = st.columns(2)
    images = left.selectbox("Column of images", columns, columns.index(_first(columns)), key="groups-images")
    others = [column for column in columns if column != images]
    column = right.selectbox("Column of groups", others, key="groups-column")
    return services.metrics.subgroups.subgroups(name, table, column, images, part, subset)


def _first(columns: tuple[str, ...]) -> str:
    try:
        return services.metrics.subgroups.image_column(columns)
    except DataError:  # named otherwise: the visitor chooses
        return columns[0]


def _chart(found: Subgroups) -> None:
    drawn = {one.name: {"accuracy": one.accuracy} | dict(one.recall) for one in found.groups[:_DRAWN]}
    figure = charts.recall_bars(drawn)
    charts.show(figure, "subgroups", f"Accuracy and recall of each class by {found.column}")
    more = f" The {_DRAWN} largest of {len(found.groups)} groups." if len(found.groups) > _DRAWN else ""
    views.caption(f"**Accuracy, and recall of each class, by {found.column}** with 95 % intervals.{more}")


def _table(found: Subgroups) -> None:
    st.dataframe(
        {
            found.column: [one.name for one in found.groups],
            "images": [one.images for one in found.groups],
            "accuracy, % ↑": [charts.interval(one.accuracy) for one in found.groups],
            "balanced accuracy, % ↑": [round(100 * one.balanced_accuracy, 1) for one in found.groups],
            **{
                f"{class_}, recall %": [
                    f"{charts.interval(one.recall[class_])} of {one.support[class_]}" if class_ in one.recall else "–"
                    for one in found.groups
                ]
                for class_ in found.classes
            },
        },
        hide_index=True,
    )
