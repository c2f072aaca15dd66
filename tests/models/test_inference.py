"""The copy for inference gives the same logits with fewer layers, and leaves the network as it was."""

import pytest
import torch
from torch import nn

from models import create_model
from models.inference import for_inference


def settled(model: nn.Module) -> nn.Module:
    """The network with running statistics that are not those of a new one."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 2, generator=generator)
            nn.init.normal_(module.bias, generator=generator)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    ("name", "options", "left"),
    [("residual_cnn", {"width": 4}, 0), ("vanilla_cnn", {"width": 4, "channels": 3}, 0), ("vulpe_cnn", {}, 4)],
    ids=str,
)
def test_batch_norm_after_a_convolution_is_folded_and_logits_stay(name, options, left):
    model, channels = settled(create_model(name, **options)), options.get("channels", 1)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x = torch.randn(2, channels, 32, 32)
    quick = for_inference(model, x)
    assert norms(quick) == left  # in vulpe_cnn an activation lies between
    with torch.inference_mode():
        torch.testing.assert_close(quick(2 * x), model(2 * x), atol=1e-4, rtol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(ValueError, match="shape"):
        quick(torch.zeros(1, 2, 32, 32))


class Shared(nn.Module):
    """A convolution whose output is read by batch norm and by a shortcut."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.conv(x)
        return (x + self.norm(x)).mean((2, 3))


def test_a_network_that_folding_would_change_is_returned_itself():
    model = settled(Shared())
    assert for_inference(model, torch.randn(1, 1, 8, 8)) is model
    assert norms(model) == 1
