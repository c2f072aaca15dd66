"""Starting from a checkpoint of other classes: the backbone stays, and the rows of the head that both have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models import create_model, load_checkpoint
from models.checkpoints import read_card
from models.training.errors import TrainingError
from models.training.heads import with_classes


@pytest.mark.parametrize(
    "classes",
    [("happy", "sad"), ("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"), ("bored", "engaged")],
    ids=["fewer", "as many, with contempt", "none of the old"],
)
def test_the_backbone_and_the_rows_of_shared_classes_are_kept(classes):
    whole, card = load_checkpoint("residual_cnn")
    new = with_classes(whole, card, classes).eval()
    x = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        before, after = whole(x), new(x)
    assert after.shape == (2, len(classes))
    shared = [name for name in classes if name in card.classes]
    rows = [[list(names).index(name) for name in shared] for names in (card.classes, classes)]
    assert torch.allclose(before[:, rows[0]], after[:, rows[1]], atol=1e-5)
    head = {name for name, value in new.state_dict().items() if value.shape[:1] == (len(classes),)}
    kept = [name for name in new.state_dict() if name not in head]
    assert kept
    assert all(torch.equal(new.state_dict()[name], whole.state_dict()[name]) for name in kept)


def test_the_same_classes_give_the_same_network():
    whole, card = load_checkpoint("residual_cnn")
    assert with_classes(whole, card, card.classes) is whole


def test_a_network_with_a_branch_for_each_class_is_refused():
    hybrid = create_model("hybrid_mobilenet_v3_small")
    card = replace(read_card("residual_cnn"), network="hybrid_mobilenet_v3_small", overrides={})
    with pytest.raises(TrainingError, match="a branch for each class"):
        with_classes(hybrid, card, ("happy", "sad"))
