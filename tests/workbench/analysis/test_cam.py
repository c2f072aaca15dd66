"""Class activation maps: right beside the reference, safe on a shared network, and clear about wrong arguments."""

from __future__ import annotations

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import pytorch_grad_cam as reference
import torch
from helpers.small_networks import Net, images, resized_to_96_at_most, state_of
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

import models
from workbench.analysis import cam as cam_module
from workbench.analysis.cam import METHODS, atlas, gradcam

REFERENCES = {
    "gradcam": reference.GradCAM,
    "gradcam++": reference.GradCAMPlusPlus,
    "xgradcam": reference.XGradCAM,
    "hirescam": reference.HiResCAM,
    "layercam": reference.LayerCAM,
    "elementwise": reference.GradCAMElementWise,
}
NETWORKS = [name for name in models.list_models() if models.get_spec(name).cam_layer is not None]
# Over 12 million parameters, or a variant, with other attention or none, of a network that is compared: together these
# take minutes, and are compared where FERSCOPE_EVERY_NETWORK is set.
LARGE = {
    "hybrid_efficientnet_b3", "hybrid_resnet50", "hybrid_xception", "inception_v3", "inception_v4", "rarn", "resnet50",
    "resnet50_cnn", "senet50", "singlebranch_conv_cbam", "vgg16",
}  # fmt: skip
VARIANTS = {
    "efficientnet_lite0", "efficientnet_lite0_bam", "mobilenet_v2", "mobilenet_v2_bam",
    "mobilenet_v2_svd_hfc_normalized", "resnet18", "resnet18_svd_hfc_lfc", "resnet18_svd_hfc_lfc_hl",
    "resnet18_svd_hfc_normalized", "resnet18_svd_lfc",
}  # fmt: skip
COMPARED = [name for name in NETWORKS if name not in LARGE | VARIANTS or os.environ.get("FERSCOPE_EVERY_NETWORK")]


def network_with_lively_statistics(name: str) -> nn.Module:
    """Random weights, and batch-norm statistics of images: channels differ and signals keep their strength."""
    torch.manual_seed(5)
    model = models.create_model(name).train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0  # take the statistics of the one batch below
            if module.affine:
                nn.init.uniform_(module.weight, 0.7, 1.3)
                nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        model(images(6, models.get_spec(name).input_size, seed=8))
    return model.eval()


def layers_to_compare(name: str) -> list[str]:
    """The layer of the maps, and the one before it, whose gradients differ between positions."""
    layer = models.get_spec(name).cam_layer
    parent, _, child = layer.rpartition(".")
    children = models.create_model(name).get_submodule(parent).named_children()
    siblings = [key for key, module in children if list(module.parameters()) and not isinstance(module, nn.ModuleList)]
    before = siblings[: siblings.index(child)][-1:]
    return [layer, *(f"{parent}.{key}".lstrip(".") for key in before)]


def reference_maps(model: nn.Module, x: Tensor, layer: str, sizes: list[tuple[int, int] | None]) -> list[np.ndarray]:
    """pytorch-grad-cam's maps (B, M, 7, h, w) at each size; None is the layer's own, where its resizing does nothing.

    Its methods read one recording, because a forward and a backward pass for each of 42 maps would take minutes. The
    graph begins at the layer: what lies before it has no part in the gradients.
    """
    begin = (
        model.requires_grad_(False)
        .get_submodule(layer)
        .register_forward_hook(lambda _module, _inputs, output: output.detach().requires_grad_())
    )
    cams = [REFERENCES[method](model, [model.get_submodule(layer)]) for method in METHODS]
    recorder = cams[0].activations_and_grads
    for cam in cams[1:]:
        cam.activations_and_grads.release()
        cam.activations_and_grads = recorder
    logits = recorder(x)
    maps: list[list] = [[] for _ in sizes]
    for c in range(7):
        recorder.gradients = []
        logits[:, c].sum().backward(retain_graph=True)
        for size, found in zip(sizes, maps, strict=True):
            height, width = size or recorder.activations[0].shape[-2:]
            for cam in cams:
                cam.get_target_width_height = lambda _, wanted=(width, height): wanted
            targets = [ClassifierOutputTarget(c)] * len(x)
            found.append([cam.aggregate_multi_layers(cam.compute_cam_per_layer(x, targets, False)) for cam in cams])
    recorder.release()
    begin.remove()
    model.requires_grad_(True)
    return [np.array(found).transpose(2, 1, 0, 3, 4) for found in maps]  # (7, M, B, h, w) → (B, M, 7, h, w)


def min_max(maps: Tensor) -> np.ndarray:
    """The reference's own min–max, applied to unstretched maps."""
    flat = maps.flatten(0, 2).numpy()
    return scale_cam_image(scale_cam_image(flat)).reshape(maps.shape)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("vanilla_cnn", torch.float32),
        ("residual_cnn", torch.float32),
        *((name, torch.float64) for name in COMPARED),
    ],
    ids=str,
)
def test_all_maps_of_a_network_equal_those_of_pytorch_grad_cam(name, dtype):
    # In float64, because fifty layers with first weights leave float32 too few digits to compare.
    model = network_with_lively_statistics(name).to(dtype)
    side = models.get_spec(name).input_size
    x, resized = images(2, side).to(dtype), (side, side + 13)
    for layer in layers_to_compare(name) if dtype == torch.float32 else [models.get_spec(name).cam_layer]:
        expected, expected_enlarged = reference_maps(model, x, layer, [None, resized])
        drawn = expected.max((-2, -1)) > 0.5  # (B, M, 7)  a class that nothing speaks for has a blank map
        assert drawn.mean((0, 2)).min() > 0.5, "too many blank maps to compare anything"
        pairs = [(atlas(model, x, layer, size=resized, normalize=True), expected_enlarged)]
        if dtype == torch.float32:  # neither part of what follows the maps depends on the network
            pairs += [
                (min_max(atlas(model, x, layer)), expected),
                (atlas(model, x, layer, normalize=True), expected),
            ]
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0, err_msg=layer)


def test_the_shared_recording_of_the_reference_is_what_it_computes_by_itself():
    model, x = network_with_lively_statistics("residual_cnn"), images(2, 48)
    recorded = reference_maps(model, x, "stage3", [(48, 48)])[0]
    with reference.XGradCAM(model, [model.stage3]) as cam:
        np.testing.assert_allclose(recorded[:, 2, 4], cam(x, [ClassifierOutputTarget(4)] * 2), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_as_it_was(name):
    model = models.create_model(name)
    next(model.children()).eval()
    next(model.parameters()).requires_grad_(False)
    list(model.parameters())[-1].grad = torch.ones_like(list(model.parameters())[-1])
    x = images(1, models.get_spec(name).input_size)
    before, weights = state_of(model), {key: value.clone() for key, value in model.state_dict().items()}
    with resized_to_96_at_most(model):
        atlas(model, x, models.get_spec(name).cam_layer)
    assert state_of(model) == before
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


@pytest.fixture
def net() -> Net:
    torch.manual_seed(11)
    return Net().eval()


@pytest.fixture
def x() -> Tensor:
    return images(3, 12)


def broken(*_):
    raise OSError("broken inside the network")


def test_a_network_comes_back_as_it_was_also_after_an_exception(x):
    torch.manual_seed(1)
    model = Net().train()
    model.late.register_forward_hook(broken)
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    model.head.bias.grad = torch.ones(5)
    before = state_of(model)
    with pytest.raises(OSError, match="broken inside"):
        atlas(model, x, "conv")
    assert state_of(model) == before
    assert torch.is_grad_enabled()


def test_eight_threads_on_one_network_get_the_maps_that_one_thread_gets():
    model = network_with_lively_statistics("residual_cnn")
    batches = [images(1, 48, seed) for seed in range(8)]
    layers = ["stage3", "stage2"]
    alone = [[atlas(model, x, layer) for layer in layers] for x in batches]
    model.train()
    model.stage1.eval()
    before = state_of(model)
    start = threading.Barrier(8)

    def explain(i: int) -> float:
        start.wait()
        runs = [(layers[k % 2], alone[i][k % 2]) for k in range(i, i + 6)]
        return max((atlas(model, batches[i], layer) - right).abs().max().item() for layer, right in runs)

    with ThreadPoolExecutor(8) as pool:
        worst = max(pool.map(explain, range(8)))
    assert worst < 1e-6
    assert max(maps.max().item() for pair in alone for maps in pair) > 1e-3
    assert state_of(model) == before


def test_a_prediction_in_another_thread_disturbs_no_map_and_is_not_disturbed():
    model = network_with_lively_statistics("residual_cnn")
    x, other = images(1, 48, 1), images(1, 48, 2)
    right_maps, right_logits = atlas(model, x, "stage1"), model(other).detach()
    done = threading.Event()

    def predict() -> list[Tensor]:
        answers = []
        with torch.no_grad():
            while not done.is_set() or not answers:
                answers.append(model(other))
        return answers

    with ThreadPoolExecutor(2) as pool:
        predictors = [pool.submit(predict) for _ in range(2)]
        try:
            maps = [atlas(model, x, "stage1") for _ in range(12)]
        finally:
            done.set()
        answers = [answer for predictor in predictors for answer in predictor.result()]
    assert all(torch.allclose(m, right_maps, atol=1e-6) for m in maps)
    assert all(torch.allclose(answer, right_logits, atol=1e-6) and not answer.requires_grad for answer in answers)


def test_a_map_is_the_equation_of_its_paper(net, x):
    """Grad-CAM, eq. 1 and 2, in plain steps on one image, with the gradient by finite differences in float64."""
    net, x = net.double(), x[:1].double()
    activation = net.conv(x)  # (1, 6, 12, 12)

    def logit(A: Tensor) -> Tensor:
        return net.head(net.pool(net.late(net.relu(net.norm(A.clone()))).tanh()).flatten(1))[0, 2]

    with torch.no_grad():
        steps = torch.eye(activation.numel(), dtype=torch.float64).view(-1, *activation.shape) * 1e-6
        slopes = torch.stack([logit(activation + step) - logit(activation - step) for step in steps]) / 2e-6
        alpha = slopes.view(6, -1).mean(1)
        expected = sum(a * A for a, A in zip(alpha, activation[0], strict=True)).relu()
    assert expected.max() > 0
    torch.testing.assert_close(gradcam(net, x, [2], "conv")[0, 0], expected, atol=1e-8, rtol=1e-4)


def test_a_map_shows_the_region_that_a_class_depends_on():
    """A network that answers "left" or "right" by where the image is bright."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(64, 2, bias=False))
    columns = torch.arange(8) < 4
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[2].weight.copy_(torch.stack([columns, ~columns]).float().repeat(1, 8))
    left, right = atlas(model, torch.ones(1, 1, 8, 8), "0", ("hirescam",))[0, 0]
    assert torch.equal(left, columns.float().expand(8, 8))
    assert torch.equal(right, (~columns).float().expand(8, 8))


def test_the_axes_are_image_method_class_height_width_in_the_requested_order(net, x):
    full = atlas(net, x, "late")
    assert full.shape == (3, 6, 5, 12, 12)
    some = atlas(net, x, "late", methods=("layercam", "gradcam"), classes=(4, 0, 2))
    torch.testing.assert_close(some, full[:, [4, 0]][:, :, [4, 0, 2]])
    torch.testing.assert_close(gradcam(net, x, [3], "late"), full[:, 0, [3]])
    torch.testing.assert_close(atlas(net, x[1:2], "late"), full[1:2])
    assert not full.requires_grad
    assert full.min() >= 0
    assert all(full[:, m].max() > 0 for m in range(6))


def test_normalized_maps_span_zero_to_one_and_blank_ones_stay_blank(net, x):
    with torch.no_grad():
        net.head.weight[1] = 0  # nothing speaks for class 1
    plain, stretched = atlas(net, x, "late", size=(31, 20)), atlas(net, x, "late", size=(31, 20), normalize=True)
    assert stretched.shape == (3, 6, 5, 31, 20)
    drawn = plain.amax((-2, -1)) > 0
    assert drawn.any()
    assert not drawn[:, :, 1].any()
    assert torch.allclose(stretched.amax((-2, -1)), drawn.float(), atol=1e-5)
    assert torch.equal(stretched.amin((-2, -1)), torch.zeros_like(drawn, dtype=torch.float32))


def test_frozen_weights_training_mode_and_every_gradient_mode_give_the_same_maps(net, x):
    right = atlas(net, x, "conv")
    with torch.no_grad():
        torch.testing.assert_close(atlas(net, x, "conv"), right)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        born_inside = x + 0
        torch.testing.assert_close(atlas(net, born_inside, "conv"), right)
        assert torch.is_inference_mode_enabled()
    assert born_inside.is_inference()
    torch.testing.assert_close(atlas(net, born_inside, "conv"), right)
    torch.testing.assert_close(atlas(net.requires_grad_(False), x, "conv"), right)
    torch.testing.assert_close(atlas(net.train(), x, "conv"), right)
    watched = x.clone().requires_grad_()
    torch.testing.assert_close(atlas(net, watched, "conv"), right)
    assert watched.grad is None


def test_an_inference_mode_image_may_enter_the_network_again_behind_the_layer(x):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, padding=1)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head((self.conv(x).relu() * x).mean((2, 3)))

    torch.manual_seed(4)
    model = Gated()
    with torch.inference_mode():
        born_inside = x + 0
    right = atlas(model, x, "conv")
    assert right.max() > 0
    torch.testing.assert_close(atlas(model, born_inside, "conv"), right)


def test_autocast_around_a_call_does_not_coarsen_its_maps(net, x):
    right = atlas(net, x, "conv")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(x).dtype == torch.bfloat16
        assert torch.equal(atlas(net, x, "conv"), right)


def test_an_in_place_relu_behind_the_layer_changes_nothing(x):
    torch.manual_seed(2)
    in_place = Net(inplace=True).eval()
    apart = Net(inplace=False).eval()
    apart.load_state_dict(in_place.state_dict())
    for layer in ("norm", "conv"):
        maps = atlas(in_place, x, layer)
        assert maps.max() > 0
        torch.testing.assert_close(maps, atlas(apart, x, layer))


def test_a_half_precision_network_gives_float32_maps(net, x):
    maps = atlas(net.to(torch.bfloat16), x.to(torch.bfloat16), "late")
    assert maps.dtype == torch.float32
    assert maps.max() > 0


class DoubledOneByOne(torch.autograd.Function):
    """An operation that cannot be batched: its backward pass reads a number out of the gradient."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        DoubledOneByOne.calls += 1
        return 2 * grad if grad.sum().item() < float("inf") else grad


def test_an_operation_without_batched_gradients_falls_back_to_one_class_at_a_time(net, x):
    class Doubled(nn.Module):
        def forward(self, x):
            return DoubledOneByOne.apply(x)

    class Twice(nn.Module):
        def forward(self, x):
            return 2 * x

    DoubledOneByOne.calls = 0
    net.drop = Twice()
    right = atlas(net, x, "late")
    net.drop = Doubled()
    torch.testing.assert_close(atlas(net, x, "late"), right)
    assert DoubledOneByOne.calls >= 5


def test_the_registered_networks_take_the_batched_way_without_a_warning():
    for name in ("residual_cnn", "vanilla_cnn"):
        side, layer = models.get_spec(name).input_size, models.get_spec(name).cam_layer
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            atlas(models.create_model(name), images(2, side), layer)


def test_one_atlas_is_one_forward_pass(net, x):
    calls = []
    net.conv.register_forward_hook(lambda *_: calls.append("conv"))
    net.head.register_forward_hook(lambda *_: calls.append("head"))
    atlas(net, x, "late")
    assert calls == ["conv", "head"]


def test_the_last_call_counts_where_a_layer_is_called_several_times(x):
    class Recurrent(nn.Module):
        def __init__(self, last):
            super().__init__()
            self.first = nn.Conv2d(1, 1, 3, padding=1)
            self.last = last or self.first
            self.head = nn.Linear(1, 2)

        def forward(self, x):
            return self.head(self.last(self.first(x).relu()).tanh().mean((2, 3)))

    torch.manual_seed(0)
    shared = Recurrent(None)
    apart = Recurrent(nn.Conv2d(1, 1, 3, padding=1))
    apart.first.load_state_dict(shared.first.state_dict())
    apart.last.load_state_dict(shared.first.state_dict())
    apart.head.load_state_dict(shared.head.state_dict())
    maps = atlas(shared, x, "first")
    assert maps.max() > 0
    torch.testing.assert_close(maps, atlas(apart, x, "last"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": [99]}, r"classes=\[99\].*5 classes.*0 to 4"),
        ({"classes": [0, -1]}, r"classes=\[0, -1\]"),
        ({"classes": []}, r"classes=\[\]"),
        ({"classes": [1.7]}, r"classes=\[1.7\]"),
        ({"classes": [True]}, r"classes=\[True\]"),
        ({"methods": ("gradcam", "magic")}, r"methods=.*magic.*gradcam\+\+.*elementwise"),
        ({"methods": ()}, r"methods=\[\]"),
        ({"layer": "lat"}, r'layer="lat" is not in this network.*late.*outermost.*conv'),
        ({"layer": ""}, r'layer="" is not in this network.*outermost.*conv'),
        ({"layer": None}, r'layer="None" is not in this network'),
        ({"layer": "pool"}, r'layer="pool".*\(3, 8, 1, 1\).*no height and width'),
        ({"layer": "head"}, r'layer="head".*\(3, 5\)'),
        ({"layer": "unused"}, r'layer="unused" is never called'),
        ({"layer": "sidetrack"}, r'layer="sidetrack" has no influence'),
        ({"size": (0, 5)}, r"size=\(0, 5\)"),
        ({"size": (5,)}, r"size=\(5,\)"),
        ({"size": (5.5, 5)}, r"size=\(5.5, 5\)"),
        ({"x": torch.full((1, 1, 12, 12), torch.nan)}, "x contains NaN"),
        ({"x": torch.full((1, 1, 12, 12), torch.inf)}, "x contains NaN or infinite"),
        ({"x": torch.zeros(1, 12, 12)}, r"x has shape \(1, 12, 12\).*x\[None\]"),
        ({"x": torch.zeros(0, 1, 12, 12)}, "x has shape"),
        ({"x": torch.zeros(1, 1, 12, 12, dtype=torch.uint8)}, "x has type torch.uint8"),
    ],
)
def test_a_wrong_argument_is_named_with_what_to_do(unchecked, net, x, wrong, message):
    with pytest.raises(ValueError, match=message):
        atlas(**({"model": net, "x": x, "layer": "late"} | wrong))


def test_a_network_that_returns_no_finite_logits_is_named(net, x):
    with pytest.raises(ValueError, match="model returns tuple"):
        atlas(TupleNet(net), x, "net.late")
    with torch.no_grad():
        net.head.bias[0] = torch.nan
    with pytest.raises(ValueError, match="model returns NaN"):
        atlas(net, x, "late")


class TupleNet(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x), x


def test_a_network_built_in_inference_mode_is_refused_with_the_way_out(x):
    with torch.inference_mode():
        model = Net().eval()
    with pytest.raises(ValueError, match=r"model was built inside torch\.inference_mode"):
        atlas(model, x, "late")


def test_gradients_of_a_thousand_classes_are_never_held_at_once(monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1000)).eval()
    x, sizes, gradients = torch.randn(1, 1, 8, 8), [], cam_module._gradients

    def watched(logits, A, classes):
        G = gradients(logits, A, classes)
        sizes.append(G.numel() * G.element_size())
        return G

    right = atlas(model, x, "0")
    monkeypatch.setattr(cam_module, "_gradients", watched)
    monkeypatch.setattr(cam_module, "GRADIENT_BYTES", 100_000)
    torch.testing.assert_close(atlas(model, x, "0"), right)
    assert max(sizes) <= 100_000
    assert len(sizes) == 12  # 86 classes of 8·6·6 numbers at a time
