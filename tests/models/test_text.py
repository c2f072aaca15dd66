"""Numbers with their words."""

import pytest

from models.text import counted, percentage, signed, thousands


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (thousands(28709), "28\u202f709"),
        (counted(1, "image"), "1 image"),
        (counted(2, "copy is", "copies are"), "2 copies are"),
        (signed(-0.9, 2), "\N{MINUS SIGN}0.90"),
        (percentage(0.69), "69.0\N{NO-BREAK SPACE}%"),
        (percentage(-0.013), "\N{MINUS SIGN}1.3\N{NO-BREAK SPACE}%"),
        (percentage(0.725, 0), "72\N{NO-BREAK SPACE}%"),
    ],
)
def test_a_number_is_written_with_its_words_and_signs(given, text):
    assert given == text
