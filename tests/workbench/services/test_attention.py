"""Attention maps and ablations, while other threads use the same network."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models import get_spec
from workbench import faces, services
from workbench.analysis import attention

BAM = "resnet18_bam"


@pytest.fixture(scope="module")
def face():
    return faces.load_sample("astronaut")


@pytest.mark.parametrize("network", [BAM, "resnet18_svd_hfc", "multibranch_dsc_cbam"])
def test_every_module_is_opened_in_the_order_of_the_forward_pass(face, network):
    found = services.attention.attention_modules(face, network)
    assert tuple(module.layer for module in found.modules) == get_spec(network).attention_layers
    for module in found.modules:
        gate = module.gate
        assert gate.spatial
        assert 0 <= float(gate.values.min()) <= float(gate.values.max()) <= 1
        assert found.over_face(gate.values[0]).shape == found.pixels.shape
        assert module.heads == ()
        assert module.named(gate.title) is gate


def test_a_transformer_has_heads_and_ends_in_their_rollout(face):
    sca, block = services.attention.attention_modules(face, "hybrid_efficientnet_lite0").modules
    assert sca.heads == ()
    assert len(block.heads) == 8
    assert block.gate.title.startswith("rollout")
    for found in (*block.heads, block.gate):
        torch.testing.assert_close(found.pairs.sum(-1), torch.ones(found.pairs.shape[:-1]))


def test_a_network_without_attention_has_no_modules_and_is_not_offered(face):
    assert services.attention.attention_modules(face, "residual_cnn").modules == ()
    offered = services.attention.networks_with_attention()
    assert "residual_cnn" not in offered
    assert services.networks.open_network(offered[0]).trained
    with pytest.raises(ValueError, match="no spatial attention"):
        services.attention.cam_correlation(face, "residual_cnn")


def test_switched_off_is_what_the_network_predicts_with_the_module_disabled(face):
    net = services.networks.open_network(BAM)
    twin, off = copy.deepcopy(net.model), ("attention.0", "attention.2")
    for name in off:
        twin.get_submodule(name).enabled = False
    found = services.attention.ablation(face, BAM, off, "identity")
    with torch.no_grad():
        torch.testing.assert_close(found.without, twin(net.prepare(face))[0])
    prediction = services.predict(face, BAM)
    torch.testing.assert_close(found.logits, prediction.logits)
    torch.testing.assert_close(found.probabilities, prediction.probabilities)
    assert found.predicted == prediction.predicted
    assert all(net.model.get_submodule(name).enabled for name in net.spec.attention_layers)


def test_with_nothing_off_nothing_changes(face):
    found = services.attention.ablation(face, BAM, ())
    assert torch.equal(found.logits, found.without)
    assert found.largest_change[1] == 0
    assert found.predicted_without == found.predicted


def test_a_module_that_is_none_is_named(face):
    with pytest.raises(ValueError, match="layer1"):
        services.attention.ablation(face, BAM, ["layer1"])


def test_each_module_is_switched_off_alone_and_then_all_together(face):
    rows, layers = services.attention.ablation_each(face, BAM), get_spec(BAM).attention_layers
    assert [row.off for row in rows] == [*((layer,) for layer in layers), layers]
    for row in (rows[1], rows[-1]):
        torch.testing.assert_close(row.without, services.attention.ablation(face, BAM, row.off).without)
        class_, change = row.largest_change
        assert change == pytest.approx(float((row.without - row.logits)[row.classes.index(class_)]))
        assert abs(change) == pytest.approx(float((row.without - row.logits).abs().max()))
    alone = "singlebranch_conv_cbam"
    assert [row.off for row in services.attention.ablation_each(face, alone)] == [get_spec(alone).attention_layers]


def test_visitors_who_switch_do_not_disturb_those_who_predict():
    people = [faces.load_sample(sample.name) for sample in faces.samples()][:2]
    layers = get_spec(BAM).attention_layers
    questions = [(face, layers[:count]) for count in (0, 1, 2, 4) for face in people]

    def ask(question):
        face, off = question
        if not off:
            return services.predict(face, BAM).logits, services.attention.attention_modules(face, BAM).modules[
                2
            ].gate.values
        return services.predict(face, BAM).logits, services.attention.ablation(face, BAM, off).without

    alone = [ask(question) for question in questions]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(ask, questions * 2))
    for mine, theirs in zip(alone * 2, together, strict=True):
        for own, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(own, other)


def test_attention_stands_beside_the_maps_of_every_class(face):
    network = "multibranch_dsc_cbam"
    found = services.attention.cam_correlation(face, network)
    assert found.correlation.shape == (len(get_spec(network).attention_layers), len(found.classes))
    assert found.predicted == "happy"
    low, high = found.extent
    assert -1 <= low < 0 < high <= 1, "if attention were the explanation, it would not run against a map"


def test_class_branches_are_described_for_networks_that_have_them(face):
    assert services.attention.branches(face, BAM) is None
    found = services.attention.branches(face, "hybrid_efficientnet_lite0")
    k = len(found.classes)
    assert found.change.shape == (k, k)
    assert found.strength.shape == (k,)
    for name in found.own:
        row = found.change[found.classes.index(name)]
        assert float(row[found.classes.index(name)]) == float(row.min())


def test_the_rollout_of_a_vision_transformer_is_the_mean_row_of_the_product_of_its_blocks(face):
    found = services.attention.attention_rollout(face, "vit_tiny")
    net = services.networks.open_network("vit_tiny")
    steps = attention.steps_of(net.model, net.prepare(face), net.spec.attention_layers)
    product = torch.eye(64)
    for block in steps.values():
        product = (block.attention[0].mean(0) + torch.eye(64)) / 2 @ product
    torch.testing.assert_close(found.values, product.mean(0).view(8, 8))
    assert found.blocks == 6
    assert found.over_face.shape == found.pixels.shape
    for other in ("residual_cnn", "hybrid_efficientnet_lite0"):  # no blocks, a single one
        assert services.attention.attention_rollout(face, other) is None
