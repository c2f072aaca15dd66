"""What holds for every network, now and later: the tests ask the registry which ones there are."""

from __future__ import annotations

import copy
import functools
import re
import socket

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import create_model, get_spec, list_models, registry
from models.checkpoints import Card, half_precision, load_checkpoint, save_checkpoint
from models.registry import register_model

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
every_model = pytest.mark.parametrize("name", list_models())
every_model_with_a_cam_layer = pytest.mark.parametrize("name", [n for n in list_models() if get_spec(n).cam_layer])
every_attention_layer = pytest.mark.parametrize(
    ("name", "layer"), [(n, layer) for n in list_models() for layer in get_spec(n).attention_layers]
)


def pictures(name: str, n: int = 2, extra: int = 0) -> Tensor:
    size = get_spec(name).input_size + extra
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(1))


@functools.lru_cache(maxsize=2)  # tests of one network run one after another: see tests/conftest.py
def _built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name)


def built(name: str) -> nn.Module:
    """A network with first weights, of its own for each test; building the large ones takes seconds."""
    return copy.deepcopy(_built(name))


@functools.lru_cache(maxsize=2)
def _settled(name: str) -> nn.Module:
    model = built(name)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 1.0
    with torch.no_grad():
        model(pictures(name, 16))
    for m, momentum in zip(norms, before, strict=True):
        m.momentum = momentum
    return model.eval()


def settled(name: str) -> nn.Module:
    """A network with first weights whose normalisation layers know the pictures, in evaluation mode."""
    return copy.deepcopy(_settled(name))


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


@every_model
@pytest.mark.parametrize("num_classes", [7, 3])
def test_logits_have_one_column_a_class_at_two_sizes(name, num_classes):
    model = create_model(name, num_classes=num_classes).eval()
    with torch.no_grad():
        for extra in (0, 16):
            logits = model(pictures(name, extra=extra))
            assert isinstance(logits, Tensor), "a network returns plain logits, never a tuple"
            assert logits.shape == (2, num_classes)


@every_model
def test_a_new_network_is_in_training_mode_and_takes_single_pictures_in_evaluation_mode(name):
    model = built(name)
    assert model.training
    model = settled(name)
    two = pictures(name, 2)
    with torch.no_grad():
        one = model(two[:1])
        together = model(two)
    assert one.shape == (1, 7)
    torch.testing.assert_close(one, together[:1], atol=1e-4, rtol=1e-4)  # neighbours in the batch change nothing


@every_model
def test_every_parameter_gets_a_finite_gradient(name):
    model = built(name)
    F.cross_entropy(model(pictures(name, 4)), torch.tensor([0, 1, 2, 6])).backward()
    trained = {key: p.grad for key, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert [key for key, grad in trained.items() if grad is None] == []
    assert [key for key, grad in trained.items() if not grad.isfinite().all()] == []
    assert any(grad.abs().sum() > 0 for grad in trained.values())


class Recorder:
    """Records, for every module in the order in which they finish, what it returned."""

    def __init__(self, model: nn.Module, x: Tensor) -> None:
        self.finished: list[tuple[str, nn.Module, Tensor]] = []
        self.copies: dict[str, Tensor] = {}
        handles = [m.register_forward_hook(self._hook(key)) for key, m in model.named_modules() if key]
        try:
            self.logits = model(x)
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, key: str):
        def hook(module, inputs, output):
            if isinstance(output, Tensor):
                self.finished.append((key, module, output))
                self.copies[key] = output.detach().clone()

        return hook

    def last(self, key: str) -> int:
        """Where a module stands in the order."""
        return max(i for i, (other, _, _) in enumerate(self.finished) if other == key)


@every_model_with_a_cam_layer
def test_the_cam_layer_is_the_deepest_whose_map_is_at_least_six_by_six(name):
    spec, model = get_spec(name), settled(name)
    assert isinstance(model.get_submodule(spec.cam_layer), nn.Module)
    seen = Recorder(model, pictures(name))
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
def test_nothing_changes_the_cam_map_in_place_and_the_class_score_has_a_gradient_there(name):
    spec, model = get_spec(name), settled(name)
    for p in model.parameters():
        p.requires_grad_(False)
    seen = Recorder(model, pictures(name).requires_grad_())
    output = seen.finished[seen.last(spec.cam_layer)][2]
    assert torch.equal(output, seen.copies[spec.cam_layer])
    (gradient,) = torch.autograd.grad(seen.logits[:, 3].sum(), output)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@every_model_with_a_cam_layer
def test_no_activation_at_or_after_the_cam_layer_works_in_place(name):
    spec, model = get_spec(name), settled(name)
    seen = Recorder(model, pictures(name))
    at = seen.last(spec.cam_layer)
    inside = [m for _, m in model.get_submodule(spec.cam_layer).named_modules()]
    concerned = inside + [module for _, module, _ in seen.finished[at + 1 :]]
    assert [m for m in concerned if getattr(m, "inplace", False)] == []


@every_attention_layer
def test_an_attention_layer_that_is_switched_off_returns_its_input(name, layer):
    model = settled(name)
    attention = model.get_submodule(layer)
    assert attention.enabled is True
    x = pictures(name)
    with torch.no_grad():
        with_attention = model(x)
        attention.enabled = False
        passed = []
        with_hook = attention.register_forward_hook(lambda m, inputs, output: passed.append((inputs[0], output)))
        model(x)
        with_hook.remove()
        assert passed
        assert all(torch.equal(before, after) for before, after in passed)
        attention.enabled = True
        assert torch.equal(model(x), with_attention)


@every_model
def test_saved_weights_are_loaded_as_they_were_rounded_and_saving_again_changes_nothing(name, tmp_path):
    model = settled(name)
    rounded = copy.deepcopy(model)
    rounded.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half_precision(model).items()})
    save_checkpoint(tmp_path / "first", model, card_of(name, model))
    loaded, card = load_checkpoint(tmp_path / "first")
    assert not loaded.training
    assert {v.dtype for v in loaded.parameters()} == {torch.float32}
    x = pictures(name)
    with torch.no_grad():
        original, expected, found = model(x), rounded(x), loaded(x)
    assert torch.equal(found, expected)
    for key, value in loaded.named_parameters():
        torch.testing.assert_close(value, model.get_parameter(key), rtol=2**-11, atol=2**-24)
    if not deep(model):
        assert (found - original).norm() < 0.1 * original.norm()

    save_checkpoint(tmp_path / "second", loaded, card)
    for file in ("model.safetensors", "card.json"):
        assert (tmp_path / "second" / file).read_bytes() == (tmp_path / "first" / file).read_bytes()


@every_model
def test_float32_and_bfloat16_give_finite_logits_that_are_close(name):
    model = settled(name)
    x = pictures(name, 1)  # processors without bfloat16 take seconds for a picture
    with torch.no_grad():
        full = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(x).float()
    assert full.dtype == torch.float32
    assert full.isfinite().all()
    assert mixed.isfinite().all()
    if not deep(model):
        assert (mixed - full).norm() < 0.5 * full.norm()


@every_model
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: forward passes on CPU and GPU not compared")
def test_a_gpu_gives_the_same_logits(name, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    model = settled(name)
    x = pictures(name)
    with torch.no_grad():
        expected, found = model(x), model.cuda()(x.cuda()).cpu()
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@every_model
def test_an_override_that_the_network_does_not_have_raises_type_error(name):
    with pytest.raises(TypeError, match="no_such_argument"):
        create_model(name, no_such_argument=1)


@every_model
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 48, 48), "one channel"),
        ((2, 48, 48), "one channel"),
        ((2, 1, 7, 48), "at least"),
        ((1, 1, 48, 48), "one picture"),
    ],
)
def test_input_that_does_not_suit_is_named(name, shape, message, unchecked):
    model = _built(name)  # nothing is changed: the input is refused before the network sees it
    if message == "one picture" and not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules()):
        assert name == "vgg16"
        return
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape))


@every_model
def test_names_of_weights_are_unique_words(name):
    keys = list(built(name).state_dict())
    assert len({key.lower() for key in keys}) == len(keys)
    assert [key for key in keys if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", key)] == []


@every_model
def test_the_spec_says_what_a_page_needs(name):
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
    with pytest.raises((ValueError, OSError, RuntimeError), match="ImageNet"):
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
