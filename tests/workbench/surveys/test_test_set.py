"""Mean maps and features of a test set are kept beside the weights that they were computed with, and hold no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.attention_networks import noise_faces, write_checkpoint

from models import checkpoints
from models.checkpoints import CheckpointError
from workbench import services
from workbench.faces import load_sample
from workbench.services.metrics.test_set_views import difference, of_group
from workbench.surveys import features, mean_maps
from workbench.surveys.features import read_features, survey_features
from workbench.surveys.mean_maps import read_mean_maps, survey_mean_maps

NAME = "vanilla_cnn"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    write_checkpoint(tmp_path / NAME, NAME)
    return tmp_path / NAME


def test_mean_maps_are_read_again_and_computed_anew_for_other_weights_only(folder, monkeypatch):
    faces, told = noise_faces(), []
    found = survey_mean_maps(NAME, faces, progress=lambda done, total: told.append((done, total)))
    assert told == [(14, 14)]
    stored = read_mean_maps(NAME)
    assert stored.sample == found.sample
    assert stored.sample.part == "PrivateTest"
    for one, other in zip(found.maps, stored.maps, strict=True):
        assert (one.class_, one.correct, one.count) == (other.class_, other.correct, other.count)
        torch.testing.assert_close(one.mean, other.mean, atol=1e-4, rtol=0)
    with monkeypatch.context() as patch:
        patch.setattr(mean_maps, "mean_maps", lambda *_, **__: pytest.fail("it is stored"))
        survey_mean_maps(NAME, faces)
    write_checkpoint(folder, NAME, seed=1)
    with pytest.raises(CheckpointError, match="belongs to other weights"):
        read_mean_maps(NAME)
    assert survey_mean_maps(NAME, faces).sample.weights != found.sample.weights


def test_maps_of_all_classes_together_are_the_mean_over_all_images(folder):
    found = survey_mean_maps(NAME, noise_faces())
    wrong = [one for one in found.maps if not one.correct]
    together = of_group(found, None, False)
    assert together.count == sum(one.count for one in wrong)
    expected = sum(one.count * one.mean for one in wrong) / together.count
    torch.testing.assert_close(together.mean, expected)
    assert of_group(found, 3, True) is next(one for one in found.maps if one.class_ == 3 and one.correct)
    assert float(difference(together.mean, together.mean).abs().max()) == 0


def test_features_are_read_again_and_a_face_finds_itself_among_the_training_images(folder, monkeypatch):
    faces = noise_faces()
    found = survey_features(NAME, faces)
    stored = read_features(NAME)
    assert stored.sample == found.sample
    assert stored.training.rows.shape == (14, stored.projection.components.shape[0])
    assert list(stored.test.ids) == [str(id_) for id_ in faces.ids[faces.splits == "PrivateTest"]]
    torch.testing.assert_close(stored.training.rows, found.training.rows, atol=0.01, rtol=0.01)
    with np.load(folder / features.FILE, allow_pickle=False) as file:
        assert all(values.ndim <= 2 for values in map(file.__getitem__, file.files)), "images would have three axes"
    with monkeypatch.context() as patch:
        patch.setattr(features, "penultimate_features", lambda *_: pytest.fail("they are stored"))
        survey_features(NAME, faces)


def test_damaged_missing_and_other_features_say_what_to_do(folder):
    with pytest.raises(CheckpointError, match=r"is not there\. Compute them: ferscope refresh"):
        read_features(NAME)
    survey_features(NAME, noise_faces())
    write_checkpoint(folder, NAME, seed=1)
    with pytest.raises(CheckpointError, match="belongs to other weights"):
        read_features(NAME)
    (folder / features.FILE).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="holds no features"):
        read_features(NAME)
    np.savez(folder / features.FILE, sample=np.array("{}"))
    with pytest.raises(CheckpointError, match="holds no features"):
        read_features(NAME)


def test_neighbors_and_embedding_of_a_face_by_the_shipped_features():
    face = load_sample("astronaut")
    found = services.metrics.test_set_views.nearest_training_faces(face, "residual_cnn")
    assert found.among == 28709
    assert [one.distance for one in found.images] == sorted(one.distance for one in found.images)
    assert found.images[0].label == services.predict(face, "residual_cnn").predicted
    assert any("happy" in one.votes for one in found.images)
    for kind in ("pca", "tsne"):
        view = services.metrics.test_set_views.embedding("residual_cnn", kind, face)
        assert view.points.shape == (3589, 2)
        near = (view.points - view.face).square().sum(1).topk(20, largest=False).indices
        happy = view.classes.index("happy")
        assert float((view.predicted[near] == happy).float().mean()) > 0.5, "among the images predicted alike"
    accuracy = float((view.labels == view.predicted).float().mean())
    assert accuracy == pytest.approx(services.metrics.evaluation.scores("residual_cnn").values["accuracy"][0], abs=1e-6)
