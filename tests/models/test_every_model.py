"""What holds for every network, now and later: the tests ask the registry which ones there are."""

from __future__ import annotations

import copy
import functools
import importlib.util
import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from helpers.small_networks import resized_to_96_at_most
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from models import create_model, get_spec, list_models, registry
from models.checkpoints import Card, half_precision, load_checkpoint, save_checkpoint
from models.registry import register_model

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
every_model = pytest.mark.parametrize("name", list_models())
every_model_with_a_cam_layer = pytest.mark.parametrize("name", [n for n in list_models() if get_spec(n).cam_layer])
every_model_with_attention = pytest.mark.parametrize("name", [n for n in list_models() if get_spec(n).attention_layers])


def pictures(name: str, n: int = 2, extra: int = 0) -> Tensor:
    size = get_spec(name).input_size + extra
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(1))


@dataclass(frozen=True)
class Settled:
    """A network with first weights after one step of training that moved no weight, in evaluation mode.

    Its normalization layers know the images; tests share it and leave it as it is. `gradients`: of every parameter,
    whether it is finite and whether it is anything but 0; None where there is none.
    """

    model: nn.Module
    gradients: dict[str, tuple[bool, bool] | None]


@functools.lru_cache(maxsize=1)  # tests of one network run one after another: see tests/conftest.py
def settled(name: str) -> Settled:
    torch.manual_seed(0)
    model = create_model(name)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 1.0
    with torch.enable_grad(), resized_to_96_at_most(model):
        F.cross_entropy(model(pictures(name, 4)), torch.tensor([0, 2, 4, 6])).backward()
    for m, momentum in zip(norms, before, strict=True):
        m.momentum = momentum
    gradients = {
        key: None if p.grad is None else (bool(p.grad.isfinite().all()), bool(p.grad.any()))
        for key, p in model.named_parameters()
        if p.requires_grad
    }
    for p in model.parameters():
        p.grad = None
    return Settled(model.eval(), gradients)


def deep(model: nn.Module) -> bool:
    """Over fifty convolutions with first weights: a change in the last digit grows as large as the signal."""
    return sum(isinstance(module, nn.Conv2d) for module in model.modules()) > 50


def card_of(name: str, model: nn.Module) -> Card:
    return Card(
        network=name,
        classes=CLASSES,
        input_size=get_spec(name).input_size,
        mean=0.5,
        std=0.25,
        recipe="quick",
        split="official",
        data="0" * 16,
        seed=0,
        epochs=0,
        best_epoch=0,
        device="cpu",
        precision="32-true",
        wall_seconds=0.0,
        parameters=sum(p.numel() for p in model.parameters()),
    )


@functools.lru_cache(maxsize=1)
def hollow(name: str) -> nn.Module:
    """A new network whose weights have shapes and no numbers."""
    with torch.device("meta"):
        return create_model(name)


@every_model
def test_the_stated_number_of_parameters_is_that_of_the_built_network(name):
    assert get_spec(name).parameters == sum(p.numel() for p in hollow(name).parameters() if p.requires_grad)


@every_model
def test_a_new_network_is_in_training_mode_and_gives_one_logit_a_class_at_two_sizes(name):
    with torch.device("meta"):  # the other tests ask with numbers
        of_three = create_model(name, num_classes=3)
    for model, extra, num_classes in ((copy.deepcopy(hollow(name)), 16, 7), (of_three, 0, 3)):
        assert model.training
        logits = model.eval()(pictures(name, extra=extra).to("meta"))
        assert isinstance(logits, Tensor), "a network returns plain logits, never a tuple"
        assert logits.shape == (2, num_classes)


@every_model
def test_three_channels_are_an_option_and_only_the_first_layer_grows(name):
    with torch.device("meta"):
        model = create_model(name, channels=3).eval()
    gray, rgb = (dict(network.named_parameters()) for network in (hollow(name), model))
    assert gray.keys() == rgb.keys()
    grown = [key for key in gray if gray[key].shape[1:] != rgb[key].shape[1:]]
    repeats = name == "ensemble" or name.startswith("hybrid")  # its members, or its backbone, stay as they are
    assert len(grown) == (0 if repeats else 1)
    assert all(rgb[key].shape[1] == 3 * gray[key].shape[1] for key in grown)
    x = pictures(name).expand(-1, 3, -1, -1).to("meta")
    assert model(x).shape == (2, 7)
    with pytest.raises(ValueError, match="3, H, W"):
        model(x[:, :1])


@every_model
def test_the_prediction_for_an_image_does_not_depend_on_the_batch(name):
    a, b, c = pictures(name, 3, extra=16).split(1)
    with torch.no_grad(), resized_to_96_at_most(settled(name).model) as model:
        alone, with_b, with_c = model(a), model(torch.cat([a, b])), model(torch.cat([a, c]))
    assert alone.shape == (1, 7)
    assert torch.equal(with_b[0], with_c[0])
    assert not torch.equal(with_b[1], with_c[1])
    if not deep(model):
        torch.testing.assert_close(alone[0], with_b[0], atol=1e-3, rtol=1e-3)


@every_model
def test_every_parameter_gets_a_finite_gradient(name):
    gradients = settled(name).gradients
    assert gradients
    assert [key for key, found in gradients.items() if found is None] == []
    assert [key for key, (finite, _) in gradients.items() if not finite] == []
    assert any(moves for _, moves in gradients.values())


class Recorder:
    """Records, for every module in the order in which they finish, what it returned; of one also a copy at once."""

    def __init__(self, model: nn.Module, x: Tensor, copied: str) -> None:
        self.finished: list[tuple[str, nn.Module, Tensor]] = []
        self.copy: Tensor | None = None
        handles = [m.register_forward_hook(self._hook(key, key == copied)) for key, m in model.named_modules() if key]
        try:
            self.logits = model(x)
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, key: str, copied: bool):
        def hook(module, inputs, output):
            if isinstance(output, Tensor):
                self.finished.append((key, module, output))
                if copied:
                    self.copy = output.detach().clone()

        return hook

    def last(self, key: str) -> int:
        """Where a module stands in the order."""
        return max(i for i, (other, _, _) in enumerate(self.finished) if other == key)


@functools.lru_cache(maxsize=1)
def recorded(name: str) -> Recorder:
    """One pass at the network's own size, with a graph that begins at the image."""
    model = settled(name).model
    for p in model.parameters():
        p.requires_grad_(False)
    seen = Recorder(model, pictures(name, 1).requires_grad_(), get_spec(name).cam_layer)
    for p in model.parameters():
        p.requires_grad_(True)
    return seen


@pytest.mark.parametrize("name", [name for name in list_models() if get_spec(name).stages])
def test_the_last_map_of_the_smallest_training_image_has_at_least_four_positions(name):
    spec, passed = get_spec(name), {}
    model = hollow(name)
    model.get_submodule(spec.stages[-1][-1]).register_forward_hook(partial(keep, passed, "last"))
    shapes = {}
    for side in {spec.smallest_training_side, spec.stride or spec.smallest_side}:
        if side >= spec.smallest_side:
            model(torch.zeros(2, 1, side, side, device="meta"))
            shapes[side] = passed["last"][1].shape[-2:]
    assert min(shapes[spec.smallest_training_side]) >= 2
    if spec.stride in shapes:
        assert shapes[spec.stride] == (1, 1), "its stride is larger than that"


@every_model_with_a_cam_layer
def test_the_cam_layer_is_the_deepest_whose_map_is_at_least_six_by_six(name):
    spec, seen = get_spec(name), recorded(name)
    at = seen.last(spec.cam_layer)
    output = seen.finished[at][2]
    assert output.ndim == 4
    assert min(output.shape[-2:]) >= 6
    # Whole blocks are compared: convolutions inside a later block that still see the larger map do not count, and
    # attention only weighs the map that it is given.
    deeper = [
        key
        for key, module, later in seen.finished[at + 1 :]
        if not isinstance(module, nn.AdaptiveAvgPool2d)  # may repeat a smaller map
        if key.count(".") <= spec.cam_layer.count(".") and later.ndim == 4 and min(later.shape[-2:]) >= 6
        if key not in spec.attention_layers and key.split(".")[0] not in spec.cam_layer.split(".")[:-1]
        if key != "attention" and not key.startswith("attention.")
    ]
    assert deeper == [], "a later layer has a map that is large enough"


@every_model_with_a_cam_layer
def test_nothing_changes_the_cam_map_in_place_and_the_logit_has_a_gradient_there(name):
    seen = recorded(name)
    output = seen.finished[seen.last(get_spec(name).cam_layer)][2]
    assert torch.equal(output, seen.copy)
    (gradient,) = torch.autograd.grad(seen.logits[:, 3].sum(), output, retain_graph=True)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@every_model_with_a_cam_layer
def test_no_activation_at_or_after_the_cam_layer_works_in_place(name):
    seen = recorded(name)
    at = seen.last(get_spec(name).cam_layer)
    inside = [*seen.finished[at][1].modules()]
    concerned = inside + [module for _, module, _ in seen.finished[at + 1 :]]
    assert [m for m in concerned if getattr(m, "inplace", False)] == []


def keep(passed: dict, layer: str, _module: nn.Module, inputs: tuple, output: Tensor) -> None:
    passed[layer] = (inputs[0], output)


@every_model_with_attention
def test_an_attention_layer_that_is_switched_off_returns_its_input(name):
    x, passed = pictures(name, 1), {}
    with torch.no_grad(), resized_to_96_at_most(settled(name).model) as model, ExitStack() as hooks:
        with_attention = model(x)
        layers = {layer: model.get_submodule(layer) for layer in get_spec(name).attention_layers}
        for layer, attention in layers.items():
            assert attention.enabled is True
            attention.enabled = False
            hooks.enter_context(attention.register_forward_hook(partial(keep, passed, layer)))
        without = model(x)
        hooks.close()
        for attention in layers.values():
            attention.enabled = True
        assert torch.equal(model(x), with_attention)
    assert not torch.equal(without, with_attention)
    assert passed.keys() == layers.keys()
    assert [layer for layer, (before, after) in passed.items() if not torch.equal(before, after)] == []


@pytest.mark.parametrize("name", [n for n in list_models() if get_spec(n).parameters < 20e6])  # of the same layers
def test_saved_weights_are_loaded_as_rounded_and_saving_again_changes_nothing(name, tmp_path):
    model = settled(name).model
    save_checkpoint(tmp_path / "first", model, card_of(name, model))
    loaded, card = load_checkpoint(tmp_path / "first")
    assert not loaded.training
    assert {v.dtype for v in loaded.parameters()} == {torch.float32}
    state, rounded = loaded.state_dict(), half_precision(model)
    assert state.keys() == rounded.keys()
    assert [key for key, value in state.items() if not torch.equal(value, rounded[key].to(value))] == []
    for key, value in loaded.named_parameters():
        assert torch.equal(value, model.get_parameter(key).half().float())
    x = pictures(name, 1)
    with torch.no_grad(), resized_to_96_at_most(model), resized_to_96_at_most(loaded):
        original, expected, found = model(x), torch.func.functional_call(model, state, x), loaded(x)
    assert torch.equal(found, expected)
    if not deep(model):
        assert (found - original).norm() < 0.1 * original.norm()

    save_checkpoint(tmp_path / "second", loaded, card)
    for file in ("model.safetensors", "card.json"):
        assert (tmp_path / "second" / file).read_bytes() == (tmp_path / "first" / file).read_bytes()


class QuickBfloat16(TorchDispatchMode):
    """Convolutions of bfloat16 numbers added up in float32 and rounded, as is always done; in a quick way.

    Processors without instructions for them take seconds for an image. Types that do not fit remain an error.
    """

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [value for value in args if isinstance(value, Tensor)]
        if function is not torch.ops.aten.convolution.default or {value.dtype for value in tensors} != {torch.bfloat16}:
            return function(*args, **(kwargs or {}))
        return function(*(value.float() if isinstance(value, Tensor) else value for value in args)).bfloat16()


@every_model
def test_float32_and_bfloat16_give_finite_logits_that_are_close(name):
    x = pictures(name, 1, extra=1)
    with torch.no_grad(), resized_to_96_at_most(settled(name).model) as model:
        full = model(x)
        with torch.autocast("cpu", torch.bfloat16), QuickBfloat16():
            mixed = model(x.bfloat16()).float()  # as Fabric hands it in
    assert full.dtype == torch.float32
    assert full.isfinite().all()
    assert mixed.isfinite().all()
    if not deep(model):
        assert (mixed - full).norm() < 0.5 * full.norm()


@every_model
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: forward passes on CPU and GPU not compared")
def test_a_gpu_gives_the_same_logits(name, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    model = copy.deepcopy(settled(name).model)
    x = pictures(name)
    with torch.no_grad():
        expected, found = model(x), model.cuda()(x.cuda()).cpu()
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@every_model
def test_an_override_that_the_network_does_not_have_is_refused_with_its_options(name):
    with pytest.raises(ValueError, match=f'{name} has no option "no_such_argument"; it'):
        create_model(name, no_such_argument=1)


UNSUITABLE = {
    (2, 3, 48, 48): "one channel",
    (2, 48, 48): "one channel",
    (2, 1, 7, 48): "at least",
    (1, 1, 48, 48): "one image",  # of which a normalization over the batch has no variance
}


@every_model
def test_input_that_does_not_suit_is_named(name, unchecked, subtests):
    model = hollow(name)  # the input is refused before the network sees it
    normalized = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
    assert normalized or name in ("vgg16", "vit_tiny")
    for shape, message in UNSUITABLE.items():
        if normalized or message != "one image":
            with subtests.test(shape=shape), pytest.raises(ValueError, match=message):
                model(torch.zeros(shape))


@every_model
def test_names_of_weights_are_unique_words(name):
    keys = list(settled(name).model.state_dict())
    assert len({key.lower() for key in keys}) == len(keys)
    assert [key for key in keys if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", key)] == []


def test_every_spec_says_what_a_page_needs(subtests):
    for name in list_models():
        with subtests.test(name):
            spec = get_spec(name)
            assert spec.name == name
            assert spec.paper in set("ABCDE")
            assert spec.title
            assert name in list_models(spec.paper)
            assert all(0 < figure <= 1 for figure in spec.reported.values())


@every_model
def test_imagenet_weights_that_cannot_be_had_are_refused_in_words(name, monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # nor the package with Lite0's
    with pytest.raises((ValueError, OSError, RuntimeError), match="ImageNet"), torch.device("meta"):
        create_model(name, pretrained=True)


@pytest.mark.parametrize("name", ["vanilla_cnn", "residual_cnn"])
def test_a_network_that_only_its_paper_knows_says_that_it_has_no_imagenet_weights(name):
    with pytest.raises(ValueError, match=f'"{name}" has no ImageNet weights'):
        create_model(name, pretrained=True)


def test_the_residual_network_of_paper_c_has_about_two_million_parameters():
    assert 1_800_000 < sum(p.numel() for p in create_model("residual_cnn").parameters()) < 2_200_000
    assert {"residual_cnn", "vanilla_cnn"} <= set(list_models("C"))


def test_a_name_that_is_taken_is_refused_and_the_first_network_stays():
    spec = get_spec("vanilla_cnn")
    with pytest.raises(ValueError, match="vanilla_cnn"):

        @register_model("vanilla_cnn", paper="A", title="Another")
        def another(num_classes, pretrained):
            return nn.Identity()

    assert get_spec("vanilla_cnn") is spec


def test_an_unknown_name_raises_with_the_three_nearest(monkeypatch):
    known = {"residual_cnn": 1, "residual_cnn_b": 2, "residual_cnn_c": 3, "xyz": 4}
    monkeypatch.setattr(registry, "_SPECS", known)
    with pytest.raises(ValueError, match="residul_cnn") as error:
        create_model("residul_cnn")
    named = str(error.value).split("names:")[1]
    assert sorted(named.replace(" ", "").split(",")) == ["residual_cnn", "residual_cnn_b", "residual_cnn_c"]


@pytest.mark.parametrize("num_classes", [1, 0, -3])
def test_fewer_than_two_classes_are_refused(num_classes):
    with pytest.raises(ValueError, match="at least 2 classes"):
        create_model("vanilla_cnn", num_classes=num_classes)
