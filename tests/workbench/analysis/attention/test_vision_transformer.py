"""Attention rollout of timm's vision transformers is the product of Abnar and Zuidema, and leaves the network alone."""

import pytest
import timm
import torch
from helpers.small_networks import state_of

from workbench.analysis.attention import attention_weights, rollout_of

VIT = {"embed_dim": 16, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 16, "num_classes": 3}


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_base_patch16_reg4_gap_256"])
def test_rollout_equals_the_product_by_hand(name):
    torch.manual_seed(0)
    model = timm.create_model(name, **VIT).eval()
    x, before = torch.randn(2, 3, 32, 32), state_of(model)
    prefix = model.num_prefix_tokens
    reshape = f"tokens:{prefix}"
    found = rollout_of(model, x, reshape)
    assert state_of(model) == before
    tokens, product = [], torch.eye(4 + prefix)
    hooks = [block.attn.register_forward_pre_hook(lambda m, i: tokens.append(i[0])) for block in model.blocks]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    for block, t in zip(model.blocks, tokens, strict=True):
        q, k, _ = block.attn.qkv(t).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / 8**0.5).softmax(-1).mean(1)
        product = (weights + torch.eye(4 + prefix)) / 2 @ product
    row = product[:, 0] if prefix == 1 else product[:, prefix:].mean(1)
    assert torch.allclose(found, row[:, prefix:].unflatten(1, (2, 2)), atol=1e-5)


def test_networks_with_windows_or_without_attention_are_refused():
    swin = {"embed_dim": 8, "depths": (1, 1), "num_heads": (1, 1), "img_size": 32, "window_size": 4, "num_classes": 3}
    for model in (timm.create_model("swin_tiny_patch4_window7_224", **swin), torch.nn.Conv2d(3, 3, 1)):
        with pytest.raises(ValueError, match="plain vision transformer"):
            rollout_of(model.eval(), torch.randn(1, 3, 32, 32))
    assert attention_weights(torch.nn.Conv2d(3, 3, 1), torch.randn(1, 3, 32, 32)) == {}
