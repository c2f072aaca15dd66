"""Attention rolled out through a chain of transformer blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.analysis.attention import (
    rollout,
)


def test_rollout_is_the_product_of_the_blocks_written_out():
    chain = [torch.rand(2, heads, 5, 5, generator=torch.Generator().manual_seed(heads)) for heads in (1, 2, 4)]
    chain = [A / A.sum(-1, keepdim=True) for A in chain]
    found = rollout(chain)
    for image in range(2):
        expected = np.eye(5)
        for A in chain:
            expected = (A[image].numpy().mean(0) + np.eye(5)) / 2 @ expected
        np.testing.assert_allclose(found[image], expected, atol=1e-6)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 5))


def test_rollout_follows_a_token_that_is_passed_on():
    shift = torch.eye(4).roll(1, 1)[None, None]  # token i takes from token i + 1, all of it
    torch.testing.assert_close(rollout([shift])[0, 0], torch.tensor([0.5, 0.5, 0, 0]))
    torch.testing.assert_close(rollout([shift, shift])[0, 0], torch.tensor([0.25, 0.5, 0.25, 0]))
    stay = torch.eye(4)[None, None]
    torch.testing.assert_close(rollout([stay] * 5), stay[0])


@pytest.mark.parametrize(
    ("attentions", "message"),
    [
        ([], "attentions has shapes"),
        ([torch.eye(3)[None, None], torch.eye(4)[None, None]], "attentions has shapes"),
        ([torch.ones(1, 1, 2, 3)], "attentions has shapes"),
        ([torch.ones(1, 1, 2, 2)], "rows have to sum to 1"),
    ],
)
def test_what_cannot_be_rolled_out_is_refused(unchecked, attentions, message):
    with pytest.raises(ValueError, match=message):
        rollout(attentions)
