"""Cells of a confusion matrix: their images, and the votes of annotators."""

from collections import Counter

import numpy as np
import pytest

from models.annotator_agreement import compare_with_annotators
from models.datasets import FaceSet
from workbench import services
from workbench.services.dataset import imported
from workbench.services.metrics import confusion, evaluation

NAME = "residual_cnn"


def test_every_cell_holds_as_many_images_as_the_matrix_says():
    found = services.metrics.evaluation.scores(NAME)
    classes = found.card.classes
    for i, label in enumerate(classes[:2]):
        for j, predicted in enumerate(classes):
            cell = services.metrics.confusion.cell(NAME, label, predicted)
            assert len(cell.images) == found.confusion[i, j]
            assert sum(cell.counts.values()) == len(cell.images)


def test_verdicts_of_all_wrong_cells_are_those_of_the_evaluation():
    given = evaluation.stored_predictions(NAME)
    expected = compare_with_annotators(
        given.logits, given.labels, given.names, given.card.classes, given.card.temperature
    )
    classes = given.card.classes
    found = Counter()
    for label in classes:
        for predicted in classes:
            if label != predicted:
                found.update(services.metrics.confusion.cell(NAME, label, predicted).counts)
    found.pop("no votes known", None)
    assert found == expected.errors


def test_a_correct_prediction_is_never_called_wrong():
    cell = services.metrics.confusion.cell(NAME, "happy", "happy")
    assert set(cell.counts) <= {*confusion.CORRECT_VERDICTS, confusion.NO_VOTES}
    assert all(p.votes[0][0] == "happy" and p.votes[0][1] > 5 for p in cell.of("annotators agree"))


def test_the_most_confident_predictions_come_first_with_their_votes():
    cell = services.metrics.confusion.cell(NAME, "sad", "neutral")
    sure = [picture.confidence for picture in cell.images]
    assert sure == sorted(sure, reverse=True)
    assert 1 / 7 < sure[-1] <= sure[0] <= 1
    first = cell.images[0]
    assert sum(n for _, n in first.votes) == 10
    assert first.votes_text == ", ".join(f"{n} {predicted}" for predicted, n in first.votes)
    assert first.id.startswith("PrivateTest-")


def test_a_class_that_the_network_does_not_have_is_named():
    with pytest.raises(ValueError, match='"contempt" is not one of'):
        services.metrics.confusion.cell(NAME, "contempt", "happy")


def test_images_are_found_in_the_set_that_holds_them_and_nowhere_else(tmp_path, monkeypatch):
    images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    faces = FaceSet(images, np.array([0, 1, 2]), np.array(["a", "b", "c"]), np.full(3, "PrivateTest"))
    monkeypatch.setattr(imported, "FOLDER", tmp_path)
    wanted = [str(id_) for id_ in faces.ids[1:]]
    assert services.metrics.confusion.thumbnails(wanted) == ("", {})
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    faces.save(tmp_path / "mine.npz")
    name, found = services.metrics.confusion.thumbnails(wanted)
    assert name == "mine"
    np.testing.assert_array_equal(found[wanted[0]], images[1])
