"""What paper D says of memory."""

from __future__ import annotations

import pytest

from workbench.analysis.attention import (
    memory_account,
)


def test_the_papers_600_gigabytes_are_the_product_over_the_batch():
    account = memory_account()
    assert account.kronecker_over_batch / 2**30 == 600.25
    assert account.kronecker_image / 2**30 == pytest.approx(0.586, abs=5e-4)
    assert account.kronecker_batch / 2**30 == pytest.approx(18.76, abs=5e-3)
    assert account.outer_image == 112 * 112 * 4
    with pytest.raises(ValueError, match="side=0"):
        memory_account(side=0)
