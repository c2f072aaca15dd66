"""A batch of faces gets the predictions and maps that each face gets alone."""

import pytest
import torch

from workbench import faces, services
from workbench.services.batch import explain_batch
from workbench.services.explain import map_by_layer


@pytest.fixture(scope="module")
def three():
    return [faces.load_sample(sample.name) for sample in faces.samples()[:3]]


@pytest.mark.parametrize("method", ["gradcam", "layercam"])
def test_maps_of_a_batch_are_those_of_each_face_alone(three, method):
    for face, found in zip(three, explain_batch(three, method=method), strict=True):
        alone = services.explain(face)
        torch.testing.assert_close(found.prediction.probabilities, alone.prediction.probabilities)
        assert found.classes == (alone.prediction.predicted,)
        assert torch.equal(found.pixels, alone.pixels)
        (heat,) = found.resized(tuple(alone.pixels.shape))
        torch.testing.assert_close(heat, alone.map_of(alone.prediction.predicted, method), rtol=1e-3, atol=1e-5)


def test_classes_and_layer_are_those_of_choice(three):
    name = services.networks.DEFAULT_NETWORK
    found = explain_batch(three[:1], layer="stage2", classes=("sad", "happy"))[0]
    assert found.classes == ("sad", "happy")
    heats = found.resized(tuple(found.pixels.shape))
    for class_, heat in zip(found.classes, heats, strict=True):
        torch.testing.assert_close(heat, map_by_layer(three[0], name, class_, "stage2"), rtol=1e-3, atol=1e-5)


def test_a_network_without_a_layer_has_predictions_and_no_maps(three):
    found = explain_batch(three[:2], "ensemble")
    assert [one.maps for one in found] == [None, None]
    with pytest.raises(ValueError, match="no layer for class activation maps"):
        found[0].resized((4, 4))


@pytest.mark.parametrize(
    ("choice", "message"),
    [({"method": "cam"}, "choose one"), ({"layer": "x"}, "x"), ({"classes": ("bored",)}, "bored")],
)
def test_an_unknown_choice_is_named(three, choice, message):
    with pytest.raises(ValueError, match=message):
        explain_batch(three[:1], **choice)
