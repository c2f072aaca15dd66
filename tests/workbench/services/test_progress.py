"""What a page shows while it waits: every slow computation reports as many forward passes as it was said to need."""

from __future__ import annotations

import pytest
import torch

from workbench import services
from workbench.analysis.corruptions import CORRUPTIONS
from workbench.analysis.progress import advance, reported_to, steps
from workbench.faces import load_sample
from workbench.services import gates
from workbench.services.explain import PASSES_OF_A_MAP, map_by_layer
from workbench.services.networks import open_network
from workbench.services.robustness import occlusion, occlusion_count

NAME, GATED = "residual_cnn", "multibranch_dsc_cbam"
FACE = load_sample("drawn_happy")


def reported(compute) -> int:
    seen = []
    with reported_to(seen.append):
        compute()
    return sum(seen)


@pytest.mark.parametrize(
    ("compute", "count"),
    [
        (lambda: services.robustness(FACE, NAME, "rotation"), lambda: len(CORRUPTIONS["rotation"].values)),
        (lambda: occlusion(FACE, NAME, "happy"), lambda: occlusion_count(NAME)),
        (lambda: services.frequency.frequency_response(FACE, NAME), lambda: 49),
        (lambda: services.svd.rank_predictions(FACE, NAME), lambda: open_network(NAME).input_size + 1),
        (lambda: services.prediction.uncertainty(FACE, NAME), lambda: services.prediction.uncertainty_count(NAME)),
        (lambda: gates.drawn_gates(GATED), lambda: gates.gate_passes(GATED)),
        (lambda: map_by_layer(FACE, NAME, "happy", "stage3"), lambda: PASSES_OF_A_MAP),
    ],
)  # fmt: skip
def test_all_forward_passes_are_reported(compute, count):
    assert reported(compute) == count()


def test_an_attack_reports_no_more_than_its_most():
    assert 0 < reported(lambda: services.adversarial.adversarial(FACE, NAME)) <= services.adversarial.passes("pgd")


def test_a_batch_is_divided_only_where_somebody_waits():
    x = torch.zeros(40, 1, 4, 4)
    assert len(steps(x)) == 1
    with reported_to(lambda _: None):
        assert [len(part) for part in steps(x)] == [8, 8, 8, 8, 8]


def test_who_waits_may_end_the_computation():
    def stop(_):
        raise InterruptedError

    with pytest.raises(InterruptedError), reported_to(stop):
        services.frequency.frequency_response(FACE, NAME)
    advance(1)  # nobody waits any longer
    assert services.frequency.frequency_response(FACE, NAME).low.shape == (24, 7)
