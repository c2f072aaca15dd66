"""Members are selected on the validation set alone; the ensemble averages their predictions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.checkpoint_folders import CARD, LABELS, knows, put

from models import checkpoints, ensemble_selection
from models.checkpoints import CheckpointError, load_checkpoint, read_card, read_predictions
from models.ensemble_selection import candidates, choose, is_shipped, ship, voted
from models.metrics import predict

SMALL = {"overrides": {"width": 4}}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty folder in the place of checkpoints/."""
    for module in (checkpoints, ensemble_selection):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def three(shelf):
    """Two that complete each other, and one that misleads; on PrivateTest it is the other way round."""
    put("good", knows(range(5)), -knows(range(7)), **SMALL)
    put("other", knows(range(3, 7)), -knows(range(7)), **SMALL)
    put("bad", -knows(range(7)), knows(range(7)), **SMALL)
    return shelf


def test_members_are_taken_while_they_lower_the_log_loss_on_the_validation_part(three):
    assert candidates() == ["bad", "good", "other"]
    choice = choose(candidates())
    assert choice.members == ("good", "other")
    assert choice.of == 3
    assert choice.log_losses[0] > choice.log_losses[1]
    assert choice.log_losses[0] == pytest.approx(F.cross_entropy(knows(range(5)), LABELS).item())
    mean = (knows(range(5)).softmax(-1) + knows(range(3, 7)).softmax(-1)) / 2
    assert choice.log_losses[1] == pytest.approx(F.nll_loss(mean.log(), LABELS).item())


def test_only_networks_of_the_same_split_set_and_classes_are_candidates(three):
    put("elsewhere", knows(range(7)), split="clean", **SMALL)
    put("of_another_set", knows(range(7)), data="two", **SMALL)
    put("without_weights", knows(range(7)), weights=False)
    (three / "good" / "card.json").write_text("{")
    assert candidates() == ["bad", "other"]


def test_no_candidates_and_predictions_of_other_images_are_refused_in_a_sentence(three):
    with pytest.raises(CheckpointError, match="ferscope zoo"):
        choose([])
    stored = read_predictions("good", "PublicTest")
    part = {"PublicTest": dataclasses.replace(stored, ids=np.char.add(stored.ids, "-else"))}
    checkpoints.write_predictions(three / "good", part)
    with pytest.raises(CheckpointError, match="differ in their images of PublicTest"):
        choose(["good", "other"])


def test_the_order_in_which_images_were_imported_plays_no_part(three):
    before = choose(["good", "other"])
    stored = {part: read_predictions("good", part) for part in ("PublicTest", "PrivateTest")}
    turned = {
        part: checkpoints.Predictions(p.logits.flip(0), p.labels.flip(0), p.names[::-1], p.ids[::-1])
        for part, p in stored.items()
    }
    checkpoints.write_predictions(three / "good", turned)
    assert choose(["good", "other"]) == before


def test_a_saved_ensemble_has_no_weights_of_its_members_and_returns_their_mean(three):
    choice = choose(candidates())
    assert not is_shipped(choice)
    card = ship(choice)
    assert is_shipped(choice)
    assert card == read_card("ensemble")
    assert "ensemble" not in candidates()
    assert (three / "ensemble" / "model.safetensors").stat().st_size < 200
    assert card.metrics["PrivateTest"]["plain"]["accuracy"] == 0
    assert card.parameters == 18
    stored = read_predictions("ensemble", "PrivateTest")
    assert torch.allclose(stored.logits, voted(choice.members, "PrivateTest").logits)

    model, _ = load_checkpoint("ensemble")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32), dtype=np.uint8)
    shares = [predict(*load_checkpoint(name), images).softmax(-1) for name in choice.members]
    assert torch.allclose(predict(model, card, images).exp(), torch.stack(shares).mean(0), atol=1e-6)


def test_a_vote_whose_members_have_changed_is_chosen_and_shipped_again(three):
    ship(choose(candidates()))
    put("good", knows(range(6)), **SMALL)
    assert not is_shipped(choose(candidates()))
    ship(choose(candidates()))
    assert is_shipped(choose(candidates()))


def test_a_single_best_network_is_no_ensemble(shelf):
    put("good", knows(range(7)), **SMALL)
    put("bad", -knows(range(7)), **SMALL)
    choice = choose(candidates())
    assert choice.members == ("good",)
    assert choice.rejected == "bad"
    assert choice.rejected_log_loss > choice.log_losses[-1]
    assert not choice.ships


def test_a_network_and_one_that_began_with_it_are_no_members_together(three):
    put("other", knows(range(3, 7)), -knows(range(7)), ancestors=(CARD.as_ancestor("good", "start"),), **SMALL)
    choice = choose(candidates())
    assert choice.members == ("good",)
    assert choice.related == (("other", "good"),)
    assert not choice.ships


def test_an_ensemble_ships_only_where_it_beats_the_best_single_network(shelf):
    for name, mistaken in (("one", 5), ("two", 6)):  # each is sure of a wrong class where the other is right
        sure = 9.0 * torch.eq(LABELS, mistaken)[:, None] * F.one_hot(torch.zeros_like(LABELS), 7)
        put(name, knows(set(range(7)) - {mistaken}) + sure, **SMALL)
    choice = choose(candidates())
    assert len(choice.members) == 2
    assert choice.accuracies == pytest.approx((6 / 7, 5 / 7))
    assert not choice.ships
    put("one", knows(range(5)), **SMALL)
    put("two", knows(range(3, 7)), **SMALL)
    choice = choose(candidates())
    assert choice.accuracies[-1] == 1 > choice.best_accuracy
    assert choice.ships


def test_agreement_is_the_share_of_publictest_with_the_same_predicted_class(three):
    (share,) = [share for pair, share in choose(candidates()).agreement.items() if set(pair) == {"good", "other"}]
    first, second = (knows(classes).argmax(-1) for classes in (range(5), range(3, 7)))
    assert share == pytest.approx((first == second).double().mean().item())


def test_members_that_were_distilled_from_one_network_are_allowed_and_it_is_named(three):
    for name, classes in (("good", range(5)), ("other", range(3, 7))):
        put(name, knows(classes), ancestors=(CARD.as_ancestor("teacher", "teacher"),), **SMALL)
    choice = choose(candidates())
    assert choice.members == ("good", "other")
    assert choice.shared_teachers == ("teacher",)
