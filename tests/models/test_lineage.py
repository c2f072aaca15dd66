"""Two checkpoints are related where their weights, or what they were distilled from, come from one training."""

from __future__ import annotations

import pytest
from shelves import knows, put

from models import checkpoints
from models.checkpoints import CheckpointError, read_card
from models.lineage import ancestors, related, shared_teachers, starts

CARDS = {
    "first": {},
    "second": {"started_from": "first"},
    "third": {"started_from": "second"},
    "sibling": {"started_from": "first"},
    "student": {"taught_by": "second"},
    "other_student": {"taught_by": "second"},
    "of_the_student": {"started_from": "student"},
    "backbone": {"started_from": "ImageNet"},
    "other_backbone": {"started_from": "ImageNet"},
    "of_a_missing_one": {"started_from": "gone"},
    "of_the_same_missing_one": {"started_from": "gone"},
}


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """Small checkpoints whose cards name each other, in the place of checkpoints/."""
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    for name, card in CARDS.items():
        put(name, knows(range(7)), weights=False, **card)
    return tmp_path


@pytest.mark.parametrize(
    ("one", "two", "answer"),
    [
        ("first", "first", True),
        ("first", "second", True),
        ("first", "third", True),
        ("sibling", "third", True),
        ("second", "student", True),
        ("first", "student", True),
        ("second", "of_the_student", True),
        ("of_a_missing_one", "of_the_same_missing_one", True),
        ("student", "other_student", False),
        ("sibling", "student", False),
        ("backbone", "other_backbone", False),
        ("third", "backbone", False),
    ],
)
def test_one_training_is_told_from_two(one, two, answer):
    assert related(one, two) is answer
    assert related(two, one) is answer


def test_a_path_is_related_to_the_name_that_others_know_it_by(shelf):
    assert related(shelf / "first", "third")


def test_starts_and_ancestors_are_listed_from_the_last_to_the_first():
    assert starts(read_card("third")) == ["second", "first"]
    assert ancestors(read_card("of_the_student")) == ["student", "second", "first"]
    assert starts(read_card("of_a_missing_one")) == ["gone"]


def test_cards_that_name_each_other_end_the_walk():
    put("loop", knows(range(7)), weights=False, started_from="pool")
    put("pool", knows(range(7)), weights=False, started_from="loop")
    assert starts(read_card("loop")) == ["pool", "loop"]


def test_only_a_teacher_of_several_is_shared():
    assert shared_teachers(["student", "other_student", "first"]) == ["second"]
    assert shared_teachers(["student", "first"]) == []


def test_without_a_card_nothing_is_said():
    with pytest.raises(CheckpointError, match="gone"):
        related("gone", "first")
