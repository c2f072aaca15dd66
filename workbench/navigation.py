"""The one table of pages: file, title, section, and what each uses of the sidebar. Adding a page is adding a line."""

from __future__ import annotations

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
    ("data.py", "Data", "Networks", ("face",)),
    ("papers.py", "Papers", "Networks", ()),
    ("train.py", "Train", "Networks", ()),
    ("learn.py", "Learn", "Class", ("network", "face")),
    ("fault.py", "Find the fault", "Class", ("network", "face")),
    ("share.py", "Share", "Class", ()),
    ("about.py", "About", "FERScope", ()),
)
SECTIONS = tuple(dict.fromkeys(section for _, _, section, _ in PAGES))


def names() -> list[str]:
    """What each page but the first is called in the address."""
    return [Path(file).stem for file, *_ in PAGES[1:]]


def navigate():
    """Build the menu and return the page that the visitor chose; the first of the table is the start."""
    sections: dict[str, list] = {}
    for i, (file, title, section, _) in enumerate(PAGES):
        sections.setdefault(section, []).append(st.Page(FOLDER / file, title=title, default=i == 0))
    page = st.navigation(sections, position="top", expanded=True)
    st.html(_MARK.format(place=1 + SECTIONS.index(section_of(page.title)), title=page.title))
    return page


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
