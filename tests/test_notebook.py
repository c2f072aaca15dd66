"""The notebook of docs/ runs from top to bottom in a kernel of its own, and no output of it is kept."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "everything.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_every_cell_runs_and_draws(notebook, monkeypatch):
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own, which keeps pictures
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=NOTEBOOK.parent)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) > 20


def test_no_output_is_kept_in_the_file():
    kept = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in kept.cells if cell.cell_type == "code")


def test_it_uses_no_streamlit():
    assert "streamlit" not in NOTEBOOK.read_text(encoding="utf-8")
