import pytest
from helpers.attention_networks import NETWORKS, network
from torch import nn

from models import get_spec, list_models
from workbench.analysis.attention import kind_named, kind_of, kinds_in
from workbench.analysis.attention.kinds import KINDS


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kinds_of_a_network_are_those_that_its_spec_lists(name):
    found = {kind_of(network(name).get_submodule(layer)).label for layer in get_spec(name).attention_layers}
    assert found == {kind.label for kind in kinds_in(get_spec(name).attention)}


@pytest.mark.parametrize("name", list_models())
def test_every_attention_that_a_spec_lists_has_a_complete_record(name):
    for kind in kinds_in(get_spec(name).attention):
        assert kind is kind_named(kind.label)
        assert kind.idea
        assert kind.source
        assert kind.effect
        assert kind.gates


def test_a_module_without_attention_is_of_no_kind_and_sca_is_not_taken_for_cbam():
    assert kind_of(nn.Conv2d(1, 1, 1)) is None
    assert kind_named("SCA").built_as == "CBAM"
    assert kinds_in("") == ()
    with pytest.raises(KeyError):
        kind_named("Swin")


def test_only_bam_keeps_its_input_beside_the_weighted_one():
    assert {kind.label for kind in KINDS if kind.residual} == {"BAM"}
