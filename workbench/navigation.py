"""The table of pages: file, title, section, and what of the toolbar each uses. Add a line to add a page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from models.paths import SHIPPED

FOLDER = SHIPPED / "pages"

PAGES = (
    # file, title, section, parts of the toolbar that the page uses
    ("explain.py", "Explain", "Analyze", ("network", "face")),
    ("compare.py", "Compare", "Analyze", ("network", "face")),
    ("attention.py", "Attention", "Analyze", ("network", "face")),
    ("frequency.py", "Frequency", "Analyze", ("network", "face")),
    ("svd.py", "SVD", "Analyze", ("network", "face")),
    ("robustness.py", "Robustness", "Analyze", ("network", "face")),
    ("video.py", "Video", "Analyze", ("network",)),
    ("metrics.py", "Metrics", "Evaluate", ()),
    ("dataset.py", "Dataset", "Evaluate", ("face",)),
    ("papers.py", "Papers", "Evaluate", ()),
    ("train.py", "Train", "Train", ()),
    ("lessons.py", "Lessons", "Teach", ("network", "face")),
    ("debug_challenge.py", "Debug challenge", "Teach", ("network", "face")),
    ("share.py", "Share", "Share", ()),
    ("about.py", "About", "Share", ()),
)
MOVED = {"data": "dataset.py", "learn": "lessons.py", "fault": "debug_challenge.py"}
"""Former names of pages in URLs; a link with one of them opens the page with the same query parameters."""
SECTIONS = tuple(dict.fromkeys(section for _, _, section, _ in PAGES))


def names() -> list[str]:
    """URL path of each page, with former names; that of the first is `/` too."""
    return [*(Path(file).stem for file, *_ in PAGES), *MOVED]


def navigate():
    """Build the menu and return the chosen page; the first of the table is the default."""
    sections: dict[str, list] = {}
    for i, (file, title, section, _) in enumerate(PAGES):
        sections.setdefault(section, []).append(st.Page(FOLDER / file, title=title, default=i == 0))
    sections[SECTIONS[-1]] += [
        st.Page(partial(_lead_to, file), title=name, url_path=name, visibility="hidden") for name, file in MOVED.items()
    ]
    page = st.navigation(sections, position="sidebar", expanded=True)
    if page.title in MOVED:
        page.run()  # switches to the current page and ends this run
    return page


def _lead_to(file: str) -> None:
    st.switch_page(FOLDER / file, query_params={key: st.query_params.get_all(key) for key in st.query_params})


def used(title: str) -> tuple[str, ...]:
    """The parts of the toolbar that a page uses: "network", "face", both or none."""
    return next(uses for _, other, _, uses in PAGES if other == title)
