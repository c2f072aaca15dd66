import pytest
import torch
from helpers.small_networks import Net, images, state_of

from workbench.analysis.activations import forward_from


def test_one_pass_gives_the_activation_as_the_leaf_of_a_graph_to_the_logits():
    model, x = Net().eval(), images(2)
    before = state_of(model)
    found = forward_from(model, x, "late")
    assert found.A.is_leaf
    assert found.A.shape == (2, 8, 12, 12)
    torch.testing.assert_close(found.logits, model(x))
    (gradient,) = torch.autograd.grad(found.logits.sum(), found.A)
    assert gradient.abs().sum() > 0
    assert state_of(model) == before


def test_a_missing_layer_is_named():
    with pytest.raises(ValueError, match='layer="nowhere" is not in this network'):
        forward_from(Net(), images(1), "nowhere")
