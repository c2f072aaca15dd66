"""Any method of the catalog, run: batches, sizes, modes, threads, progress, cost, wrong arguments."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.small_networks import Net, images, state_of
from torch import Tensor, nn

import models
from workbench.analysis import cam
from workbench.analysis.methods import EXPLAINERS, estimate, explain_with

pytestmark = pytest.mark.usefixtures("few_samples")

NAMES = tuple(EXPLAINERS)
OF_A_LAYER = [name for name in NAMES if EXPLAINERS[name].needs_layer]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_a_batch_gets_the_map_that_it_gets_alone(net, x, name):
    together = explain_with(net, x, name, 2, "late")
    for image, its_map in zip(x, together, strict=True):
        torch.testing.assert_close(explain_with(net, image[None], name, 2, "late")[0], its_map, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_has_the_requested_size_and_is_negative_only_where_it_is_signed(net, x, name):
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
    assert dead.abs().max() < 1e-6 or name == "fullgrad" or (name == "rise" and dead.std() < 1e-6)


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
def test_the_network_is_unchanged_and_predicts_correctly_during_an_explanation(net, x, name):
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


def test_eight_threads_explain_one_network_hundreds_of_times_without_an_error():
    """Methods, classes, layers and images mixed, with predictions in between; every map as it is alone."""
    torch.manual_seed(0)
    model = models.create_model("residual_cnn", width=4).train()
    with torch.no_grad():
        model(images(8, 16))  # batch-norm statistics
    batches = [images(1, 16, seed) for seed in range(2)]
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
    order = random.Random(0).choices(tasks, k=300)

    def wrong(task: tuple) -> bool:
        return not torch.allclose(explain(model, batches, *task), alone[task], atol=1e-6, rtol=1e-4)

    with ThreadPoolExecutor(8) as pool:
        errors = sum(pool.map(wrong, order))
    assert {task[0] for task in order} == {*cam.METHODS, *rare}
    assert errors == 0
    assert sum(maps.max() > 0 for maps in alone.values()) > len(alone) / 2
    assert state_of(model) == before


def explain(model: nn.Module, batches: list[Tensor], name: str, class_: int, layer: str, i: int) -> Tensor:
    """The atlas for two of three of its methods, so that both kinds of isolation meet."""
    if name in cam.METHODS[:4]:
        return cam.atlas(model, batches[i], layer, (name,), [class_])[:, 0, 0]
    return explain_with(model, batches[i], name, class_, layer)


def test_an_estimate_is_the_time_of_a_pass_times_the_passes(net, x, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))  # one second from look to look
    before = state_of(net)
    assert estimate(net, x[:1], "eigencam", "late") == 1
    assert estimate(net, x[:1], "gradcam", "late") == 2
    assert estimate(net, x, "gradcam", "late") == 2
    assert estimate(net, x[:1], "occlusion") == pytest.approx((2 + 11 * 11) / 16)  # sixteen images at a time
    assert estimate(net, x, "scorecam", "late") == pytest.approx(9 * 3 / 16)
    assert state_of(net) == before


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


MAPLESS = {
    None: "layer=None: .* reads the maps of a layer",
    "lat": 'layer="lat" is not in this network.*late',
    "": 'layer="" is not in this network',
    "pool": r'layer="pool".*\(3, 8, 1, 1\).*no height and width',
    "head": r'layer="head".*\(3, 5\)',
    "unused": 'layer="unused" is never called',
    "sidetrack": 'layer="sidetrack" has no influence',
}


@pytest.mark.parametrize("name", OF_A_LAYER)
def test_a_layer_without_a_map_to_offer_is_named(net, x, name, subtests):
    for layer, message in MAPLESS.items():
        with subtests.test(layer=layer):
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
        explain_with(net, images(1, 65), "kpcacam", 1, "late")

    class Attention(nn.Module):
        """As in the hybrids: the fused kernel has no second derivative."""

        def forward(self, x):
            tokens = x.flatten(2).mT[:, None].contiguous()  # (B, 1, Z, K)
            attended = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
            return attended[:, 0].mT[..., None]

    net.pool = nn.Sequential(Attention(), nn.AdaptiveAvgPool2d(1))
    with pytest.raises(ValueError, match='layer="late": shapleycam needs second derivatives'):
        explain_with(net, images(1), "shapleycam", 1, "late")
    assert explain_with(net, images(1), "finercam", 1, "late").isfinite().all()
