"""A table that somebody opens in a spreadsheet computes nothing that others wrote."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

from models.tables import as_text, write_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_a_text_that_begins_like_a_formula_is_kept_as_text(start):
    assert as_text(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    "cell", [-0.5, "-0.5", "+1", "-1e-05", "-.5", "5.", np.float32(-2), np.str_("-3"), None, "", "a=b", "happy"]
)
def test_numbers_and_plain_words_stay_as_they_are(cell):
    assert as_text(cell) is cell


def test_rows_come_back_from_a_csv():
    file = io.StringIO()
    write_rows(file, [("name", "value"), ("=1+1", -0.5), ('a "b", c', "-0.5")])
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ["name", "value"],
        ["'=1+1", "-0.5"],
        ['a "b", c', "-0.5"],
    ]


def test_every_csv_is_written_here():
    found = []
    for folder in ("models", "workbench", "pages", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if re.search(r"\bcsv\.(writer|DictWriter)\(|\.to_csv\(", path.read_text(encoding="utf-8")):
                found.append(str(path.relative_to(ROOT)))
    assert found == ["models/tables.py"]
