"""The catalogue of explainers: each one right beside the library or a planted truth, and safe on a shared network."""

from __future__ import annotations

import copy
import inspect
import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import pytorch_grad_cam as reference
import torch
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputReST, ClassifierOutputTarget
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection, get_2d_projection_kernel
from torch import Tensor, nn

import models
from workbench.analysis import cam, methods
from workbench.analysis.methods import EXPLAINERS, Passes, estimate, explain_with

NAMES = tuple(EXPLAINERS)
OF_A_LAYER = [name for name in NAMES if EXPLAINERS[name].needs_layer]


class Net(nn.Module):
    """A small network with what can trip an explainer: in-place ReLU, dropout, batch-norm, branches of no use."""

    def __init__(self, inplace: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=inplace)
        self.late = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.unused = nn.Conv2d(6, 6, 1)
        self.sidetrack = nn.Conv2d(6, 6, 1)
        self.drop = nn.Dropout(0.5)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        self.sidetrack(x)
        x = self.late(x)
        return self.head(self.drop(self.pool(x.tanh()).flatten(1)))


class Halves(nn.Module):
    """Answers "left" or "right" by the sum of the pixels there, through two maps that hold one half each."""

    def __init__(self):
        super().__init__()
        self.split = nn.Conv2d(1, 2, 1, bias=False)
        self.split.weight.data.fill_(1)
        left = torch.arange(12) < 6
        self.register_buffer("masks", torch.stack([left, ~left]).float()[:, None].expand(2, 12, 12).clone())
        self.maps = nn.Identity()

    def forward(self, x):
        return self.maps(self.split(x) * self.masks).sum((2, 3))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(11)
    net = Net().eval()
    nn.init.uniform_(net.norm.running_mean, -0.3, 0.3)
    nn.init.uniform_(net.norm.bias, -0.3, 0.3)
    return net


@pytest.fixture
def x() -> Tensor:
    return pictures(3)


def pictures(count: int, side: int = 12, seed: int = 3) -> Tensor:
    blobs = 2 * torch.randn(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(blobs, size=(side, side), mode="bicubic")


def state_of(model: nn.Module) -> list:
    """All that a borrower could leave behind."""
    modes = [(name, type(module), module.training) for name, module in model.named_modules()]
    hooks = [
        list(table.items())
        for module in model.modules()
        for table in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
    ]
    gradients = [
        (id(p), p.requires_grad, p.dtype, None if p.grad is None else (id(p.grad), p.grad.sum().item()))
        for p in model.parameters()
    ]
    return [modes, hooks, gradients]


def stretched(maps: Tensor) -> np.ndarray:
    return scale_cam_image(scale_cam_image(maps.numpy()))


# ---- the catalogue

THEIR_NAMES = {
    "GradCAM": "gradcam",
    "GradCAMPlusPlus": "gradcam++",
    "XGradCAM": "xgradcam",
    "HiResCAM": "hirescam",
    "LayerCAM": "layercam",
    "GradCAMElementWise": "elementwise",
    "FinerCAM": "finercam",
    "ShapleyCAM": "shapleycam",
    "EigenCAM": "eigencam",
    "EigenGradCAM": "eigengradcam",
    "SegEigenCAM": "segeigencam",
    "KPCA_CAM": "kpcacam",
    "FEM": "fem",
    "ScoreCAM": "scorecam",
    "AblationCAM": "ablationcam",
    "RandomCAM": "randomcam",
    "FullGrad": "fullgrad",
}
HELPERS = {"AblationLayer", "AblationLayerVit", "AblationLayerFasterRCNN", "ActivationsAndGradients"}


def test_every_method_of_the_package_is_in_the_catalogue_or_left_out_with_a_reason():
    theirs = {name for name, thing in vars(reference).items() if inspect.isclass(thing)} - HELPERS
    left_out = theirs - THEIR_NAMES.keys()
    assert set(THEIR_NAMES.values()) <= EXPLAINERS.keys()
    assert all(f"    {name}  " in methods.__doc__ for name in left_out), left_out
    assert EXPLAINERS.keys() - set(THEIR_NAMES.values()) == {"integrated_gradients", "occlusion"}


def test_every_explainer_says_what_it_is():
    for name, explainer in EXPLAINERS.items():
        assert explainer.name == name
        assert explainer.title
        assert explainer.paper
        assert explainer.idea.endswith(".")
        assert explainer.unproven.endswith(".")
    assert set(cam.METHODS) < EXPLAINERS.keys()
    assert {name for name in NAMES if EXPLAINERS[name].signed} == {"integrated_gradients", "occlusion"}
    assert {name for name in NAMES if not EXPLAINERS[name].needs_gradients} == {
        *("eigencam", "kpcacam", "fem", "scorecam", "ablationcam", "randomcam", "occlusion")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_map_depends_on_the_class_where_the_catalogue_says_so(net, x, name):
    one, other = (explain_with(net, x, name, class_, "late") for class_ in (1, 3))
    assert torch.equal(one, other) != EXPLAINERS[name].of_class


# ---- right


@pytest.mark.parametrize("name", cam.METHODS)
def test_the_six_methods_of_the_atlas_draw_what_the_atlas_draws(net, x, name):
    for size in (None, (17, 20)):
        right = cam.atlas(net, x, "late", (name,), [2], size)[:, 0, 0]
        assert right.max() > 0
        torch.testing.assert_close(explain_with(net, x, name, 2, "late", size), right)


def library_map(model: nn.Module, x: Tensor, name: str, class_: int) -> np.ndarray:
    """The map that the package draws, on a copy that it may spoil."""
    model = copy.deepcopy(model)
    engine = next(getattr(reference, theirs) for theirs, ours in THEIR_NAMES.items() if ours == name)
    with engine(model, [] if name == "fullgrad" else [model.late]) as draw:
        if name == "finercam":
            return draw(x, target_idx=class_)
        target = ClassifierOutputReST if name == "shapleycam" else ClassifierOutputTarget
        return draw(x, [target(class_)] * len(x))


@pytest.mark.parametrize(
    "name", ["finercam", "shapleycam", "segeigencam", "fem", "scorecam", "ablationcam", "fullgrad"]
)
def test_a_map_is_that_of_the_package_before_it_is_stretched(net, x, name):
    del net.unused  # the package would wait for the gradient of its bias
    net.sidetrack = nn.Identity()
    with torch.no_grad():
        net.head.bias += 2  # the package divides by the logit
    drawn = 0
    for class_ in range(5):
        ours = explain_with(net, x, name, class_, "late")
        np.testing.assert_allclose(stretched(ours), library_map(net, x, name, class_), atol=2e-5)
        drawn += int(ours.amax((1, 2)).gt(0).sum())
    assert drawn > 7  # of 15


@pytest.mark.parametrize("name", ["eigencam", "eigengradcam", "kpcacam"])
def test_a_component_is_that_of_the_package_up_to_its_sign(net, x, name):
    A, G = cam._activations_and_gradients(net, x, "late", [2])
    if name == "kpcacam":
        theirs = torch.tensor(get_2d_projection_kernel(A.numpy()))
    else:
        theirs = torch.tensor(get_2d_projection((A if name == "eigencam" else A * G[:, 0]).numpy()))
    for ours, right in zip(explain_with(net, x, name, 2, "late"), theirs, strict=True):
        assert ours.max() > 0
        assert (
            min((ours - sign * right.clamp(*bounds)).abs().max() for sign, bounds in SIDES) < 1e-4 * right.abs().max()
        )


SIDES = [(1, (0, None)), (-1, (None, 0))]


@pytest.mark.parametrize("name", ["eigencam", "eigengradcam", "segeigencam", "kpcacam"])
def test_the_sign_of_a_component_does_not_hang_on_the_linear_algebra_library(net, x, name, monkeypatch):
    from sklearn.decomposition import KernelPCA

    right, svd, fit = explain_with(net, x, name, 2, "late"), torch.linalg.svd, KernelPCA.fit_transform

    def turned(*arguments, **options):
        u, s, vh = svd(*arguments, **options)
        return -u, s, -vh

    monkeypatch.setattr(torch.linalg, "svd", turned)
    monkeypatch.setattr(KernelPCA, "fit_transform", lambda *arguments: -fit(*arguments))
    torch.testing.assert_close(explain_with(net, x, name, 2, "late"), right)


@pytest.mark.parametrize("name", ["eigencam", "kpcacam"])
def test_a_component_is_positive_where_the_layer_is_active(name):
    spot = torch.zeros(1, 1, 12, 12)
    spot[..., 2:5, 7:10] = 1
    model = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    nn.init.uniform_(model[0].weight, 0.5, 2)
    assert torch.equal(explain_with(model, spot, name, 0, "0") > 1e-6, spot[:, 0] > 0)


@pytest.mark.parametrize("bias", [0, -100])
def test_ablation_weighs_a_map_by_what_the_logit_loses_without_it(bias):
    """A linear head loses exactly v_k · mean(A^k), also from maps with negative values and for a negative logit."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 40, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 3))
    model[3].bias.data.fill_(bias)
    x = pictures(2)
    with torch.no_grad():
        A = model[0](x)  # (2, 40, 12, 12)
        assert A.min() < 0
        right = torch.einsum("bk,bkhw->bhw", model[3].weight[1] * A.mean((2, 3)), A).relu()
    assert right.amax((1, 2)).min() > 0
    torch.testing.assert_close(explain_with(model, x, "ablationcam", 1, "0"), right, atol=1e-4, rtol=1e-3)


def test_ablation_takes_the_last_call_of_a_layer_that_is_called_twice():
    class Twice(nn.Module):
        def __init__(self, last: nn.Module | None):
            super().__init__()
            self.first = nn.Conv2d(3, 3, 3, padding=1)
            self.last = last or self.first
            self.head = nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.last(self.first(x).relu()).relu_().mean((2, 3)))

    torch.manual_seed(0)
    shared, apart, x = Twice(None), Twice(nn.Conv2d(3, 3, 3, padding=1)), torch.randn(2, 3, 8, 8)
    apart.load_state_dict(shared.state_dict())
    maps = explain_with(shared, x, "ablationcam", 1, "first")
    assert maps.max() > 0
    torch.testing.assert_close(maps, explain_with(apart, x, "ablationcam", 1, "last"))


def test_score_weighs_a_map_by_the_logit_of_what_it_leaves_of_the_picture():
    """What the left map leaves has logit 72 · 0.02 for "left"; what the right one leaves has 0."""
    x = torch.full((1, 1, 12, 12), 0.02)
    weights = torch.tensor([72 * 0.02, 0.0]).softmax(0)
    right = 0.02 * (weights[:, None, None] * Halves().masks).sum(0, keepdim=True)
    # Near the seam the map is blurred by enlarging, but here it has the picture's size already.
    torch.testing.assert_close(explain_with(Halves(), x, "scorecam", 0, "maps"), right)


def test_integrated_gradients_of_a_linear_network_are_weight_times_pixel_and_signed():
    x = pictures(2)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    right = linear[1].weight[2].detach().view(12, 12) * x[:, 0]
    assert right.min() < 0 < right.max()
    torch.testing.assert_close(explain_with(linear, x, "integrated_gradients", 2), right)


def test_integrated_gradients_add_up_to_what_the_logit_gains_over_plain_gray(net, x):
    with torch.no_grad():
        gain = (net(x) - net(torch.zeros_like(x)))[:, 4]
    torch.testing.assert_close(explain_with(net, x, "integrated_gradients", 4).sum((1, 2)), gain, atol=1e-3, rtol=1e-2)


def test_occlusion_is_the_drop_of_the_logit_and_signed():
    """Windows of 2×2: four pixels of the left half are lost or none; a network of the opposite opinion gains them."""
    drops = explain_with(Halves(), torch.ones(1, 1, 12, 12), "occlusion", 0)[0]
    assert torch.allclose(drops[:, :5], torch.tensor(4.0))
    assert torch.allclose(drops[:, 7:], torch.tensor(0.0))
    opposite = Halves()
    opposite.masks *= -1
    assert explain_with(opposite, torch.ones(1, 1, 12, 12), "occlusion", 0).min() == -4


def test_occlusion_and_integrated_gradients_join_the_channels_of_a_colour_picture():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.randn(2, 3, 12, 14)
    gray = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    gray[0].weight.data = model[0].weight.data.sum(1, keepdim=True)
    gray[0].bias.data = model[0].bias.data
    one = x[:, :1]
    for name in ("occlusion", "integrated_gradients"):
        assert explain_with(model, x, name, 1).shape == (2, 12, 14)
        torch.testing.assert_close(
            explain_with(model, one.expand(-1, 3, -1, -1), name, 1),
            explain_with(gray, one, name, 1),
            atol=1e-5,
            rtol=1e-4,
        )


def test_full_gradient_joins_each_bias_with_its_own_gradient_whatever_the_order_of_construction(net, x):
    right = explain_with(net, x, "fullgrad", 2)
    shuffled = copy.deepcopy(net)
    shuffled._modules = dict(reversed(shuffled._modules.items()))
    torch.testing.assert_close(explain_with(shuffled, x, "fullgrad", 2), right)
    net.norm.bias.data += 3  # the biases do count
    assert not torch.allclose(explain_with(net, x, "fullgrad", 2), right, atol=1e-2)


def test_random_weights_are_the_same_at_every_call_and_leave_the_generators_alone(net, x):
    np.random.seed(5)
    torch.manual_seed(5)
    first = explain_with(net, x, "randomcam", 1, "late")
    after = np.random.random(), torch.rand(1).item()
    torch.testing.assert_close(explain_with(net, x, "randomcam", 1, "late"), first)
    np.random.seed(5)
    torch.manual_seed(5)
    assert after == (np.random.random(), torch.rand(1).item())


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_a_batch_gets_the_map_that_it_gets_alone(net, x, name):
    together = explain_with(net, x, name, 2, "late")
    for picture, its_map in zip(x, together, strict=True):
        torch.testing.assert_close(explain_with(net, picture[None], name, 2, "late")[0], its_map, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_has_the_size_asked_for_and_is_negative_only_where_the_catalogue_says_so(net, x, name):
    explainer = EXPLAINERS[name]
    maps = explain_with(net, x, name, 2, "late" if explainer.needs_layer else None)
    assert maps.shape == (3, 12, 12)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert maps.max() > 0
    assert (maps.min() < 0) == explainer.signed
    assert explain_with(net, x, name, 2, "late", (9, 25)).shape == (3, 9, 25)


@pytest.mark.parametrize("name", NAMES)
def test_a_dead_layer_or_class_gives_no_map_of_nothing(net, x, name):
    with torch.no_grad():
        net.head.weight[2] = 0
        net.head.bias[2] = 0
    assert explain_with(net, x, name, 2, "late").isfinite().all()
    if name in {"hirescam", "gradcam", "ablationcam", "integrated_gradients", "occlusion", "eigengradcam"}:
        assert explain_with(net, x, name, 2, "late").abs().max() < 1e-6
    with torch.no_grad():
        net.late[0].weight.zero_()
        net.late[0].bias.fill_(-1)
    dead = explain_with(net, x, name, 1, "late")
    assert dead.isfinite().all()
    assert dead.abs().max() < 1e-6 or name == "fullgrad"


# ---- safe


@pytest.mark.parametrize("name", NAMES)
def test_every_mode_gives_the_same_map_and_the_network_comes_back_as_it_was(net, x, name):
    right = explain_with(net, x, name, 2, "late")

    def same(**options) -> None:
        found = explain_with(net, **({"x": x, "name": name, "class_": 2, "layer": "late"} | options))
        torch.testing.assert_close(found, right, atol=1e-6, rtol=1e-4)

    net.train()
    net.norm.eval()
    net.conv.weight.requires_grad_(False)
    net.head.bias.grad = torch.ones(5)
    before, weights = state_of(net), {key: value.clone() for key, value in net.state_dict().items()}
    same()
    with torch.no_grad():
        same()
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        born_inside = x + 0
        same(x=born_inside)
        assert torch.is_inference_mode_enabled()
    same(x=born_inside)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same()
    watched = x.clone().requires_grad_()
    same(x=watched)
    assert watched.grad is None
    assert torch.is_grad_enabled()
    assert state_of(net) == before
    assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())
    net.requires_grad_(False)
    same()


@pytest.mark.parametrize("name", OF_A_LAYER)
def test_an_in_place_relu_behind_the_layer_changes_nothing(net, x, name):
    apart = Net(inplace=False).eval()
    apart.load_state_dict(net.state_dict())
    for layer in ("norm", "conv"):
        torch.testing.assert_close(explain_with(net, x, name, 2, layer), explain_with(apart, x, name, 2, layer))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "of_the_map"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_is_widened_for_the_map_only_and_double_precision_stays(net, x, name, dtype, of_the_map):
    before = state_of(net.to(dtype))
    maps = explain_with(net, x.to(dtype), name, 2, "late")
    assert maps.dtype == of_the_map
    assert maps.max() > 0
    assert state_of(net) == before


@pytest.mark.parametrize("name", NAMES)
def test_the_network_stays_as_it_is_and_answers_rightly_in_the_midst_of_an_explanation(net, x, name):
    with torch.no_grad():
        right = net(x)
    before, seen = state_of(net), []

    def look(done: int, total: int) -> None:
        with torch.no_grad():
            seen.append((done, total, torch.equal(net(x), right), state_of(net) == before))

    explained = explain_with(net, x, name, 2, "late", progress=look)
    torch.testing.assert_close(explained, explain_with(net, x, name, 2, "late"))
    dones, totals, answers, states = zip(*seen, strict=True)
    assert all(answers)
    assert all(states)
    assert dones == tuple(sorted(dones))
    assert dones[-1] == totals[0]


def test_an_exception_in_the_midst_of_an_explanation_leaves_the_network_as_it_was(net, x):
    before = state_of(net)

    def stop(done: int, _total: int) -> None:
        if done > 3:
            raise KeyboardInterrupt

    for name in ("ablationcam", "scorecam", "occlusion", "integrated_gradients"):
        with pytest.raises(KeyboardInterrupt):
            explain_with(net, x, name, 2, "late", progress=stop)
    assert state_of(net) == before


def test_eight_threads_explain_one_shipped_network_a_thousand_times_without_an_error():
    """Methods, classes, layers and pictures mixed, with predictions in between; every map as it is alone."""
    torch.manual_seed(0)
    model = models.create_model("residual_cnn", width=4).train()
    with torch.no_grad():
        model(pictures(8, 16))  # batch-norm statistics
    batches = [pictures(1, 16, seed) for seed in range(2)]
    rare = ["eigencam", "finercam", "shapleycam", "kpcacam", "fullgrad", "scorecam", "ablationcam"]
    tasks = [
        (name, class_, layer, i)
        for name in [*cam.METHODS, *rare]
        for class_ in (range(7) if name in cam.METHODS else (1,))
        for layer in (("stage1", "stage3") if name in cam.METHODS else ("stage2",))
        for i in range(2)
    ]
    alone = {task: explain(model, batches, *task) for task in tasks}
    model.stage1.eval()
    before = state_of(model)
    order = random.Random(0).choices(tasks, k=1000)

    def wrong(task: tuple) -> bool:
        return not torch.allclose(explain(model, batches, *task), alone[task], atol=1e-6, rtol=1e-4)

    with ThreadPoolExecutor(8) as pool:
        errors = sum(pool.map(wrong, order))
    assert {task[0] for task in order} == {*cam.METHODS, *rare}
    assert errors == 0
    assert sum(maps.max() > 0 for maps in alone.values()) > len(alone) / 2
    assert state_of(model) == before


def explain(model: nn.Module, batches: list[Tensor], name: str, class_: int, layer: str, i: int) -> Tensor:
    """The atlas for two of three of its methods, so that both ways of borrowing meet."""
    if name in cam.METHODS[:4]:
        return cam.atlas(model, batches[i], layer, (name,), [class_])[:, 0, 0]
    return explain_with(model, batches[i], name, class_, layer)


# ---- the cost


@pytest.mark.parametrize("name", NAMES)
def test_the_passes_counted_beforehand_are_the_passes_made(net, x, name):
    forward, backward = 0, 0

    def count(_module: nn.Module, inputs: tuple, logits: Tensor) -> None:
        nonlocal forward
        forward += len(inputs[0])
        if logits.requires_grad:
            logits.register_hook(back)

    def back(gradient: Tensor) -> None:
        nonlocal backward
        backward += len(gradient)

    net.register_forward_hook(count)
    explain_with(net, x, name, 2, "late")
    passes = EXPLAINERS[name].passes(8, (12, 12))
    assert forward == passes.forward * len(x)
    assert backward == passes.backward * len(x)


def test_the_passes_grow_with_maps_steps_and_windows():
    assert EXPLAINERS["gradcam"].passes(512, (224, 224)) == Passes(1, 1)
    assert EXPLAINERS["scorecam"].passes(512, (224, 224)) == Passes(513, 0)
    assert EXPLAINERS["integrated_gradients"].passes(None, (48, 48)) == Passes(51, 50)
    assert EXPLAINERS["occlusion"].passes(None, (48, 48)) == Passes(2 + 11 * 11, 0)
    with pytest.raises(ValueError, match="channels=None: scorecam"):
        EXPLAINERS["scorecam"].passes(None, (48, 48))


def test_an_estimate_is_the_time_of_a_pass_times_the_passes(net, x, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))  # one second from look to look
    before = state_of(net)
    assert estimate(net, x[:1], "eigencam", "late") == 1
    assert estimate(net, x[:1], "gradcam", "late") == 2
    assert estimate(net, x, "gradcam", "late") == 2
    assert estimate(net, x[:1], "occlusion") == pytest.approx((2 + 11 * 11) / 16)  # sixteen pictures at a time
    assert estimate(net, x, "scorecam", "late") == pytest.approx(9 * 3 / 16)
    assert state_of(net) == before


# ---- wrong arguments


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_": 5}, "class_=5: the network has 5 classes"),
        ({"class_": -1}, "class_=-1"),
        ({"class_": 1.5}, "class_=1.5"),
        ({"class_": True}, "class_=True"),
        ({"class_": None}, "class_=None"),
        ({"name": "scorcam"}, 'name="scorcam" is no explainer.*scorecam'),
        ({"x": torch.full((1, 1, 12, 12), torch.nan)}, "x contains NaN"),
        ({"x": torch.zeros(1, 12, 12)}, r"x has shape \(1, 12, 12\)"),
        ({"x": torch.zeros(1, 1, 12, 12, dtype=torch.uint8)}, "x has type torch.uint8"),
        ({"size": (0, 3)}, r"size=\(0, 3\)"),
        ({"size": (4.5, 3)}, r"size=\(4.5, 3\)"),
    ],
)
@pytest.mark.parametrize("name", ["gradcam", "scorecam", "fullgrad", "occlusion"])
def test_a_wrong_argument_is_named_with_what_to_do(unchecked, net, x, name, wrong, message):
    with pytest.raises(ValueError, match=message):
        explain_with(**({"model": net, "x": x, "name": name, "class_": 1, "layer": "late"} | wrong))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (None, "layer=None: .* reads the maps of a layer"),
        ("lat", 'layer="lat" is not in this network.*late'),
        ("", 'layer="" is not in this network'),
        ("pool", r'layer="pool".*\(3, 8, 1, 1\).*no height and width'),
        ("head", r'layer="head".*\(3, 5\)'),
        ("unused", 'layer="unused" is never called'),
        ("sidetrack", 'layer="sidetrack" has no influence'),
    ],
)
@pytest.mark.parametrize("name", OF_A_LAYER)
def test_a_layer_without_a_map_to_offer_is_named(net, x, name, layer, message):
    with pytest.raises(ValueError, match=message):
        explain_with(net, x, name, 1, layer)
    with pytest.raises(ValueError, match=message):
        estimate(net, x, name, layer)


def test_a_network_that_cannot_be_explained_is_named_with_the_way_out(net, x, unchecked):
    with torch.inference_mode():
        born_inside = Net().eval()
    for name in ("gradcam", "occlusion"):
        with pytest.raises(ValueError, match=r"model was built inside torch\.inference_mode"):
            explain_with(born_inside, x, name, 1, "late")
    net.kept = net(x)
    with pytest.raises(ValueError, match="model cannot be copied"):
        explain_with(net, x, "eigencam", 1, "late")
    del net.kept
    net.head = nn.Linear(8, 1)
    with pytest.raises(ValueError, match="model has one class: finercam"):
        explain_with(net, x, "finercam", 0, "late")
    net.head.bias.data.fill_(torch.nan)
    for name in NAMES:
        with pytest.raises(ValueError, match="model returns NaN"):
            explain_with(net, x, name, 0, "late")


def test_a_map_too_large_for_a_method_and_a_missing_second_derivative_are_named(net):
    with pytest.raises(ValueError, match='layer="late" has maps of 65×65'):
        explain_with(net, pictures(1, 65), "kpcacam", 1, "late")

    class Attention(nn.Module):
        """As in the hybrids: the fused kernel has no second derivative."""

        def forward(self, x):
            tokens = x.flatten(2).mT[:, None].contiguous()  # (B, 1, Z, K)
            attended = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
            return attended[:, 0].mT[..., None]

    net.pool = nn.Sequential(Attention(), nn.AdaptiveAvgPool2d(1))
    with pytest.raises(ValueError, match='layer="late": shapleycam needs second derivatives'):
        explain_with(net, pictures(1), "shapleycam", 1, "late")
    assert explain_with(net, pictures(1), "finercam", 1, "late").isfinite().all()


@pytest.mark.parametrize("name", [n for n in models.list_models() if models.get_spec(n).cam_layer])
def test_every_network_can_be_doubled_without_copying_its_weights(name):
    with torch.device("meta"):
        model = models.create_model(name).train()
    before = state_of(model)
    double = methods._double(model)
    assert state_of(model) == before
    assert not any(module.training for module in double.modules())
    assert not any(parameter.requires_grad for parameter in double.parameters())
    assert not {id(module) for module in double.modules()} & {id(module) for module in model.modules()}
    assert not {id(p) for p in double.parameters()} & {id(p) for p in model.parameters()}
    pairs = zip(double.state_dict().values(), model.state_dict().values(), strict=True)
    assert all(mine.untyped_storage()._cdata == theirs.untyped_storage()._cdata for mine, theirs in pairs)
