"""The history of a training run is read as it was written, and refused in words where it is damaged."""

from __future__ import annotations

import pytest
from helpers import histories

from models.training.history import FILE, read_history, write_history


def test_a_history_comes_back_with_six_digits(tmp_path):
    histories.put(tmp_path, 2, train_loss=[1.23456789, float("nan")], validation_loss=[float("inf"), 0.5])
    rows = read_history(tmp_path / FILE)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert (rows[0]["train_loss"], rows[0]["validation_loss"]) == (1.23457, float("inf"))
    assert rows[1]["train_loss"] != rows[1]["train_loss"], "a run that diverged says so"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"epoch", b"epcoh", "no column epoch"),
        (b",seconds", b"", "no column seconds"),
        (b",seconds", b",seconds,more", "more"),
        (b"\n1,", b"\none,", "epoch"),
        (b"\n1,", b"\n2,", "not 1, 2, 3"),
        (b"\n2,", b"\n1,", "not 1, 2, 3"),
        (b"0.5", b"1.5", "accuracy"),
        (b"0.5", b"=cmd()", "accuracy"),
        (b"30.0\n", b"-1\n", "seconds"),
        (b"30.0\n", b"30.0,5\n", "Keys should be strings"),
        (b"0.5", b"\xff", "ascii"),
    ],
)
def test_a_damaged_history_is_refused_and_the_line_named(tmp_path, old, new, why):
    histories.put(tmp_path, 2)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(ValueError, match=why):
        read_history(path)


def test_what_is_no_history_is_not_written(tmp_path):
    histories.put(tmp_path, 1)
    before = (tmp_path / FILE).read_bytes()
    rows = read_history(tmp_path / FILE)
    with pytest.raises(ValueError, match="train_accuracy"):
        write_history(tmp_path / FILE, [rows[0] | {"train_accuracy": 7}])
    assert (tmp_path / FILE).read_bytes() == before
