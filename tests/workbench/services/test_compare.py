"""Several networks side by side: predictions, similarity of maps, and what is not counted."""

import dataclasses

import pytest
import torch

from workbench import faces, services
from workbench.services.compare import SCALES, side_by_side

NETWORKS = ("residual_cnn", "resnet18", "mobilenet_v1")  # the last one is untrained


@pytest.fixture(scope="module")
def face():
    return faces.load_sample("astronaut")


@pytest.fixture(scope="module")
def found(face):
    return services.compare(face, NETWORKS)


def test_another_class_needs_no_further_forward_pass(face, found):
    again = found.of("sad")
    asked = services.compare(face, NETWORKS, "sad")
    assert torch.equal(again.maps, asked.maps)
    assert torch.equal(again.correlation, asked.correlation)
    assert again.class_ == "sad"


def test_each_network_predicts_once_where_results_are_cached(face):
    asked = []

    def ask(face, network):
        asked.append(network)
        return services.explain(face, network)

    services.compare(face, NETWORKS[:2], "happy", ask)
    assert asked == list(NETWORKS[:2])


def test_random_weights_are_shown_but_not_counted(found):
    assert found.untrained == ("mobilenet_v1",)
    assert found.by_prediction == {"happy": ("residual_cnn", "resnet18")}
    assert {(pair.first, pair.second) for pair in found.pairs} == {("residual_cnn", "resnet18")}
    assert found.pairs[0].agree


def test_pairs_are_sorted_by_likeness(face):
    pairs = services.compare(face, side_by_side(), "happy").pairs
    likenesses = [pair.correlation for pair in pairs]
    assert len(pairs) == len(side_by_side()) * (len(side_by_side()) - 1) / 2
    assert likenesses == sorted(likenesses, reverse=True)
    assert len(set(likenesses)) > 1


def test_a_difference_turns_its_sign_with_the_order_and_stays_within_one(found):
    for scale in SCALES:
        there = found.difference("residual_cnn", "resnet18", scale)
        assert torch.equal(there, -found.difference("resnet18", "residual_cnn", scale))
        assert 0 < there.abs().max() <= 1
    assert found.difference("resnet18", "resnet18", "all classes").abs().max() == 0


def test_the_scale_of_all_classes_is_never_below_that_of_one(found):
    weak = found.of("disgust")
    assert bool((weak.tops("all classes") >= weak.tops("this class") - 1e-6).all())
    assert torch.equal(weak.tops("this class"), weak.maps.amax((1, 2)))
    assert float(weak.tops("all classes")[0]) > float(weak.tops("this class")[0])
    assert weak.tops("all networks").tolist() == len(weak.networks) * [float(weak.maps.max())]


def test_probabilities_stand_in_one_table(found):
    assert found.probabilities.shape == (3, len(found.classes))
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(3))
    assert found.classes[int(found.probabilities[0].argmax())] == "happy"


def with_contempt(face, network):
    """The answer of a network whose last class is contempt, as networks of other sets have it."""
    explanation = services.explain(face, network)
    if network != "resnet18":
        return explanation
    classes = (*explanation.prediction.classes[:-1], "contempt")
    return of_classes(explanation, classes)


def of_classes(explanation, classes):
    prediction = dataclasses.replace(explanation.prediction, classes=classes)
    return dataclasses.replace(explanation, prediction=prediction, mapped=classes)


def test_a_class_that_only_one_network_has_is_shown_and_not_compared(face):
    found = services.compare(face, NETWORKS[:2], explainer=with_contempt)
    assert found.classes[-1] == "contempt"
    assert "contempt" not in found.shared_classes
    assert found.probabilities[0, -1].isnan()
    assert not found.probabilities[1, -1].isnan()
    for class_ in ("contempt", found.explanations[0].prediction.classes[-1], "bored"):
        with pytest.raises(ValueError, match="not one of those that all have"):
            found.of(class_)


def test_a_prediction_that_another_network_lacks_gives_way_to_a_shared_class(face):
    def other(face, network):
        explanation = services.explain(face, network)
        if network == "residual_cnn":
            return explanation
        classes = tuple(f"other {name}" if name != "sad" else name for name in explanation.prediction.classes)
        return of_classes(explanation, classes)

    found = services.compare(face, NETWORKS[:2], explainer=other)
    assert found.class_ == "sad"
    assert len(found.by_prediction) == 2


def test_what_is_compared_at_first_is_trained_and_begins_with_the_default_network():
    names = side_by_side()
    assert names[0] == services.networks.DEFAULT_NETWORK
    assert len(names) >= 2
    assert all(services.networks.open_network(name).trained for name in names)
