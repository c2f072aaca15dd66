"""The targets of a distillation whose teacher has other classes than the dataset."""

import dataclasses

import pytest
import torch

from models import create_model, load_checkpoint
from models.checkpoints import read_card, save_checkpoint
from models.metrics import predict
from models.training.distillation import targets
from models.training.errors import TrainingError


@pytest.fixture
def teacher(finished_run, tmp_path):
    """A network for three classes, two of which the dataset has, in another order."""

    def made(*classes):
        card = dataclasses.replace(read_card(finished_run), classes=classes, metrics={}, temperature=None)
        torch.manual_seed(0)
        folder = tmp_path / "teacher"
        save_checkpoint(folder, create_model(card.network, len(classes), **card.overrides), card)
        return folder

    return made


def test_a_teacher_of_other_classes_teaches_those_that_both_have(teacher, make_config, faces, tmp_path, caplog):
    folder, training = teacher("sad", "bored", "happy"), faces.part("Training")
    config = make_config(tmp_path / "run", teacher=folder, distillation=0.25)
    with caplog.at_level("INFO", "models"):
        found = targets(config, training, torch.device("cpu"))
    assert "distilled over happy, sad; images of others keep their label" in caplog.text
    model, card = load_checkpoint(folder)
    said = predict(model, card, training.images, "flip").softmax(-1)
    labels = torch.from_numpy(training.labels)
    happy, sad = (training.classes.index(name) for name in ("happy", "sad"))
    expected = torch.eye(7)[labels]
    for i in ((labels == happy) | (labels == sad)).nonzero()[:, 0]:
        expected[i] *= 0.75
        expected[i, happy] += 0.25 * said[i, 2] / (said[i, 0] + said[i, 2])
        expected[i, sad] += 0.25 * said[i, 0] / (said[i, 0] + said[i, 2])
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_teacher_that_shares_one_class_is_refused_with_what_to_do(teacher, make_config, faces, tmp_path):
    config = make_config(tmp_path / "run", teacher=teacher("happy", "bored"), distillation=0.25)
    with pytest.raises(TrainingError, match=r"shares 1 of .* and two are needed: choose another teacher"):
        targets(config, faces.part("Training"), torch.device("cpu"))
