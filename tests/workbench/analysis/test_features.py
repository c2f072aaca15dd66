"""Penultimate features are what the last linear layer gets; components and neighbors agree with plain arithmetic."""

import pytest
import torch
from torch import nn

from workbench.analysis.features import nearest, penultimate_features, principal_components


def network() -> nn.Module:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(body, nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def test_features_give_the_logits_through_the_last_layer_and_the_network_comes_back():
    model, x = network().train(), torch.rand(5, 1, 8, 8)
    found = penultimate_features(model, x)
    assert found.shape == (5, 8)
    assert model.training
    torch.testing.assert_close(model[-1](found), model(x))
    assert all(not module._forward_hooks for module in model.modules())


def test_a_network_without_a_linear_end_is_refused():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="no linear layer that puts out the logits"):
        penultimate_features(model, torch.rand(2, 1, 8, 8))


def test_components_span_the_largest_variance_and_say_how_much_they_keep():
    torch.manual_seed(0)
    features = torch.randn(200, 6) * torch.tensor([9.0, 5.0, 1.0, 0.5, 0.1, 0.01]) + 3
    found = principal_components(features, 2)
    centered = features.double() - features.double().mean(0)
    values = torch.linalg.svdvals(centered).square()
    assert found.kept == pytest.approx(float(values[:2].sum() / values.sum()), rel=1e-6)
    torch.testing.assert_close(found.components @ found.components.T, torch.eye(2), atol=1e-5, rtol=0)
    whole = principal_components(features, 100)
    assert whole.components.shape == (6, 6)
    torch.testing.assert_close(whole(features).square().sum(), (features - features.mean(0)).square().sum())
    for wrong in (features[:1], features):
        with pytest.raises(ValueError, match="at least two rows and one component"):
            principal_components(wrong, 0 if len(wrong) > 1 else 2)


def test_neighbors_are_exact_and_nearest_first():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    indices, distances = nearest(torch.zeros(2), rows, 5)
    assert indices.tolist() == [0, 2, 1]
    assert distances.tolist() == [0, 1, 5]
