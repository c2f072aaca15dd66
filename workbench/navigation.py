"""The one table of pages: file, title, section, and what each uses of the sidebar. Adding a page is adding a line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).resolve().parents[1] / "pages"

PAGES = (
    # file, title, section, what the page asks of the sidebar
    ("explain.py", "Explain", "One face", ("network", "face")),
    ("compare.py", "Compare", "One face", ("network", "face")),
    ("attention.py", "Attention", "One face", ("network", "face")),
    ("frequency.py", "Frequency", "One face", ("network", "face")),
    ("svd.py", "SVD", "One face", ("network", "face")),
    ("robustness.py", "Robustness", "One face", ("network", "face")),
    ("metrics.py", "Metrics", "Networks", ()),
    ("dataset.py", "Data", "Networks", ("face",)),
    ("papers.py", "Papers", "Networks", ()),
    ("train.py", "Train", "Networks", ()),
    ("lessons.py", "Learn", "Class", ("network", "face")),
    ("debug_challenge.py", "Find the fault", "Class", ("network", "face")),
    ("share.py", "Share", "Class", ()),
    ("about.py", "About", "FERScope", ()),
)
MOVED = {"data": "dataset.py", "learn": "lessons.py", "fault": "debug_challenge.py"}
"""Earlier names of pages in the address, in links that were shared; each leads to its page with what the link says."""
SECTIONS = tuple(dict.fromkeys(section for _, _, section, _ in PAGES))


def names() -> list[str]:
    """What each page but the first is called in the address."""
    return [*(Path(file).stem for file, *_ in PAGES[1:]), *MOVED]


def navigate():
    """Build the menu and return the page that the visitor chose; the first of the table is the start."""
    sections: dict[str, list] = {}
    for i, (file, title, section, _) in enumerate(PAGES):
        sections.setdefault(section, []).append(st.Page(FOLDER / file, title=title, default=i == 0))
    sections[SECTIONS[-1]] += [
        st.Page(partial(_lead_to, file), title=name, url_path=name, visibility="hidden") for name, file in MOVED.items()
    ]
    page = st.navigation(sections, position="top", expanded=True)
    if page.title in MOVED:
        page.run()  # which ends here: the page that it leads to begins
    st.html(_MARK.format(place=1 + SECTIONS.index(section_of(page.title)), title=page.title))
    return page


def _lead_to(file: str) -> None:
    st.switch_page(FOLDER / file, query_params={key: st.query_params.get_all(key) for key in st.query_params})


# The menu at the top opens on a click; closed, it would not say where one is.
_MARK = """<style>[data-testid="stTopNav"] > div:nth-child({place}) {{
border-bottom: 3px solid light-dark(#12504B, #99F2DC)}}
[data-testid="stTopNav"] > div:nth-child({place}) p::after {{content: " · {title}"; font-weight: 700}}</style>"""


def section_of(title: str) -> str:
    """The section of the menu in which a page stands."""
    return next(section for _, other, section, _ in PAGES if other == title)


def used(title: str) -> tuple[str, ...]:
    """What a page uses of the sidebar: "network", "face", both or nothing."""
    return next(uses for _, other, _, uses in PAGES if other == title)
