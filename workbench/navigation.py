"""The one table of pages: file, title, section. Adding a page is adding a line."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).resolve().parents[1] / "pages"

PAGES = (
    # file, title, section
    ("explain.py", "Explain", "One face"),
    ("compare.py", "Compare", "One face"),
    ("attention.py", "Attention", "One face"),
    ("frequency.py", "Frequency", "One face"),
    ("svd.py", "SVD", "One face"),
    ("robustness.py", "Robustness", "One face"),
    ("metrics.py", "Metrics", "Networks"),
    ("data.py", "Data", "Networks"),
    ("papers.py", "Papers", "Networks"),
    ("learn.py", "Learn", "Class"),
    ("fault.py", "Find the fault", "Class"),
    ("share.py", "Share", "Class"),
    ("about.py", "About", "FERScope"),
)


def names() -> list[str]:
    """What each page but the first is called in the address."""
    return [Path(file).stem for file, _, _ in PAGES[1:]]


def navigate():
    """Build the menu and return the page that the visitor chose; the first of the table is the start."""
    sections: dict[str, list] = {}
    for i, (file, title, section) in enumerate(PAGES):
        sections.setdefault(section, []).append(st.Page(FOLDER / file, title=title, default=i == 0))
    return st.navigation(sections, position="top")
