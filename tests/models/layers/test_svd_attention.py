"""SVD attention against the equations of paper D, written out slowly in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import mobilenet_v2, resnet18

from models import create_model, get_spec, list_models
from models.layers.svd_attention import SVDAttention

QUERIES = ("hfc", "lfc", "hfc_lfc", "hfc_lfc_hl")
SIZES = [(8, 8), (7, 7), (6, 9), (9, 4), (1, 5), (1, 1)]


def literal(x: np.ndarray, layer: SVDAttention) -> dict[str, np.ndarray]:
    """Equations 1 to 10 for one map (C, H, W), element by element, in double precision."""
    weights = layer.compress.weight.detach().double().numpy()[0, :, 0, 0]
    kernels = layer.score.weight.detach().double().numpy()[0]  # (Q, 7, 7)
    channels, height, width = x.shape
    x_tilde = sum(weights[c] * x[c] for c in range(channels))  # eq. 1
    spectrum = np.fft.fft2(x_tilde)  # eq. 2
    for i in range(height):
        for j in range(width):
            f_y, f_x = (min(k, n - k) / n for k, n in ((i, height), (j, width)))
            if np.hypot(f_y, f_x) <= layer.cutoff + 1e-9:
                spectrum[i, j] = 0
    h = np.fft.ifft2(spectrum).real  # eq. 3
    low = x_tilde - h
    sigma = {name: np.linalg.svd(m, compute_uv=False) for name, m in (("x", x_tilde), ("h", h), ("l", low))}  # eq. 5-7
    pairs = {"hfc": ["hx"], "lfc": ["lx"], "hfc_lfc": ["hx", "lx"], "hfc_lfc_hl": ["hx", "lx", "hl"]}[layer.query]
    outer = np.zeros((len(pairs), height, width))
    for q, (rows, columns) in enumerate(pairs):  # eq. 8
        for i, s in enumerate(sigma[rows]):
            for j, t in enumerate(sigma[columns]):
                outer[q, i, j] = s * t
    a = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            for q in range(len(pairs)):
                for di in range(-3, 4):
                    for dj in range(-3, 4):
                        if 0 <= i + di < height and 0 <= j + dj < width:
                            a[i, j] += kernels[q, di + 3, dj + 3] * outer[q, i + di, j + dj]
    a = 1 / (1 + np.exp(-a))  # eq. 9
    return {"x_tilde": x_tilde, "high": h, "low": low, "outer": outer, "a": a, "refined": a * x} | {
        f"sigma_{k}": v for k, v in sigma.items()
    }


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_step_equals_the_equations(query, size):
    torch.manual_seed(0)
    layer = SVDAttention(5, query, cutoff=0.2)
    x = torch.randn(3, 5, *size)
    with torch.no_grad():
        steps, refined = layer.steps(x), layer(x)
    for b in range(len(x)):
        expected = literal(x[b].double().numpy(), layer)
        for name, value in expected.items():
            found = refined[b] if name == "refined" else getattr(steps, name)
            if found is None:
                assert name == {"hfc": "sigma_l", "lfc": "sigma_h"}[query]
                continue
            found = found if name == "refined" else found[b]
            found = found[0] if name == "a" else found
            np.testing.assert_allclose(found.numpy(), value, atol=2e-5, rtol=2e-5, err_msg=name)


def test_handing_out_the_steps_changes_nothing_and_hangs_no_hook():
    torch.manual_seed(0)
    layer, x = SVDAttention(4), torch.randn(2, 4, 8, 8)
    before = layer(x)
    steps = layer.steps(x)
    assert torch.equal(layer(x), before)
    assert torch.equal(steps.a * x, before)
    assert not layer._forward_hooks


def test_the_gate_does_not_see_places():
    """Turning the map upside down leaves both spectra, and so the gate, as they were: it is no map of where."""
    torch.manual_seed(0)
    layer, x = SVDAttention(4), torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(layer.steps(x.flip(-2)).a, layer.steps(x).a, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("query", QUERIES)
def test_the_gradient_is_right(query):
    torch.manual_seed(0)
    layer, x = SVDAttention(2, query), torch.randn(1, 2, 6, 5)
    direction = torch.randn_like(x)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).sum(), x)
    with torch.no_grad():
        step = 1e-2
        difference = (layer(x + step * direction).sum() - layer(x - step * direction).sum()) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), difference, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize(
    "x",
    [torch.zeros(2, 3, 6, 6), torch.ones(2, 3, 6, 6), torch.eye(6).expand(2, 3, 6, 6), torch.full((2, 3, 4, 7), -2.0)],
    ids=["zero", "constant", "all singular values equal", "constant, not square"],
)
@pytest.mark.parametrize("normalize", [False, True])
def test_gradients_are_finite_where_singular_values_coincide(x, normalize):
    layer = SVDAttention(3, "hfc_lfc_hl", normalize=normalize)
    x = x.clone().requires_grad_()
    layer(x).square().sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("query", QUERIES)
def test_normalized_singular_values_are_those_of_the_equations_over_the_largest(query):
    torch.manual_seed(0)
    layer, x = SVDAttention(5, query, cutoff=0.2, normalize=True), 5 * torch.randn(3, 5, 6, 9)
    with torch.no_grad():
        steps = layer.steps(x)
    expected = literal(x[1].double().numpy(), layer)
    for name in ("sigma_x", "sigma_h", "sigma_l"):
        if (found := getattr(steps, name)) is not None:
            np.testing.assert_allclose(found[1].numpy(), expected[name] / expected[name][0], atol=1e-5)
    assert 0 <= steps.outer.min() <= steps.outer.max() <= 1
    torch.testing.assert_close(steps.outer[:, :, 0, 0], torch.ones_like(steps.outer[:, :, 0, 0]))


def test_a_normalized_gate_does_not_saturate_where_the_paper_s_does():
    torch.manual_seed(0)
    plain, ours = SVDAttention(4), SVDAttention(4, normalize=True)
    ours.load_state_dict(plain.state_dict())
    x = 100 * torch.randn(8, 4, 12, 12)
    with torch.no_grad():
        saturated, moderate = (((a < 0.05) | (a > 0.95)).float().mean() for a in (plain.steps(x).a, ours.steps(x).a))
    assert saturated > 0.9
    assert moderate == 0


def test_what_is_zero_but_for_rounding_is_not_normalized_to_one():
    torch.manual_seed(0)
    layer = SVDAttention(3, "hfc_lfc", normalize=True)
    with torch.no_grad():
        constant, zero = (layer.steps(torch.full((1, 3, 8, 8), value)) for value in (7.0, 0.0))
    assert constant.sigma_h.max() < 0.1
    assert constant.sigma_l[0, 0] == pytest.approx(1)
    for sigma in (zero.sigma_x, zero.sigma_h, zero.sigma_l):
        assert not sigma.any()


def test_a_thousand_steps_on_blank_images_stay_finite():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), SVDAttention(4), nn.Flatten(), nn.Linear(4 * 25, 7))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    values = torch.tensor([0.0, 1.0, -1.0, 0.5])
    for step in range(1000):
        x = values.roll(step)[:, None, None, None].expand(4, 1, 10, 10)
        loss = F.cross_entropy(model(x), torch.tensor([0, 1, 2, 3]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    assert all(p.isfinite().all() and p.grad.isfinite().all() for p in model.parameters())


def test_under_half_precision_the_singular_values_are_of_float32():
    layer, x = SVDAttention(4), torch.randn(2, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        steps = layer.steps(x.bfloat16())
        assert layer(x.bfloat16()).dtype == torch.bfloat16
    assert steps.sigma_x.dtype == torch.float32


def test_a_map_seen_first_in_inference_mode_can_be_trained_on_later():
    layer = SVDAttention(2, cutoff=0.123)  # a mask that no other test has made
    with torch.inference_mode():
        layer(torch.randn(1, 2, 11, 11))
    layer(torch.randn(1, 2, 11, 11, requires_grad=True)).sum().backward()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"query": "high"}, "query"),
        ({"mask": "square"}, "mask"),
        ({"cutoff": 1.5}, "cutoff"),
        ({"cutoff": -0.1}, "cutoff"),
        ({"cutoff": float("nan")}, "cutoff"),
    ],
)
def test_a_wrong_argument_is_named(unchecked, arguments, word):
    with pytest.raises(ValueError, match=word):
        SVDAttention(4, **arguments)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_map_without_numbers_is_refused(value):
    x = torch.randn(2, 3, 6, 6)
    x[1, 2, 3, 4] = value
    with pytest.raises(ValueError, match="x: the map holds NaN"):
        SVDAttention(3)(x)


# ---- the hosts


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_173_831),
        ("resnet18_svd_hfc", 11_173_831 + 708),
        ("resnet18_svd_lfc", 11_173_831 + 708),
        ("resnet18_svd_hfc_normalized", 11_173_831 + 708),
        ("resnet18_svd_hfc_lfc", 11_173_831 + 904),
        ("resnet18_svd_hfc_lfc_hl", 11_173_831 + 1_100),
        ("resnet18_bam", 11_173_831 + 23_808),
        ("mobilenet_v2", 2_232_263),
        ("mobilenet_v2_svd_hfc", 2_232_263 + 767),
        ("mobilenet_v2_svd_hfc_normalized", 2_232_263 + 767),
        ("mobilenet_v2_bam", 2_232_263 + 11_192),
        ("efficientnet_lite0", 3_379_399),
        ("efficientnet_lite0_svd_hfc", 3_379_399 + 839),
        ("efficientnet_lite0_bam", 3_379_399 + 15_676),
    ],
)
def test_the_parameters_are_those_of_the_paper(name, parameters):
    assert sum(p.numel() for p in create_model(name).parameters() if p.requires_grad) == parameters


@pytest.mark.parametrize("name", list_models("D"))
def test_with_every_module_switched_off_the_backbone_is_the_original(name):
    torch.manual_seed(0)
    mine = create_model(name).eval()
    for layer in get_spec(name).attention_layers:
        mine.get_submodule(layer).enabled = False
    if name.startswith("efficientnet_lite0"):
        theirs = timm.create_model("efficientnet_lite0", num_classes=7, in_chans=1, bn_eps=1e-3)
    elif name.startswith("resnet18"):
        theirs = resnet18(num_classes=7)
        theirs.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    else:
        theirs = mobilenet_v2(num_classes=7)
        theirs.features[0][0] = nn.Conv2d(1, 32, 3, 2, 1, bias=False)
    theirs.load_state_dict({k: v for k, v in mine.state_dict().items() if not k.startswith("attention.")})
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(mine(x), theirs.eval()(x))


def test_an_argument_reaches_every_module():
    model = create_model("resnet18_svd_hfc", cutoff=0.1, mask="gaussian")
    assert {(m.cutoff, m.mask) for m in model.attention} == {(0.1, "gaussian")}
