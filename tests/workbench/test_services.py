import dataclasses

import pytest
import torch

from models import checkpoints, create_model, list_models
from workbench import faces, services


@pytest.fixture
def face():
    return faces.load_sample("astronaut")


@pytest.mark.parametrize("network", list_models())
def test_every_network_explains_a_face(face, network):
    result = services.explain(face, network)
    k, s = len(result.prediction.classes), services.open_network(network).input_size
    assert result.maps.shape == (k, s, s)
    assert result.maps.min() >= 0
    assert result.pixels.shape == (s, s)
    assert result.class_ == result.prediction.answer
    assert result.prediction.probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert not result.maps.requires_grad


def test_the_default_network_is_trained_and_calls_the_smiling_astronaut_happy(face):
    prediction = services.predict(face)
    assert prediction.trained
    assert prediction.answer == "happy"


def test_probabilities_are_calibrated_with_the_temperature_of_the_card(face):
    card = services.open_network(services.DEFAULT_NETWORK).card
    prediction = services.predict(face)
    assert card.temperature != 1
    torch.testing.assert_close(prediction.probabilities, (prediction.logits / card.temperature).softmax(0))


def test_the_app_sees_a_face_as_the_evaluation_does(face):
    net = services.open_network(services.DEFAULT_NETWORK)
    gray = face.gray(net.input_size)
    torch.testing.assert_close(net.prepare(face), net.card.prepare(gray[None]))
    torch.testing.assert_close(net.see(face) * 255, torch.from_numpy(gray).float())


def test_a_class_that_does_not_exist_is_named(face):
    with pytest.raises(ValueError, match='class_="bored"'):
        services.explain(face, class_="bored")


def test_the_map_of_a_class_is_that_of_its_index(face):
    result = services.explain(face, class_="sad")
    assert result.class_ == "sad"
    assert torch.equal(result.map_of("sad"), result.maps[result.prediction.classes.index("sad")])


def test_an_unknown_network_raises_with_the_nearest_names(face):
    with pytest.raises(ValueError, match="residual_cnn"):
        services.predict(face, "residual_net")


def test_results_cannot_be_changed(face):
    with pytest.raises(dataclasses.FrozenInstanceError):
        services.predict(face).logits = None


def test_the_default_network_stands_first():
    assert services.network_names()[0] == services.DEFAULT_NETWORK


def test_a_network_is_opened_once_and_again_when_its_checkpoint_changes(tmp_path, monkeypatch):
    card = services.open_network("residual_cnn").card
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    untrained = services.open_network("residual_cnn")
    assert not untrained.trained
    assert services.open_network("residual_cnn") is untrained
    checkpoints.save_checkpoint(tmp_path / "residual_cnn", create_model("residual_cnn"), card)
    assert services.open_network("residual_cnn").trained


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone(tmp_path, monkeypatch, face):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    services._opened.clear()
    first = services.predict(face, "vanilla_cnn").logits
    assert torch.equal(torch.rand(1), expected)
    services._opened.clear()
    assert torch.equal(services.predict(face, "vanilla_cnn").logits, first)


def test_high_and_low_make_up_what_the_network_sees(face):
    parts = services.frequencies(face, cutoff=0.1)
    pixels = services.open_network(services.DEFAULT_NETWORK).see(face)
    torch.testing.assert_close(parts.original, pixels, atol=1e-6, rtol=0)


def test_all_terms_give_the_picture_back(face):
    result = services.spectrum(face, k=48)
    torch.testing.assert_close(result.approximation, result.pixels, atol=1e-4, rtol=0)
    assert result.energy[-1] == pytest.approx(1)
    assert (result.sigma.diff() <= 0).all()
