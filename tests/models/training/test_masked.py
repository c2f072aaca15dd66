"""Masked-image pretraining: the loss falls, hidden patches are not seen, and training starts from the encoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import job_folders

from models import create_model, load_checkpoint
from models.datasets.synthetic.faces import draw_face
from models.training.config import TrainConfig
from models.training.engine import train
from models.training.errors import TrainingError
from models.training.masked import HIDDEN, MaskedAutoencoder, pretrain
from models.training.recipes import from_recipe

SMALL = {"width": 24, "heads": 2, "drop_path": 0.0}


@pytest.fixture(scope="module")
def faces():
    emotions = ("happy", "sad", "surprise", "neutral")
    return torch.from_numpy(np.stack([draw_face(emotion, 48) for emotion in emotions for _ in range(4)]))


def test_the_loss_of_hidden_patches_falls(faces):
    torch.manual_seed(0)
    network, lines = create_model("vit_tiny", **SMALL), []
    losses = pretrain(network, faces, (0.5, 0.25), 48, epochs=30, batch_size=8, tell=lines.append)
    assert losses[0] > 1, "1 is that of predicting each patch's mean"
    assert losses[-1] < 0.9
    assert len(lines) == 30


def test_the_encoder_gets_only_the_visible_patches(faces):
    model = MaskedAutoencoder(create_model("vit_tiny", **SMALL))
    seen = []
    model.encoder.blocks[0].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].shape))
    loss = model(torch.randn(2, 1, 48, 48))
    assert seen == [(2, round((1 - HIDDEN) * 64), 24)]
    loss.backward()
    missing = {name for name, p in model.named_parameters() if p.grad is None}
    assert missing == {"encoder.classifier.weight", "encoder.classifier.bias"}


def test_an_encoder_for_rgb_is_pretrained_on_gray_images_too():
    model = MaskedAutoencoder(create_model("vit_tiny", channels=3, **SMALL))
    assert model(torch.randn(2, 1, 48, 48)).isfinite()


def test_training_starts_from_pretrained_weights_and_its_loss_falls(tmp_path):
    data = job_folders.drawn(tmp_path)
    values = {"model": "vit_tiny", "data": data, "overrides": SMALL, "augmentation": "none", "mixup": 0.0}
    values |= {"batch_size": 16, "device": "cpu", "precision": "32-true", "warmup": 0.0, "label_smoothing": 0.0}
    first = train(from_recipe("vit-masked", **values, masked_epochs=1, epochs=4, out=tmp_path / "first"))
    _, card = load_checkpoint(first)
    assert (card.network, card.recipe) == ("vit_tiny", "vit-masked")
    rows = (first / "history.csv").read_text().splitlines()
    column = rows[0].split(",").index("train_loss")
    losses = [float(row.split(",")[column]) for row in rows[1:]]
    assert losses[-1] < losses[0]
    second = train(
        from_recipe("vit", **values, epochs=1, learning_rate=1e-9, start_from=first, out=tmp_path / "second")
    )
    weights, before = (load_checkpoint(folder)[0].patches.project.weight for folder in (second, first))
    torch.testing.assert_close(weights, before, atol=1e-3, rtol=1e-3)


def test_a_network_without_patches_is_refused(tmp_path):
    config = TrainConfig(model="vanilla_cnn", masked_epochs=3, data=job_folders.drawn(tmp_path), out=tmp_path / "run")
    with pytest.raises(TrainingError, match="masked_epochs=3: vanilla_cnn has no patches to hide"):
        train(config)
