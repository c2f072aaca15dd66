"""Two checkpoints are related where their weights, or what they were distilled from, come from one training run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.checkpoint_folders import CARD, knows, put

from models import checkpoints
from models.cards import IMAGENET, Ancestor
from models.checkpoints import CheckpointError, read_card
from models.lineage import ancestors, related, shared_teachers, starts


def start(name: str, *before: Ancestor) -> dict:
    """The field of a card whose training started from a network, which itself has ancestors."""
    return {"ancestors": (replace(CARD, ancestors=before).as_ancestor(name, "start"),)}


def teacher(name: str, *before: Ancestor) -> dict:
    """The same of one that was distilled."""
    return {"ancestors": (replace(CARD, ancestors=before).as_ancestor(name, "teacher"),)}


SECOND = start("first")
STUDENT = teacher("second", *SECOND["ancestors"])
IMAGENET_WEIGHTS = {"ancestors": (Ancestor(IMAGENET, ("start",), "resnet18"),)}
CARDS = {
    "first": {},
    "second": SECOND,
    "third": start("second", *SECOND["ancestors"]),
    "sibling": start("first"),
    "student": STUDENT,
    "other_student": STUDENT,
    "of_the_student": start("student", *STUDENT["ancestors"]),
    "backbone": IMAGENET_WEIGHTS,
    "other_backbone": IMAGENET_WEIGHTS,
    "of_a_missing_one": start("gone", *SECOND["ancestors"]),
    "of_the_same_missing_one": start("gone", *SECOND["ancestors"]),
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
def test_one_training_is_distinguished_from_two(one, two, answer):
    assert related(one, two) is answer
    assert related(two, one) is answer


def test_a_path_is_related_to_the_name_that_others_know_it_by(shelf):
    assert related(shelf / "first", "third")


def test_starts_and_ancestors_are_listed_from_the_last_to_the_first():
    assert starts(read_card("third")) == ["second", "first"]
    assert ancestors(read_card("of_the_student")) == ["student", "second", "first"]
    assert starts(read_card("of_a_missing_one")) == ["gone", "first"], "what is not here is known by the card"


def test_only_a_teacher_of_several_is_shared():
    assert shared_teachers(["student", "other_student", "first"]) == ["second"]
    assert shared_teachers(["student", "first"]) == []


def test_without_a_card_nothing_is_said():
    with pytest.raises(CheckpointError, match="gone"):
        related("gone", "first")
