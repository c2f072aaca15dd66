"""Each measure against the plain sum that defines it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from models import create_model
from models.metrics import bootstrap, mean_share, measure, paired_difference, predict
from models.preprocessing import TTA

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log probabilities (N, K) that are often right, the probabilities, and the labels; classes of unequal size."""
    rng = np.random.default_rng(0)
    labels = rng.choice(7, 400, p=[0.3, 0.02, 0.1, 0.28, 0.1, 0.1, 0.1])
    logits = (rng.normal(size=(400, 7)) + 1.5 * np.eye(7)[labels]).astype(np.float32)
    probabilities = np.exp(logits.astype(np.float64))
    return logits, probabilities / probabilities.sum(1, keepdims=True), labels


@pytest.fixture(scope="module")
def measured(answers):
    logits, _, labels = answers
    return measure(torch.from_numpy(logits), torch.from_numpy(labels), CLASSES)


def table(answers) -> np.ndarray:
    _, probabilities, labels = answers
    confusion = np.zeros((7, 7), int)
    for true, answer in zip(labels, probabilities.argmax(1), strict=True):
        confusion[true, answer] += 1
    return confusion


def test_the_confusion_has_the_true_class_in_rows_and_the_prediction_in_columns(answers, measured):
    assert measured["confusion"] == table(answers).tolist()
    assert table(answers).tolist() != table(answers).T.tolist()


def test_accuracy_balanced_accuracy_and_kappa_are_those_of_the_confusion(answers, measured):
    c = table(answers)
    n = c.sum()
    agreed, chance = c.trace() / n, (c.sum(0) * c.sum(1)).sum() / n**2
    assert measured["accuracy"] == pytest.approx(agreed)
    assert measured["balanced_accuracy"] == pytest.approx(np.mean(c.diagonal() / c.sum(1)), abs=1e-6)
    assert measured["kappa"] == pytest.approx((agreed - chance) / (1 - chance), abs=1e-6)


def test_precision_recall_and_f1_are_those_of_each_class(answers, measured):
    c = table(answers)
    f1 = []
    for i, name in enumerate(CLASSES):
        precision, recall = c[i, i] / c[:, i].sum(), c[i, i] / c[i].sum()
        f1.append(2 * precision * recall / (precision + recall))
        expected = {"precision": precision, "recall": recall, "f1": f1[-1], "support": c[i].sum()}
        assert measured["per_class"][name] == pytest.approx(expected, abs=1e-6)
    assert measured["macro_f1"] == pytest.approx(np.mean(f1), abs=1e-6)


def test_log_loss_is_the_mean_negative_log_probability_of_the_truth(answers, measured):
    _, probabilities, labels = answers
    assert measured["log_loss"] == pytest.approx(-np.log(probabilities[np.arange(400), labels]).mean(), abs=1e-5)


def test_calibration_error_is_the_mean_gap_over_fifteen_bins(answers, measured):
    _, probabilities, labels = answers
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    error = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert measured["calibration_error"] == pytest.approx(error, abs=1e-5)
    assert error > 0.01


def test_the_interval_is_wilsons(answers, measured):
    n, p, z = 400, measured["accuracy"], 1.959964
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert measured["accuracy_interval"] == pytest.approx([middle - half, middle + half], abs=1e-6)


def test_a_perfect_classifier_and_a_constant_one_get_the_ends_of_the_scales():
    labels = torch.arange(7).repeat(10)
    perfect = measure(100 * torch.eye(7)[labels], labels, CLASSES)
    assert [perfect[k] for k in ("accuracy", "balanced_accuracy", "macro_f1", "kappa")] == pytest.approx([1] * 4)
    assert [perfect[k] for k in ("log_loss", "calibration_error")] == pytest.approx([0, 0], abs=1e-6)
    constant = measure(torch.eye(7)[torch.full((70,), 3)], labels, CLASSES)
    assert [constant["accuracy"], constant["balanced_accuracy"]] == pytest.approx([1 / 7] * 2)
    assert constant["kappa"] == pytest.approx(0, abs=1e-6)
    assert constant["per_class"]["angry"]["precision"] == 0  # never answered: 0, not "not a number"


def test_measures_are_plain_numbers_for_json(measured):
    again = json.loads(json.dumps(measured, allow_nan=False))
    assert again == measured
    assert set(measured) == {
        *("accuracy", "accuracy_interval", "balanced_accuracy", "macro_f1", "kappa", "log_loss"),
        *("calibration_error", "per_class", "confusion"),
    }


def test_measures_do_not_change_when_all_logits_of_an_image_are_shifted(answers, measured):
    logits, _, labels = answers
    shifted = measure(torch.from_numpy(logits + 3), torch.from_numpy(labels), CLASSES)
    assert shifted["accuracy"] == measured["accuracy"]
    assert shifted["log_loss"] == pytest.approx(measured["log_loss"], abs=1e-5)


# ---- predictions


@pytest.fixture(scope="module")
def network(finished_run):
    from models import load_checkpoint

    return load_checkpoint(finished_run)


@pytest.mark.parametrize("tta", TTA)
def test_predicting_in_batches_equals_predicting_at_once(network, faces, tta):
    model, card = network
    at_once = predict(model, card, faces.images[:20], tta, batch_size=20)
    done = []
    in_batches = predict(model, card, faces.images[:20], tta, batch_size=8, progress=done.append)
    assert at_once.shape == (20, 7)
    assert done == [8, 16, 20]
    torch.testing.assert_close(in_batches, at_once, atol=1e-5, rtol=1e-5)


def test_plain_predictions_are_the_logits_of_the_network(network, faces):
    model, card = network
    x = (torch.from_numpy(faces.images[:5]).unsqueeze(1).float() / 255 - card.mean) / card.std
    x = nn.functional.interpolate(x, (card.input_size,) * 2, mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = model(x)
    torch.testing.assert_close(predict(model, card, faces.images[:5]), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("tta", ["flip", "ten-crop"])
def test_the_average_does_not_care_whether_the_image_is_mirrored(network, faces, tta):
    model, card = network
    some = faces.images[:10]
    mirrored = np.ascontiguousarray(some[..., ::-1])
    apart = (predict(model, card, some) - predict(model, card, mirrored)).abs().max()
    one, other = predict(model, card, some, tta), predict(model, card, mirrored, tta)
    assert (one - other).abs().max() < 0.02 * apart
    torch.testing.assert_close(one.exp().sum(-1), torch.ones(10))


def test_predicting_leaves_the_network_as_it_was(faces, network):
    _, card = network
    model = create_model("vanilla_cnn", width=4).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    predict(model, card, faces.images[:4], "flip")
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_a_paired_difference_is_that_of_the_measures_and_its_interval_holds_it():
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (400,))
    first, second = torch.randn(400, 3), torch.randn(400, 3)
    first[torch.arange(300), labels[:300]] += 9
    classes = ("a", "b", "c")
    found = paired_difference(first, second, labels)
    a, b = measure(first, labels, classes), measure(second, labels, classes)
    for name, (difference, low, high) in found.items():
        assert difference == pytest.approx(a[name] - b[name], abs=1e-6)
        assert low < difference < high
        assert high - low == pytest.approx(2 * 1.96 * (0.25 + 0.15) ** 0.5 / 20, rel=0.4)
    assert paired_difference(first, first, labels)["accuracy"] == (0, 0, 0)


def test_a_class_that_does_not_occur_counts_for_no_mean():
    labels = torch.tensor([0, 0, 1, 1])
    found = measure(torch.eye(3)[[0, 0, 1, 2]], labels, ("a", "b", "c"))
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_the_mean_over_folds_has_students_interval():
    values = [0.5, 0.55, 0.6, 0.65, 0.7]  # standard deviation 0.0791, standard error 0.0354
    assert mean_share(values) == pytest.approx((0.6, 0.6 - 2.776 * 0.03536, 0.6 + 2.776 * 0.03536), abs=1e-4)


def test_the_interval_of_a_mean_ends_at_zero_and_one_and_needs_two_values():
    assert mean_share([0.2, 0.9, 1.0])[2] == 1
    assert mean_share([0.0, 0.1, 0.8])[1] == 0
    assert mean_share([1.0, 1.0]) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="two or more"):
        mean_share([0.5])


def test_drawing_again_keeps_the_size_of_each_class():
    labels = torch.tensor([0] * 5 + [1] * 20 + [2])
    times = bootstrap(labels, draws=50)
    for k in range(3):
        assert (times[:, labels == k].sum(1) == (labels == k).sum()).all()
    assert times[:, labels == 1].max() > 1
