"""What is particular to one family of networks: counts of the papers, arguments, frozen parts, votes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision
from helpers import checkpoint_folders
from torch import nn

from models import checkpoints, create_model, get_spec, load_checkpoint
from models.architectures.hybrid import Backbone
from models.backbones import PIXELS
from models.checkpoints import read_card
from models.training.optimization import freeze
from workbench.analysis import cam
from workbench.analysis.attention import attention_of


def count(name: str, **overrides) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in create_model(name, **overrides).parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("multibranch_dsc_cbam", 3_772_253), ("vulpe_cnn", 5_170_503)],
)
def test_parameters_are_those_of_the_paper(name, parameters):
    assert count(name) == parameters


def test_the_public_count_of_paper_e_includes_running_statistics():
    buffers = create_model("multibranch_dsc_cbam").named_buffers()
    assert sum(value.numel() for key, value in buffers if "running" in key) == 3_790_749 - 3_772_253


def test_the_hybrid_on_resnet50_is_within_one_per_cent_of_the_papers_count():
    assert abs(count("hybrid_resnet50") / 77.4e6 - 1) < 0.01
    assert abs(count("hybrid_xception") / 74.6e6 - 1) < 0.01
    assert count("hybrid_mobilenet_v3_small") > 2.6e6, "the paper's 2.5 million has no room for the head"


def test_rarn_is_not_lightweight():
    assert count("rarn") > 58e6
    assert count("rarn", backbone="resnet18") < count("rarn", backbone="resnet34") < count("rarn", backbone="resnet50")


# ---- paper A


@pytest.mark.parametrize("fusion", [True, False])
@pytest.mark.parametrize("attention", [True, False])
def test_rarn_is_built_without_fusion_and_without_attention(fusion, attention):
    model = create_model("rarn", backbone="resnet18", fusion=fusion, attention=attention).eval()
    levels = model.levels(torch.randn(1, 1, 64, 64))
    assert [level.shape[-1] for level in levels] == [32, 16, 8, 4, 2]
    assert model(torch.randn(1, 1, 64, 64)).shape == (1, 7)
    assert isinstance(model.attention, nn.Identity) is not attention
    assert isinstance(model.fusion, nn.Identity) is not fusion


def test_rarn_without_fusion_and_attention_is_the_plain_resnet():
    model = create_model("rarn", backbone="resnet18", fusion=False, attention=False).eval()
    plain = create_model("resnet18").eval()
    state = {key.removeprefix("backbone.").replace("classifier.", "fc."): v for key, v in model.state_dict().items()}
    plain.load_state_dict(state)
    x = torch.randn(2, 1, 48, 48)
    torch.testing.assert_close(model(x), plain(x))


def test_the_angle_that_won_is_readable_at_each_position_of_rarn():
    model = create_model("rarn", backbone="resnet18").eval()
    with torch.no_grad():
        fused = model.fusion(model.levels(torch.randn(1, 1, 48, 48)))
        angle = model.attention.steps(fused).angle
    assert angle.shape == (1, 24, 24)
    assert set(angle.unique().tolist()) <= {22.5 + 45 * n for n in range(8)}


# ---- paper B


@pytest.mark.parametrize("overrides", [{"adapter": "learned"}, {"multiscale": True}, {"side": 96}], ids=str)
def test_the_hybrid_takes_its_arguments(overrides):
    model = create_model("hybrid_mobilenet_v3_small", **{"side": 128, **overrides}).eval()
    with torch.no_grad():
        assert model(torch.randn(2, 1, 48, 48)).shape == (2, 7)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b3", "mobilenet_v3_small", "xception"])
def test_the_running_means_of_a_backbone_follow_within_a_few_steps(name):
    torch.manual_seed(0)
    net, x = Backbone(name), torch.randn(8, 3, 64, 64) + 2
    first = next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    seen = []

    def stop(_module, inputs, _output):
        seen.append(inputs[0].mean((0, 2, 3)))
        raise StopIteration  # what follows the first normalization is not read

    first.register_forward_hook(stop)
    with torch.no_grad():
        for _ in range(30):
            with pytest.raises(StopIteration):
                net(x)
    torch.testing.assert_close(first.running_mean, seen[-1], rtol=0.05, atol=1e-4)


def test_every_branch_reads_backbone_and_transformer():
    torch.manual_seed(0)
    model = create_model("hybrid_mobilenet_v3_small", side=96, dropout=0.0).eval()
    assert len(model.branches) == 7
    width = model.backbone.channels
    inputs = []
    model.branches[3].register_forward_hook(lambda m, i, o: inputs.append(i[0]))
    parts = {}
    model.sca.register_forward_hook(lambda m, i, o: parts.__setitem__("features", o))
    model.transformer.register_forward_hook(lambda m, i, o: parts.__setitem__("tokens", o))
    with torch.no_grad():
        model(torch.randn(1, 1, 48, 48))
    torch.testing.assert_close(inputs[0][:, :width], parts["features"].mean((-2, -1)))
    torch.testing.assert_close(inputs[0][:, width:], parts["tokens"].mean(1))


def test_the_hybrid_hands_out_what_its_class_branches_say_before_they_are_fused():
    torch.manual_seed(0)
    model, x = create_model("hybrid_mobilenet_v3_small", side=96).eval(), torch.randn(2, 1, 48, 48)
    heard = []
    for branch in model.branches:
        branch.register_forward_hook(lambda m, i, o: heard.append(o))
    with torch.no_grad():
        logits = model(x)
        said = torch.stack(heard, 1)
        assert torch.equal(model.class_branches(x), said)
        assert torch.equal(model.fuse(said), logits)
    assert said.shape == (2, 7, 96)
    assert said.min() >= 0, "0 is nothing said"


# ---- paper C


def test_features_lie_on_the_unit_sphere_before_scale_and_shift():
    model = create_model("resnet50_cnn")
    f = torch.randn(5, 128)
    with torch.no_grad():
        model.sphere.gamma.fill_(3.0)
        model.sphere.beta.fill_(0.5)
    steps = model.sphere.steps(f)
    torch.testing.assert_close(steps.unit.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(steps.unit, f / f.norm(dim=1, keepdim=True))
    torch.testing.assert_close(steps.y, 3 * steps.unit + 0.5)
    assert model.sphere.steps(torch.zeros(1, 128)).unit.abs().max() == 0


def test_frozen_layers_get_no_gradient_and_keep_their_statistics():
    torch.manual_seed(0)
    model = create_model("resnet50_cnn").train()
    for module in freeze(model, get_spec("resnet50_cnn"), 0):
        module.eval()
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    F.cross_entropy(model(torch.randn(4, 1, 48, 48)), torch.tensor([0, 1, 2, 3])).backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.backbone.state_dict().items())
    assert all(p.grad is not None for p in model.refine1.parameters())


# ---- paper E


def test_the_two_changes_of_the_ablation_come_apart():
    names = {
        (branches, conv): count("multibranch_dsc_cbam", branches=branches, conv=conv)
        for branches in (1, 3)
        for conv in ("dsc", "full")
    }
    assert len(set(names.values())) == 4
    assert count("singlebranch_conv_cbam") == names[1, "full"]


@pytest.mark.parametrize(
    ("name", "overrides", "word"),
    [
        ("multibranch_dsc_cbam", {"branches": 4}, "branches=4"),
        ("multibranch_dsc_cbam", {"conv": "half"}, 'conv="half"'),
        ("rarn", {"backbone": "alexnet"}, 'backbone="alexnet"'),
        ("hybrid_resnet50", {"adapter": "copy"}, 'adapter="copy"'),
        ("ensemble", {"members": []}, "members="),
        ("ensemble", {"weights": [1.0]}, "weights="),
        ("ensemble", {"weights": [1.0, -1.0]}, "weights="),
    ],
)
def test_a_wrong_argument_is_named(name, overrides, word, unchecked):
    with pytest.raises(ValueError, match=word), torch.device("cpu"):
        create_model(name, **overrides)


def test_an_ensemble_averages_what_its_members_say_on_their_own_input():
    net = create_model("ensemble", members=["residual_cnn", "vanilla_cnn"], weights=[1, 3])
    first, card = load_checkpoint("residual_cnn")
    second, other = load_checkpoint("vanilla_cnn")
    images = torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        x = card.prepare(images)
        a, b = first(x).softmax(1), second(other.prepare(images)).softmax(1)
        torch.testing.assert_close(net.eval()(x).exp(), 0.25 * a + 0.75 * b, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(net.votes(x), torch.stack([a, b]), atol=1e-5, rtol=1e-4)
    assert net.names == ("residual_cnn", "vanilla_cnn")


def test_an_ensemble_of_one_training_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    checkpoint_folders.put("vanilla_cnn", checkpoint_folders.knows(range(3)))
    start = read_card("vanilla_cnn").as_ancestor("vanilla_cnn", "start")
    checkpoint_folders.put("longer", checkpoint_folders.knows(range(4)), ancestors=(start,))
    with pytest.raises(ValueError, match="share a training run"):
        create_model("ensemble", members=["vanilla_cnn", "longer"])


# ---- ImageNet weights


@pytest.mark.parametrize(
    ("name", "their", "file", "prefix"),
    [
        ("resnet50", "resnet50", "resnet50-0676ba61.pth", ""),
        ("resnet50_cnn", "resnet50", "resnet50-0676ba61.pth", "backbone."),
        ("hybrid_mobilenet_v3_small", "mobilenet_v3_small", "mobilenet_v3_small-047dcff4.pth", "backbone.net."),
        ("resnet18_svd_hfc", "resnet18", "resnet18-f37072fd.pth", ""),
        ("mobilenet_v2_bam", "mobilenet_v2", "mobilenet_v2-7ebf99e0.pth", ""),
    ],
)
def test_torchvisions_weights_are_loaded_from_a_local_file(name, their, file, prefix, tmp_path, monkeypatch):
    converted = ("conv1.weight", "bn1.running_mean", "features.0.0.weight", "features.0.1.running_mean")
    torch.manual_seed(0)
    state = getattr(torchvision.models, their)().state_dict()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "hub" / "checkpoints" / file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    mine = create_model(name, pretrained=True).state_dict()
    found = 0
    for key, value in state.items():
        own = prefix + (key.removeprefix("features.") if prefix else key)
        if own not in mine or key.startswith(("fc.", "classifier.")) or key in converted:
            continue
        assert torch.equal(mine[own], value), key
        found += 1
    assert found > 100


def test_timms_weights_are_loaded_from_a_local_file(tmp_path, monkeypatch):
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = timm.create_model("mobilenetv1_100").state_dict()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    save_file(state, tmp_path / "hub" / "checkpoints" / "mobilenetv1_100.safetensors")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    mine = create_model("mobilenet_v1", pretrained=True).state_dict()
    scale = PIXELS[1] / 0.5  # timm normalizes this network with 0.5 and 0.5
    torch.testing.assert_close(mine["conv_stem.weight"], scale * state["conv_stem.weight"].sum(1, keepdim=True))
    assert torch.equal(mine["blocks.4.0.conv_pw.weight"], state["blocks.4.0.conv_pw.weight"])


# ---- the vision transformer


def test_the_vision_transformer_weighs_positions_in_every_block_and_maps_them():
    torch.manual_seed(0)
    model, x = create_model("vit_tiny").eval(), torch.randn(2, 1, 48, 48)
    assert {found.layer for found in attention_of(model, x)} == {f"blocks.{i}" for i in range(6)}
    for found in attention_of(model, x, ("blocks.5",)):
        assert found.values.shape == (2, 8, 8)
        assert found.pairs.shape == (2, 64, 64)
    assert cam.gradcam(model, x, [3, 4], get_spec("vit_tiny").cam_layer).shape[-2:] == (8, 8)


def test_the_vision_transformer_drops_paths_in_training_only():
    torch.manual_seed(0)
    model, x = create_model("vit_tiny", drop_path=0.9), torch.randn(1, 1, 48, 48)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_a_patch_of_the_vision_transformer_is_a_position_row_by_row():
    model, x = create_model("vit_tiny").eval(), torch.zeros(1, 1, 48, 48)
    changed = x.clone()
    changed[..., 6:12, 12:18] = 1  # row 1, column 2
    difference = (model.patches(changed) - model.patches(x)).abs().sum(-1)[0]
    assert difference.nonzero().flatten().tolist() == [1 * 8 + 2]
