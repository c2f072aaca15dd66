"""A network beside its annotators: verdicts, shares and the correlation are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.annotator_agreement import VERDICTS, compare_with_annotators, majorities, verdict
from models.checkpoints import read_card, read_predictions
from models.datasets import EMOTIONS, ferplus


@pytest.fixture
def annotators(monkeypatch) -> dict[str, np.ndarray]:
    """Four images with votes of our own."""
    table = {
        "a": {"happy": 9, "sad": 1},
        "b": {"sad": 6, "neutral": 4},
        "c": {"fear": 4, "surprise": 4, "angry": 2},
        "d": {"contempt": 8, "neutral": 2},
    }
    rows = {name: np.array([given.get(c, 0) for c in ferplus.COLUMNS]) for name, given in table.items()}
    nothing = np.zeros(10, int)
    monkeypatch.setattr(ferplus, "votes", lambda names: np.stack([rows.get(n, nothing) for n in names]))
    return rows


def answers(*emotions: str) -> torch.Tensor:
    """Logits of a network that answers these."""
    logits = torch.zeros(len(emotions), 7)
    for i, emotion in enumerate(emotions):
        logits[i, EMOTIONS.index(emotion)] = 4.0 - i
    return logits


def labels(*emotions: str) -> torch.Tensor:
    return torch.tensor([EMOTIONS.index(emotion) for emotion in emotions])


def test_errors_are_distinguished_by_what_the_annotators_say(annotators):
    found = compare_with_annotators(
        answers("sad", "sad", "surprise", "neutral", "happy"),
        labels("happy", "neutral", "fear", "neutral", "angry"),
        ["a", "b", "c", "d", "without votes"],
        EMOTIONS,
    )
    assert found.names.tolist() == ["a", "b", "c", "d"]
    assert found.verdicts == {
        "a": "network wrong",
        "b": "annotators agree with the network",
        "c": "annotators disagree",
    }
    assert found.errors == {"network wrong": 1, "annotators agree with the network": 1, "annotators disagree": 1}
    assert found.accuracy_label[0] == 0.25
    assert found.majorities == 2, "contempt is none of the network's classes, and c has no majority"
    assert found.accuracy_majority[0] == 0.5
    assert found.label_is_majority[0] == 0.5


def test_a_majority_is_more_than_half(annotators):
    assert majorities(np.stack(list(annotators.values()))).tolist() == ["happy", "sad", "", "contempt"]
    half = np.zeros((1, 10), int)
    half[0, :2] = 5
    assert majorities(half).tolist() == [""]
    assert {verdict("", "sad"), verdict("sad", "sad"), verdict("happy", "sad")} == set(VERDICTS)


def test_a_network_that_hesitates_where_annotators_do_correlates_with_them(annotators):
    by_entropy = sorted(annotators, key=lambda name: ferplus.entropy(annotators[name][None])[0])
    logits = torch.stack([torch.eye(7)[0] * s for s in (8.0, 4.0, 2.0, 1.0)])  # less and less sure
    same = compare_with_annotators(logits, torch.zeros(4, dtype=torch.long), by_entropy, EMOTIONS)
    against = compare_with_annotators(logits.flip(0), torch.zeros(4, dtype=torch.long), by_entropy, EMOTIONS)
    assert same.correlation[0] == pytest.approx(1)
    assert against.correlation[0] == pytest.approx(-1)


def test_temperature_changes_how_sure_the_network_is_and_no_prediction(annotators):
    logits, truth, names = answers("happy", "sad", "fear", "neutral"), labels(*["happy"] * 4), list("abcd")
    one, hot = (compare_with_annotators(logits, truth, names, EMOTIONS, t) for t in (None, 3.0))
    assert (hot.network > one.network).all()
    assert hot.verdicts == one.verdicts


def test_images_of_another_set_are_refused(annotators):
    with pytest.raises(ValueError, match="None of these images has votes"):
        compare_with_annotators(answers("sad"), labels("sad"), ["face_1"], EMOTIONS)


def test_the_shipped_network_is_unsure_where_annotators_disagree():
    stored, card = read_predictions("residual_cnn", "PrivateTest"), read_card("residual_cnn")
    found = compare_with_annotators(stored.logits, stored.labels, stored.names, card.classes, card.temperature)
    assert len(found.names) > 3500
    value, low, high = found.correlation
    assert 0.2 < low < value < high < 0.8
    assert sum(found.errors.values()) == round((1 - found.accuracy_label[0]) * len(found.names))
    assert found.accuracy_majority[0] > found.accuracy_label[0]
