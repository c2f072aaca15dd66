"""What lessons compute, on shipped networks, drawn faces and stored predicted."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.checkpoint_folders import knows, put

from models import checkpoints, get_spec, lineage
from models.checkpoints import read_predictions
from models.datasets.audit import leaked
from workbench import faces, services
from workbench.analysis import cam
from workbench.analysis.activations import forward_from
from workbench.services import lessons
from workbench.services.lessons import judgements, transfer
from workbench.services.lessons.common import fields

HAPPY = faces.load_sample("drawn_happy")


def named(result) -> dict:
    return {symbol.name: symbol for symbol in result.symbols}


def test_the_nine_fields_of_a_map_are_shares_row_by_row():
    map_ = torch.zeros(6, 9)
    map_[4:, :3] = 3.0  # lower left
    assert fields(map_).tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert fields(torch.zeros(6, 6)).sum() == 0


def test_the_lesson_on_convolution_shows_the_grad_cam_of_the_prediction():
    found, net = lessons.convolution(HAPPY, "residual_cnn"), services.networks.open_network("residual_cnn")
    index = net.classes.index(found.predicted)
    expected = cam.gradcam(net.model, net.prepare(HAPPY), [index], found.layer, size=(48, 48))[0, 0]
    assert torch.allclose(found.heat, expected, atol=1e-6)
    assert found.shares.sum() == pytest.approx(1, abs=1e-5)
    assert named(found)["A^k"].shape == (256, 6, 6)


def test_the_kernel_that_the_lesson_shows_adds_its_map_times_its_weight():
    found, net = lessons.convolution(HAPPY, "residual_cnn"), services.networks.open_network("residual_cnn")
    with torch.no_grad():
        A = forward_from(net.model, net.prepare(HAPPY), found.layer).A
    assert torch.allclose(found.term, found.weight * A[0, found.most], atol=1e-6)
    assert found.term.sum() > 0, "of 256 kernels one at least speaks for the answer"


def test_the_first_convolution_responds_as_its_weights_say():
    found, net = lessons.convolution(HAPPY, "residual_cnn"), services.networks.open_network("residual_cnn")
    expected = F.conv2d(net.prepare(HAPPY), found.kernels[:, None], padding=1)[0]
    assert torch.allclose(found.responses, expected, atol=1e-5)


def test_the_filtered_channels_add_up_to_the_full_convolution():
    found, net = lessons.separable(HAPPY, "residual_cnn"), services.networks.open_network("residual_cnn")
    conv, taken = net.model.get_submodule(found.layer), []
    with conv.register_forward_hook(lambda _m, _i, output: taken.append(output)), torch.no_grad():
        net.model(net.prepare(HAPPY))
    assert torch.allclose(found.terms.sum(0), taken[0][0, found.output], atol=1e-4)


def test_a_separable_pair_costs_what_its_formula_says():
    found = lessons.separable(HAPPY, "residual_cnn")
    k, C, D = found.kernel, found.channels, found.outputs
    assert 1 / found.factor == pytest.approx(1 / D + 1 / k**2)
    assert found.operations[0] == k * k * C * D * found.positions
    assert found.operations[0] / found.operations[1] == pytest.approx(found.factor)
    assert found.parameters[1] < found.parameters[0]


def test_the_convolution_that_is_taken_apart_has_maps_to_look_at():
    assert lessons.separable(HAPPY, "resnet18").positions >= 36


def test_a_network_without_full_convolutions_is_not_taken_apart():
    assert lessons.own_or_first("mobilenet_v2", lessons.has_full_convolutions) == "residual_cnn"
    with pytest.raises(ValueError, match="no full convolution"):
        lessons.separable(HAPPY, "mobilenet_v2")


@pytest.mark.parametrize("network", ["resnet18_bam", "multibranch_dsc_cbam"])
def test_channel_weights_do_not_depend_on_positions(network):
    found = lessons.channel_attention(HAPPY, network)
    assert not torch.equal(found.map_, found.shuffled)
    assert torch.equal(found.map_.flatten(1).sort(1).values, found.shuffled.flatten(1).sort(1).values)
    assert found.change < 1e-4
    assert found.weights.std() > 0


def test_bam_favors_places_and_cbam_turns_them_down():
    bam, cbam = (
        lessons.spatial_attention(HAPPY, "resnet18_bam"),
        lessons.spatial_attention(HAPPY, "multibranch_dsc_cbam"),
    )
    assert bam.residual
    assert not cbam.residual
    assert 1 < bam.factor.min() <= bam.factor.max() < 2
    assert 0 < cbam.factor.min() <= cbam.factor.max() < 1


def test_bam_reaches_further_than_cbam_and_leaves_gaps():
    bam, cbam = (
        lessons.spatial_attention(HAPPY, "resnet18_bam"),
        lessons.spatial_attention(HAPPY, "multibranch_dsc_cbam"),
    )

    def far(found):
        lit = (found.reach[4] > 0.01).nonzero()
        return int((lit - torch.tensor(found.positions[4])).abs().max()), len(lit)

    (away, lit), (away_cbam, lit_cbam) = far(bam), far(cbam)
    assert away > away_cbam
    assert lit <= 25  # five by five points, four apart
    assert away_cbam <= 3
    assert lit_cbam <= 49


def test_the_gate_of_svd_attention_is_the_same_upside_down():
    found = lessons.gate(HAPPY, "efficientnet_lite0_svd_hfc")
    assert not torch.allclose(found.upright.x_tilde, found.flipped.x_tilde)
    assert found.change < 1e-4
    assert found.upright.a.std() > 0.01
    assert int(found.shares.argmax()) == 0


@pytest.mark.parametrize("network", ["resnet18_svd_lfc", "resnet18_svd_hfc_lfc_hl"])
def test_the_gate_names_the_query_that_the_network_has(network):
    names = named(lessons.gate(HAPPY, network))
    assert (r"\sigma_l" if network.endswith("lfc") else r"\sigma_h") in names


def test_self_attention_of_a_hybrid_is_that_of_its_own_block():
    found = lessons.self_attention(HAPPY, "hybrid_efficientnet_lite0")
    assert found.trained
    assert found.layer == "transformer"
    assert len(found.near) == 8
    assert found.attention_from(0).shape == found.pixels.shape
    n = found.size[0]
    assert torch.allclose(found.pairs.sum(1), torch.ones(n * n))
    assert found.equal == pytest.approx((3 * n - 2) ** 2 / n**4), "pairs of neighbors, themselves included"


def test_low_frequencies_suffice_from_the_last_change_of_the_prediction_on():
    found = lessons.low_frequencies(HAPPY, "residual_cnn")
    predicted = found.response.low.argmax(1)
    whole = int(found.response.whole.argmax())
    at = int((found.response.cutoffs - found.enough).abs().argmin())
    assert (predicted[at:] == whole).all()
    assert at == 0 or predicted[at - 1] != whole


def test_no_cut_off_is_enough_where_the_last_one_gives_another_prediction(monkeypatch):
    from dataclasses import replace

    from workbench.services.lessons import frequency

    real = frequency.frequency_response(HAPPY, "residual_cnn")
    other = (int(real.whole.argmax()) + 1) % 7
    low = torch.nn.functional.one_hot(torch.full((len(real.cutoffs),), other), 7).float()
    monkeypatch.setattr(frequency, "frequency_response", lambda *_: replace(real, low=low))
    assert frequency.low_frequencies(HAPPY, "residual_cnn").enough is None


@pytest.mark.parametrize("network", ["residual_cnn", "rarn"])
def test_the_recall_of_the_smallest_class_is_counted_from_stored_predictions(network):
    found, stored = lessons.imbalance(network), read_predictions(network, "PrivateTest")
    mine = stored.labels == found.rarest
    assert found.classes[found.rarest] == "disgust"
    share = float((stored.logits[mine].argmax(1) == found.rarest).double().mean())
    assert found.recalls[found.rarest][0] == pytest.approx(share)
    assert found.balanced < found.accuracy[0]
    assert all(float(shares.sum()) == pytest.approx(1) for shares in found.loss_shares.values())
    assert torch.allclose(found.loss_shares["inverse"], torch.full((7,), 1 / 7, dtype=torch.float64))


@pytest.mark.parametrize("network", ["residual_cnn", "rarn"])
def test_a_range_of_confidence_is_judged_by_counting(network):
    found, stored = lessons.calibration(HAPPY, network), read_predictions(network, "PrivateTest")
    sure = stored.logits.softmax(1).amax(1)
    inside = (sure >= found.low) & (sure < found.high)
    right = (stored.logits.argmax(1) == stored.labels)[inside]
    assert found.count == len(right) > 100
    assert found.right[0] == pytest.approx(float(right.double().mean()))
    assert found.low <= found.confidence <= found.high
    assert found.after.ece < found.before.ece


def test_accuracy_is_the_mean_of_leaked_and_other_images():
    found = lessons.leakage("residual_cnn")
    share = found.near / found.n_images
    assert found.all_[0] == pytest.approx(share * found.on_leaked[0] + (1 - share) * found.without[0])
    assert found.gain == pytest.approx(share * (found.on_leaked[0] - found.without[0]))
    assert found.exact < found.near == len(leaked("PrivateTest"))
    assert found.near < found.resplit * found.n_images


def test_lessons_on_stored_predictions_take_a_network_that_has_them():
    assert not lessons.with_predictions("mobilenet_v1")
    assert lessons.own_or_first("mobilenet_v1", lessons.with_predictions) == "residual_cnn"
    assert lessons.own_or_first("rarn", lessons.with_predictions) == "rarn"


def test_a_lesson_takes_the_first_trained_network_that_suits():
    suits = lessons.has_svd
    first = next(name for name in services.networks.network_names() if suits(services.networks.get_spec(name)))
    assert lessons.network_for("residual_cnn", suits) == first
    assert services.networks.is_trained(first)
    assert lessons.network_for(first, suits) == first
    assert lessons.network_for("ensemble", lambda spec: spec.cam_layer is not None) == "residual_cnn"
    assert lessons.own_or_first("vgg16", lessons.trained_with_maps) == "residual_cnn"
    assert lessons.own_or_first("resnet18", services.networks.is_trained) == "resnet18"
    with pytest.raises(ValueError, match="No network here is suitable"):
        lessons.network_for("residual_cnn", lambda spec: False)


def test_symbols_carry_the_range_of_their_tensors():
    found = lessons.spatial_attention(HAPPY, "resnet18_bam")
    symbol = named(found)["M_s"]
    assert symbol.shape == tuple(found.factor.shape)
    assert symbol.low < symbol.high
    assert all(np.isfinite([s.low, s.high]).all() for s in found.symbols)


@pytest.mark.parametrize("network", ["vulpe_cnn", "senet50"])
def test_the_first_lessons_take_other_architectures(network):
    assert get_spec(network).cam_layer
    assert lessons.convolution(HAPPY, network).shares.sum() in (0, pytest.approx(1, abs=1e-4))
    assert lessons.separable(HAPPY, network).factor > 1


def test_both_splits_are_compared_by_cards_of_one_network_trained_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    put("first", knows(range(3)))
    put("second", knows(range(5)), split="kaggle-oheix", seed=1)
    assert judgements._on_both_splits() is None, "the seeds differ"
    put("experiments/third", knows(range(6)), split="kaggle-oheix")
    a, b = (checkpoints.read_card(n).metrics["PrivateTest"]["plain"]["accuracy"] for n in ("first", "third"))
    assert judgements._on_both_splits() == (a, b)


def test_the_lessons_on_cbam_take_cbam_and_its_module_that_differs_most_between_faces():
    chosen = lessons.network_with_cbam("residual_cnn")
    assert get_spec(chosen).attention == "CBAM"
    assert services.networks.is_trained(chosen)
    assert lessons.network_with_cbam("hybrid_efficientnet_lite0") == chosen, "SCA is not CBAM"
    assert lessons.network_with_cbam("resnet18_bam") == "resnet18_bam"
    gates = [gate for module in services.gates.stored_gates(chosen).modules for gate in module.gates]
    for title, found in (
        ("channel weights", lessons.channel_attention(HAPPY, chosen)),
        ("spatial map", lessons.spatial_attention(HAPPY, chosen)),
    ):
        deviation = {gate.gate.layer: gate.deviation for gate in gates if gate.gate.title == title}
        assert found.layer == max(deviation, key=deviation.get)


def test_the_lesson_on_self_attention_takes_a_network_whose_predictions_need_it():
    name = lessons.network_with_self_attention("residual_cnn")
    assert services.networks.is_trained(name)
    changed, images = lessons.self_attention(HAPPY, name).effect
    assert changed > 0
    assert "images of PublicTest" in images
    assert lessons.network_with_self_attention("vit_tiny") == "vit_tiny"
    assert lessons.self_attention(HAPPY, "vit_tiny").effect is None


def test_the_lesson_on_constant_gates_takes_the_network_with_the_most_constant_ones():
    name = lessons.network_with_constant_gates("residual_cnn")
    found, stored = lessons.constant_gates(HAPPY, name), services.gates.stored_gates(name)
    assert found.changed_mean == stored.modules[-1].changed_mean
    constant = [gate for gate in found.gates if gate.constant]
    assert found.gates[found.shown].saturated == min(gate.saturated for gate in constant)
    assert all(len(values) == len(found.values) <= 4096 for _, values in found.others.values())
    assert found.values.min() >= 0
    assert found.values.max() <= 1
    assert lessons.network_with_constant_gates("multibranch_dsc_cbam") == "multibranch_dsc_cbam"
    assert not lessons.has_gate_statistics("resnet18")
    with pytest.raises(ValueError, match="no statistics of its gates"):
        lessons.constant_gates(HAPPY, "resnet18")


def test_a_gate_that_depends_on_the_input_differs_between_face_and_noise():
    found = lessons.constant_gates(HAPPY, "hybrid_efficientnet_lite0")
    assert (found.values - found.others["noise"][1]).abs().max() > 0.01
    assert all(gate.gate.neutral is not None for gate in found.gates), "self-attention has no neutral gate"


def test_confidence_is_compared_between_faces_and_images_without_one():
    found = lessons.ood_confidence(HAPPY, "residual_cnn")
    logits = read_predictions("residual_cnn", "PrivateTest").logits
    assert len(found.known) == len(logits)
    for pixels, p in found.views.values():
        assert float(p.sum()) == pytest.approx(1, abs=1e-5)
        assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
    assert torch.equal(found.views["upside down"][0], found.views["as it is"][0].flip(0))
    plain, shuffled = (found.views[name][0] for name in ("as it is", "shuffled patches"))
    assert torch.equal(plain.flatten().sort().values, shuffled.flatten().sort().values)
    assert not torch.equal(plain, shuffled)
    assert len(found.foreign["no face"]) == 28
    assert found.tiles.shape == (5 * 32, 5 * 32)
    assert 1 / 7 <= found.without_a_face <= 1
    assert all(0 <= value <= 1 for value in found.separable.values())


def test_auroc_counts_pairs_in_order_and_ties_by_half():
    assert lessons.auroc(torch.tensor([0.9, 0.8]), torch.tensor([0.1])) == 1
    assert lessons.auroc(torch.tensor([0.5]), torch.tensor([0.5])) == 0.5
    assert lessons.auroc(torch.tensor([0.2, 0.9]), torch.tensor([0.5])) == 0.5


def test_the_lesson_on_transfer_learning_reads_its_trainings_and_says_what_was_not_run(tmp_path, monkeypatch):
    found = lessons.transfer_learning()
    assert set(found.variants) == set(lessons.VARIANTS)
    assert found.variants["frozen"].trainable < found.variants["transfer"].trainable
    card = checkpoints.read_card(found.network)
    assert found.variants["transfer"].on_fer2013[0] == card.metrics["PrivateTest"]["plain"]["accuracy"]
    run = {known.recipe for known in judgements.cards().values() if known.network == found.network}
    assert {recipe for recipe, variant in found.variants.items() if variant.on_fer2013} == run & set(lessons.VARIANTS)
    assert len(found.epochs) == card.epochs
    best, (accuracy, low, high) = lessons.best_without_imagenet()
    alone = checkpoints.read_card(best)
    assert "ImageNet" not in lineage.ancestors(alone)
    assert low < accuracy == alone.metrics["PrivateTest"]["plain"]["accuracy"] < high
    monkeypatch.setattr(transfer, "RESULTS", tmp_path / "none.json")
    with pytest.raises(ValueError, match="git checkout"):
        lessons.transfer_learning()
