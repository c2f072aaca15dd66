"""StoredPredictions to faces of few terms, and how far a gate depends on the face."""

import pytest
import torch

from workbench import faces, services
from workbench.services.svd import RankPredictions


def test_the_prediction_for_full_rank_is_that_for_the_face():
    face = faces.load_sample("astronaut")
    found = services.svd.rank_predictions(face)
    assert found.ranks.tolist() == list(range(1, 49))
    torch.testing.assert_close(found.probabilities[-1], found.whole, atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(found.whole, services.predict(face).probabilities, atol=1e-5, rtol=1e-4)
    predicted = found.probabilities.argmax(1)
    assert (predicted[found.enough - 1 :] == found.whole.argmax()).all()
    assert found.enough == 1 or predicted[found.enough - 2] != found.whole.argmax()


@pytest.mark.parametrize(("predicted", "enough"), [((0, 0, 0), 1), ((1, 0, 0), 2), ((0, 1, 0), 3)])
def test_the_sufficient_rank_is_the_one_from_which_on_the_prediction_stays(predicted, enough):
    shares = torch.nn.functional.one_hot(torch.tensor(predicted), 2).float()
    assert RankPredictions(("a", "b"), torch.arange(1, 4), shares, shares[-1], True).enough == enough


def test_the_spread_of_a_gate_is_the_range_over_all_samples():
    network, layer = "resnet18_svd_hfc", "attention.1"
    spread = services.svd.gate_spread(network, layer)
    gates = [services.svd.svd_attention(faces.load_sample(s.name), network, layer).a[0, 0] for s in faces.samples()]
    assert spread.shape == gates[0].shape
    for gate in gates[1:]:
        assert ((gates[0] - gate).abs() <= spread + 1e-6).all()
    assert spread.max() > 0
