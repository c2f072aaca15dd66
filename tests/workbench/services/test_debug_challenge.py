import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from workbench import faces, services
from workbench.services.debug_challenge import FAULTS

every_fault = pytest.mark.parametrize("fault", FAULTS)


@pytest.fixture(scope="module")
def face():
    return faces.load_sample("astronaut")


@pytest.fixture(scope="module")
def sound(face):
    return services.explain(face)


def spoiled(face, fault, **more):
    return services.debug_challenge.explain_with_fault(face, "residual_cnn", fault, **more)


@every_fault
def test_a_fault_changes_the_prediction_or_the_map_and_keeps_the_shapes(face, sound, fault):
    found = spoiled(face, fault).explanation
    assert found.prediction.classes == sound.prediction.classes
    assert found.prediction.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert found.maps().shape == sound.maps().shape
    assert torch.equal(found.pixels, sound.pixels), "the page draws the face as ever"
    same = torch.allclose(found.prediction.probabilities, sound.prediction.probabilities, atol=1e-3)
    assert not same or not torch.allclose(found.maps(), sound.maps(), atol=1e-3)


@every_fault
def test_the_open_network_comes_back_as_it_was(face, fault):
    model = services.networks.open_network("residual_cnn").model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    spoiled(face, fault, seed=5)
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()] == hooks
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_eight_threads_predict_as_one_while_others_use_the_reference_network(face, sound):
    jobs = [(fault, call) for fault in FAULTS for call in range(3)]
    alone = [spoiled(face, fault, call=call).explanation for fault, call in jobs]
    with ThreadPoolExecutor(8) as pool:
        plain = [pool.submit(services.predict, face) for _ in range(20)]
        broken = [pool.submit(spoiled, face, fault, call=call) for fault, call in jobs]
        plain += [pool.submit(services.predict, face) for _ in range(20)]
    for expected, future in zip(alone, broken, strict=True):
        found = future.result().explanation
        torch.testing.assert_close(found.prediction.logits, expected.prediction.logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.atlas, expected.atlas, atol=1e-4, rtol=1e-3)
    for future in plain:
        torch.testing.assert_close(future.result().logits, sound.prediction.logits, atol=1e-4, rtol=1e-4)


def test_labels_keep_every_probability_and_every_map_under_another_name(face, sound):
    found = spoiled(face, "labels", seed=4).explanation
    mine, theirs = found.prediction.probabilities, sound.prediction.probabilities
    torch.testing.assert_close(mine.sort().values, theirs.sort().values)
    assert not (mine == theirs).any(), "no class keeps its name"
    predicted, right = found.prediction.predicted, sound.prediction.predicted
    assert predicted != right
    assert torch.equal(found.map_of(predicted), sound.map_of(right))


def test_the_detail_of_the_labels_says_who_is_called_what(face, sound):
    found = spoiled(face, "labels", seed=4)
    said = f"{sound.prediction.predicted} is shown as {found.explanation.prediction.predicted}"
    assert said in found.detail.split(", ")


def test_a_wrong_layer_leaves_the_prediction_and_changes_the_map(face, sound):
    found = spoiled(face, "layer")
    assert torch.equal(found.explanation.prediction.logits, sound.prediction.logits)
    assert found.explanation.layer != sound.layer
    assert found.explanation.extent[0] > sound.extent[0]


def test_training_mode_predicts_anew_each_time_and_the_same_under_the_same_number(face):
    first, again, other = (spoiled(face, "training", call=n).explanation.prediction.logits for n in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.01


def test_training_mode_is_what_pytorch_does_in_training(face):
    net = services.networks.open_network("resnet18")  # it has batch-norm, and no dropout
    found = services.debug_challenge.explain_with_fault(face, "resnet18", "training", call=7)
    batch = torch.cat([net.prepare(one) for one in (face, *services.debug_challenge._other_images(7))])
    twin = copy.deepcopy(net.model).train()
    with torch.no_grad():
        expected = twin(batch)[0]
    torch.testing.assert_close(found.explanation.prediction.logits, expected, atol=1e-4, rtol=1e-4)


def test_a_rotated_image_is_mended_by_turning_the_face_back(face, sound):
    predicted = [
        services.debug_challenge.predict_with_fault(
            [services.debug_challenge.rotated(face, q)], "residual_cnn", "rotated", 1
        )[0]
        for q in range(4)
    ]
    nearest = min((a.probabilities - sound.prediction.probabilities).abs().max() for a in predicted)
    assert nearest < 0.02
    assert (predicted[0].probabilities - sound.prediction.probabilities).abs().max() > 0.3


def test_wrong_normalization_feeds_pixels_up_to_255_and_forgets_the_face(face):
    found = spoiled(face, "normalization")
    assert found.inputs.max() > 100
    everybody = [faces.load_sample(s.name) for s in faces.samples()]
    broken = services.debug_challenge.predict_with_fault(everybody, "residual_cnn", "normalization")
    assert len({p.predicted for p in broken}) < len({services.predict(one).predicted for one in everybody})


def test_predictions_to_several_faces_are_those_of_the_explanations(face):
    for fault in FAULTS:
        call = services.debug_challenge.predict_with_fault([face], "residual_cnn", fault, seed=2, call=3)[0]
        found = spoiled(face, fault, seed=2, call=3).explanation.prediction
        torch.testing.assert_close(call.logits, found.logits)


def test_a_number_stands_for_the_same_fault_and_each_round_holds_every_fault_once():
    names = [services.debug_challenge.fault_of(seed).name for seed in range(1, 21)]
    assert names == [services.debug_challenge.fault_of(seed).name for seed in range(1, 21)]
    assert all(set(names[i : i + 5]) == set(FAULTS) for i in (0, 5, 10, 15))
    assert len({tuple(names[i : i + 5]) for i in (0, 5, 10, 15)}) > 1


def test_a_network_has_only_the_faults_that_it_can_have():
    assert {f.name for f in services.debug_challenge.possible_faults("ensemble")} >= {
        "normalization",
        "rotated",
        "labels",
    }
    assert "layer" not in {f.name for f in services.debug_challenge.possible_faults("ensemble")}
    assert {f.name for f in services.debug_challenge.possible_faults("residual_cnn")} == set(FAULTS)


@pytest.mark.parametrize(("network", "fault"), [("residual_cnn", "gremlins"), ("ensemble", "layer")])
def test_a_fault_that_cannot_be_is_refused(face, network, fault):
    with pytest.raises(ValueError, match="fault="):
        services.debug_challenge.explain_with_fault(face, network, fault)


def test_a_network_without_maps_can_have_a_fault_too(face):
    found = services.debug_challenge.explain_with_fault(face, "ensemble", "labels", seed=1)
    assert found.explanation.atlas is None
    assert found.explanation.prediction.predicted != services.predict(face, "ensemble").predicted
