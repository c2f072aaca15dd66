"""Metrics of stored predictions: against their definitions, and for missing or damaged files."""

import json
import shutil

import numpy as np
import pytest
import torch

from models import checkpoints as shelf
from models.checkpoints import CheckpointError
from models.metrics import measure
from workbench import services
from workbench.services.metrics import evaluation

NAME = "residual_cnn"


@pytest.fixture
def own_shelf(tmp_path, monkeypatch):
    """A folder of checkpoints with one copy, which a test may damage."""
    shutil.copytree(shelf.ROOT / NAME, tmp_path / NAME, ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr(shelf, "ROOT", tmp_path)
    return tmp_path / NAME


def rewrite(folder, **changes):
    with np.load(folder / "predictions.npz", allow_pickle=False) as file:
        arrays = dict(file)
    np.savez(folder / "predictions.npz", **arrays | changes)


def test_every_checkpoint_with_a_card_is_offered_also_without_weights():
    names = services.metrics.evaluation.checkpoints()
    assert names[0] == services.networks.DEFAULT_NETWORK
    assert "resnet18-short-official-s1" in names  # its weights did not ship
    assert len(set(names)) == len(names)


def test_values_are_those_of_the_evaluation_and_lie_in_their_intervals():
    found = services.metrics.evaluation.scores(NAME)
    given = evaluation.stored_predictions(NAME)
    expected = measure(given.logits, given.labels, given.card.classes)
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss"):
        assert found.values[key][0] == pytest.approx(expected[key], abs=1e-6), key
    assert found.values["ece"][0] == pytest.approx(expected["calibration_error"], abs=1e-6)
    assert set(found.values) == {wanted.key for wanted in services.metrics.evaluation.MEASURES}
    for wanted in services.metrics.evaluation.MEASURES:
        value, low, high = found.values[wanted.key]
        if not wanted.key.startswith("ece"):  # a calibration error has none
            assert low < value < high, wanted.key
        else:
            assert np.isnan([low, high]).all()


def test_measures_of_many_confusions_are_those_of_each():
    torch.manual_seed(0)
    logits, labels = torch.randn(300, 4), torch.randint(4, (300,))
    expected = measure(logits, labels, tuple("abcd"))
    found = evaluation._of_confusions(torch.tensor([expected["confusion"]]).float())
    for key, value in found.items():
        assert value.item() == pytest.approx(expected[key], abs=1e-5), key


def test_an_interval_has_the_width_that_theory_gives():
    given = evaluation.stored_predictions(NAME)
    loss = torch.nn.functional.cross_entropy(given.logits, given.labels, reduction="none")
    variance = (
        sum(  # of a mean over classes of fixed sizes
            len(mine) * mine.var(unbiased=False) for mine in (loss[given.labels == k] for k in range(7))
        )
        / len(loss) ** 2
    )
    _, low, high = services.metrics.evaluation.scores(NAME).values["log_loss"]
    assert high - low == pytest.approx(2 * 1.96 * float(variance) ** 0.5, rel=0.1)


def test_a_perfectly_calibrated_network_lies_in_the_range_of_chance():
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(3000, 7, generator=generator)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    low, high = evaluation._chance(logits)
    assert low < evaluation.reliability(logits, labels).ece < high
    assert evaluation.reliability(3 * logits, labels).ece > evaluation._chance(3 * logits)[1]


def test_recall_and_support_are_those_of_the_confusion():
    found = services.metrics.evaluation.scores(NAME)
    for i, name in enumerate(found.card.classes):
        row = found.confusion[i]
        assert found.support[name] == row.sum()
        assert found.recall[name][0] == pytest.approx((row[i] / row.sum()).item())
        assert found.recall[name][1] < found.recall[name][0] < found.recall[name][2]
    values = [value for value, _, _ in found.recall.values()]
    assert found.spread == max(values) - min(values)


@pytest.mark.parametrize(
    ("subset", "left"), [("all", 3589), ("without duplicates", 3301), ("without near-duplicates", 3109)]
)
def test_leaked_images_can_be_left_out(subset, left):
    assert services.metrics.evaluation.scores(NAME, "PrivateTest", subset).n_images == left


def test_a_measure_says_its_direction_and_its_value_with_the_interval():
    found = services.metrics.evaluation.scores(NAME)
    told = {wanted.key: (wanted.label, found.text(wanted)) for wanted in services.metrics.evaluation.MEASURES}
    assert told["accuracy"][0] == "accuracy ↑"
    assert told["log_loss"][0] == "log loss ↓"
    value, low, high = (f"{100 * v:.1f}" for v in found.values["accuracy"])
    assert told["accuracy"][1].replace("\u2060", "") == f"{value}\u00a0% ({low}–{high})"
    assert "(" not in told["ece"][1]


def test_without_a_temperature_nothing_is_called_calibrated(own_shelf):
    card = json.loads((own_shelf / "card.json").read_text("utf-8"))
    (own_shelf / "card.json").write_text(json.dumps(card | {"temperature": None}), "utf-8")
    found = services.metrics.evaluation.scores(NAME)
    assert not any(key.endswith("calibrated") for key in found.values)
    assert (
        found.text(next(m for m in services.metrics.evaluation.MEASURES if m.key == "ece_calibrated")) == "not fitted"
    )
    assert services.metrics.calibration.of(NAME).after is None


def test_a_card_without_predictions_says_how_to_get_them(own_shelf):
    (own_shelf / "predictions.npz").unlink()
    with pytest.raises(CheckpointError, match=f"ferscope evaluate {NAME}"):
        services.metrics.evaluation.scores(NAME)


def test_a_part_that_was_not_measured_is_named(own_shelf):
    rewrite(own_shelf, splits=np.full(7178, "test"))
    with pytest.raises(CheckpointError, match="not on PublicTest: its split is official"):
        services.metrics.evaluation.scores(NAME, "PublicTest")


@pytest.mark.parametrize(
    "damage",
    [
        {"logits": np.zeros((7178, 5), np.float32)},
        {"logits": np.full((7178, 7), np.nan, np.float32)},
        {"labels": np.full(7178, 9)},
        {"labels": np.full(7178, -1)},
    ],
    ids=["other classes", "no numbers", "labels beyond the classes", "labels below zero"],
)
def test_predictions_that_do_not_fit_the_card_are_refused(own_shelf, damage):
    rewrite(own_shelf, **damage)
    with pytest.raises(CheckpointError, match=f"ferscope evaluate {NAME}"):
        services.metrics.evaluation.scores(NAME)


def test_a_damaged_file_and_a_damaged_card_are_named(own_shelf):
    (own_shelf / "predictions.npz").write_bytes(b"no archive")
    with pytest.raises(CheckpointError, match="holds no predictions"):
        services.metrics.evaluation.scores(NAME)
    (own_shelf / "card.json").write_text("{", "utf-8")
    with pytest.raises(CheckpointError, match="is not the card"):
        services.metrics.evaluation.scores(NAME)
