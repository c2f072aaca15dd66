"""The papers' recipes say what the papers say, and each of their parts does something."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

from models import create_model, get_spec, list_models, load_checkpoint
from models.checkpoints import read_card, save_checkpoint
from models.datasets.splits import split
from models.train import parse
from models.training import memory, resume, trainer
from models.training.engine import train
from models.training.errors import Interrupted, TrainingError
from models.training.events import read_events
from models.training.optimization import freeze
from models.training.recipes import from_recipe
from models.training.setup import check_sides, first_model, must_fit
from models.training.trainer import Trainer

PROGRESSIVE = [
    {"epochs": 1, "learning_rate": 0.05, "trained_stages": 0},
    {"epochs": 2, "learning_rate": 0.02, "trained_stages": 1},
    {"epochs": 1, "learning_rate": 0.01, "trained_stages": 0},
]


def tensors(folder: Path, prefix: str = "model.") -> dict[str, torch.Tensor]:
    found = safetensors.torch.load_file(folder / resume.FILE)
    return {key: value for key, value in found.items() if key.startswith(prefix)}


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


# ---- what the papers say


def test_paper_a():
    c = from_recipe("paper-a", model="rarn")
    assert (c.epochs, c.batch_size, c.optimizer, c.learning_rate) == (33, 64, "sgd", 0.01)
    assert (c.schedule, c.decay_every, c.decay_factor) == ("step", 3, 0.9)
    assert (c.augmentation, c.class_weights, c.label_smoothing, c.split) == ("paper-a", "none", 0.0, "official")
    assert not c.nesterov


def test_paper_b():
    c = from_recipe("paper-b", model="hybrid_resnet50")
    assert [p.epochs for p in c.phases[1:]] == [15, 15, 20, 20]
    assert [p.learning_rate for p in c.phases[1:]] == [1e-5, 5e-6, 1e-6, 1e-7]
    assert c.epochs == sum(p.epochs for p in c.phases)
    assert (c.optimizer, c.schedule, c.class_weights, c.split, c.pretrained) == (
        *("adamw", "cosine", "inverse", "paper-b"),
        True,
    )
    assert c.warmup > 0
    assert c.weight_decay > 0


def keras_layers() -> list[str]:
    """Names of the 175 layers of Keras' ResNet-50 without its top, in the order of `model.layers`."""
    layers = ["input", "conv1_pad", "conv1_conv", "conv1_bn", "conv1_relu", "pool1_pad", "pool1_pool"]
    for stage, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        for block in range(1, blocks + 1):
            parts = ["1_conv", "1_bn", "1_relu", "2_conv", "2_bn", "2_relu", "3_conv", "3_bn", "add", "out"]
            if block == 1:  # its shortcut has a convolution of its own
                parts[6:8] = ["0_conv", "3_conv", "0_bn", "3_bn"]
            layers += [f"conv{stage}_block{block}_{part}" for part in parts]
    return layers


def keras_name(parameter: str) -> str:
    """The layer of Keras that a parameter of torchvision's ResNet-50 belongs to."""
    stage, block, part, *number = parameter.split(".")[:4]
    kind = {"conv1": "1_conv", "bn1": "1_bn", "conv2": "2_conv", "bn2": "2_bn", "conv3": "3_conv", "bn3": "3_bn"}
    part = {"0": "0_conv", "1": "0_bn"}[number[0]] if part == "downsample" else kind[part]
    return f"conv{int(stage[-1]) + 1}_block{int(block) + 1}_{part}"


def trained_by(model: torch.nn.Module, name: str, trained_stages: float | None) -> set[str]:
    """Names of the backbone's parameters that train."""
    freeze(model, get_spec(name), trained_stages)
    return {key for key, p in model.backbone.net.named_parameters() if p.requires_grad}


def test_paper_b_trains_the_layers_of_keras_that_the_paper_names():
    layers = keras_layers()
    assert (len(layers), layers[160]) == (175, "conv5_block2_2_relu")
    assert {layers[140], layers[100]} == {"conv4_block6_3_bn", "conv4_block2_3_bn"}  # each ends a frozen block
    with torch.device("meta"):
        model = create_model("hybrid_resnet50")
    thawing = [p.trained_stages for p in from_recipe("paper-b", model="hybrid_resnet50").phases]
    trained = [{keras_name(key) for key in trained_by(model, "hybrid_resnet50", n)} for n in thawing]
    assert trained[0] == trained[4] == set()
    for found, first in zip(trained[1:4], (160, 140, 100), strict=True):
        expected = {layer for layer in layers[first:] if layer.endswith(("_conv", "_bn"))}
        assert found == expected - {"conv4_block6_3_bn" if first == 140 else "conv4_block2_3_bn"}
    assert not any(layer.startswith(("conv1", "conv2", "conv3")) for layer in trained[3])


@pytest.mark.parametrize("name", ["hybrid_efficientnet_b3", "hybrid_mobilenet_v3_small", "hybrid_xception"])
def test_paper_b_trains_more_of_the_other_hybrids_step_by_step(name):
    with torch.device("meta"):
        model = create_model(name)
    none, some, stage, more, last = (
        trained_by(model, name, p.trained_stages) for p in from_recipe("paper-b", model=name).phases
    )
    assert none == last == set()
    assert some < stage < more < trained_by(model, name, 2)
    assert stage == trained_by(model, name, 1)


def test_paper_c_freezes_in_its_initial_phase():
    c = from_recipe("paper-c", model="resnet50_cnn")
    assert (c.epochs, c.batch_size, c.optimizer, c.learning_rate) == (60, 32, "adam", 1e-4)
    assert (c.class_weights, c.augmentation, c.split, c.pretrained) == ("paper-c", "paper-c", "random-80-20", True)
    assert [(p.epochs, p.learning_rate, p.trained_stages) for p in c.phases] == [(20, 1e-4, 0), (40, 1e-4, None)]
    for baseline in ("vanilla_cnn", "residual_cnn"):
        c = from_recipe("paper-c", model=baseline)
        assert (c.epochs, c.pretrained, c.phases, c.trained_stages) == (60, False, (), None)


def test_paper_d():
    c = from_recipe("paper-d", model="resnet18_svd_hfc")
    assert (c.epochs, c.batch_size, c.input_size, c.learning_rate) == (100, 32, 224, 1e-4)
    assert (c.schedule, c.decay_factor, c.patience, c.split) == ("plateau", 0.3, 5, "paper-d")


@pytest.mark.parametrize("name", list_models("D"))
@pytest.mark.parametrize(("dataset", "batch_size"), [("fer2013", 32), ("jaffe", 8), ("ckplus", 16), ("mine", 32)])
def test_paper_d_takes_batch_and_rate_by_the_dataset(name, dataset, batch_size):
    c = from_recipe("paper-d", model=name, data=f"elsewhere/{dataset}.npz")
    rate = 1e-3 if name.startswith("mobilenet_v2") and dataset in ("jaffe", "ckplus") else 1e-4
    assert (c.batch_size, c.learning_rate) == (batch_size, rate)
    assert from_recipe("paper-e", data=f"{dataset}.npz").batch_size == 64


def test_batch_and_rate_of_the_command_line_win_over_those_of_the_dataset():
    given = ["--model", "mobilenet_v2", "--recipe", "paper-d", "--data", "data/jaffe.npz"]
    assert (parse(given).batch_size, parse(given).learning_rate) == (8, 1e-3)
    c = parse([*given, "--batch-size", "32"])
    assert (c.batch_size, c.learning_rate) == (32, 1e-3)
    assert parse([*given, "--learning-rate", "1e-4"]).learning_rate == 1e-4


def test_paper_e():
    c = from_recipe("paper-e", model="multibranch_dsc_cbam")
    assert (c.epochs, c.optimizer, c.learning_rate, c.early_stop) == (300, "adam", 1e-3, None)
    assert (c.augmentation, c.split) == ("paper-e", "kaggle-oheix")


# ---- progressive training


@pytest.fixture(scope="module")
def progressive(make_config, tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("progressive") / "run"
    return train(make_config(folder, epochs=4, phases=PROGRESSIVE, growing_sizes=(), keep_epochs=True, ema=0.9))


def kept(folder: Path, epoch: int) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "epochs" / f"{epoch}.safetensors")


def moved(folder: Path, before: int, after: int) -> set[str]:
    """The modules whose weights or statistics changed between two epochs."""
    a, b = kept(folder, before), kept(folder, after)
    return {key.split(".")[0] for key in a if not torch.equal(a[key], b[key])}


def test_what_is_frozen_stands_still_its_statistics_too(progressive):
    assert moved(progressive, 1, 2) == {"block4", "classifier"}
    assert moved(progressive, 2, 3) == {"block4", "classifier"}
    assert moved(progressive, 3, 4) == {"block4", "classifier"}  # a running mean follows what moved before
    weights = [kept(progressive, epoch)["block1.1.weight"] for epoch in (1, 4)]
    assert torch.equal(*weights)


def test_each_phase_has_its_own_rate(progressive):
    rates = [row["learning_rate"] for row in history(progressive)]
    assert rates[0] < 0.001  # the end of a cycle of one epoch
    assert rates[1] > 0.005
    assert max(rates[2:]) < 0.001


@pytest.mark.parametrize("broken", [2, 3, 4])  # in the second phase's first and last epoch, and in the third
def test_an_interrupted_progressive_run_resumes_to_the_same_curve(
    progressive, make_config, tmp_path, monkeypatch, broken
):
    config = make_config(tmp_path / "run", epochs=4, phases=PROGRESSIVE, growing_sizes=(), ema=0.9)
    steps = Trainer.train_epoch

    def stop(self, epoch, on_step):
        result = steps(self, epoch, on_step)
        if epoch == broken:
            raise Interrupted
        return result

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_epoch", stop)
        with pytest.raises(Interrupted):
            train(config)
    train(config.model_copy(update={"resume": True}))
    assert history(config.folder) == history(progressive)
    a, b = (safetensors.torch.load_file(folder / resume.FILE) for folder in (config.folder, progressive))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_the_last_layers_of_a_trained_network_are_tuned(finished_run, make_config, tmp_path):
    folder = train(make_config(tmp_path / "run", start_from=finished_run, epochs=1, trained_stages=0))
    before, after = (load_checkpoint(f)[0].state_dict() for f in (finished_run, folder))
    assert {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])} == {"classifier"}
    assert read_card(folder).start.name == "finished"


def test_a_stage_that_is_not_there_is_refused_before_anything_is_written(make_config, tmp_path):
    with pytest.raises(ValueError, match="has 4 stages"):
        train(make_config(tmp_path / "run", trained_stages=9))
    assert not (tmp_path / "run").exists()


# ---- mean of the weights, mixup, clipping, stopping


def test_the_running_mean_is_what_is_measured_and_shipped(make_config, tmp_path):
    folder = train(make_config(tmp_path / "run", epochs=1, growing_sizes=(), ema=0.5))
    mean, last, shipped = tensors(folder, "mean."), tensors(folder), load_checkpoint(folder)[0].state_dict()
    key = "block4.1.weight"
    assert torch.allclose(shipped[key], mean[f"mean.module.{key}"].half().float())
    assert not torch.allclose(shipped[key], last[f"model.{key}"], atol=1e-4)


def test_the_running_mean_is_the_one_of_the_formula(make_config, tmp_path, monkeypatch):
    weights, last, step = [], [], Trainer.train_step  # before each step, and after the last one

    def noting(self, batch, size):
        weights.append(self.network.classifier.weight.detach().clone())
        result = step(self, batch, size)
        last[:] = [self.network.classifier.weight.detach().clone()]
        return result

    monkeypatch.setattr(Trainer, "train_step", noting)
    folder = train(make_config(tmp_path / "run", epochs=1, growing_sizes=(), ema=0.8))
    weights += last
    expected = weights[0]
    for weight in weights[1:]:
        expected = 0.8 * expected + 0.2 * weight
    assert torch.allclose(tensors(folder, "mean.")["mean.module.classifier.weight"], expected, atol=1e-6)


def test_mixup_blends_images_and_targets_alike(make_config, tmp_path, monkeypatch):
    seen = []
    cross_entropy = torch.nn.functional.cross_entropy

    def noting(logits, targets, *arguments, **more):
        seen.append(targets)
        return cross_entropy(logits, targets, *arguments, **more)

    monkeypatch.setattr(trainer.F, "cross_entropy", noting)
    train(make_config(tmp_path / "run", epochs=1, growing_sizes=(), mixup=5.0))
    soft = [targets for targets in seen if targets.is_floating_point()]
    assert len(soft) == 3
    assert all(torch.allclose(t.sum(1), torch.ones(len(t))) for t in soft)
    assert any(((t > 0.05) & (t < 0.95)).any() for t in soft)


def test_a_long_gradient_is_shortened(make_config, tmp_path):
    step = 1e-6  # with a rate of 1 and no momentum a step moves the weights by the length of the gradient
    quiet = {"epochs": 1, "growing_sizes": (), "schedule": "constant", "momentum": 0.0, "weight_decay": 0.0}
    config = make_config(tmp_path / "run", **quiet, learning_rate=1.0, clip_norm=step, batch_size=98)
    folder = train(config)
    torch.manual_seed(0)
    first, last = create_model("vanilla_cnn", width=4), tensors(folder)
    far = sum((last[f"model.{k}"] - p).double().square().sum() for k, p in first.named_parameters()).detach().sqrt()
    assert far.item() == pytest.approx(step, rel=0.2)


def test_training_stops_when_nothing_gets_better(make_config, tmp_path, monkeypatch, capsys):
    accuracies = iter([0.3, 0.5, 0.4, 0.4, 0.9])
    monkeypatch.setattr(
        Trainer, "validate", lambda self, name: (1.0, next(accuracies) if name == "validation" else 0.1)
    )
    folder = train(make_config(tmp_path / "run", epochs=9, growing_sizes=(), early_stop=2))
    assert len(history(folder)) == 4
    assert read_card(folder).best_epoch == 2
    assert read_events(folder / "events.jsonl")[-1]["event"] == "finished"
    assert "No better epoch since 2" in capsys.readouterr().out


def test_tensorboard_gets_the_curves(make_config, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train(make_config(tmp_path / "run", epochs=2, growing_sizes=(), tensorboard=True))
    read = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert [e.value for e in read.Scalars("train_loss")] == pytest.approx(
        [r["train_loss"] for r in history(folder)], 1e-4
    )


# ---- learning from one's own answers


def test_a_target_is_a_blend_of_label_and_teacher_prediction(finished_run, make_config, tmp_path, faces):
    given = {"start_from": finished_run, "distillation": 0.25}
    training = split(faces, "official").training
    run = Trainer(make_config(tmp_path / "run", **given), split(faces, "official"))
    model, card = load_checkpoint(finished_run)
    with torch.no_grad():
        x = card.prepare(training.images)
        answers = (model(x).softmax(-1) + model(x.flip(-1)).softmax(-1)) / 2
    labels = torch.eye(7)[torch.from_numpy(training.labels)]
    assert torch.allclose(run.data.targets, 0.75 * labels + 0.25 * answers, atol=1e-5)


def test_a_teacher_may_be_another_network_and_is_reported(finished_run, make_config, tmp_path, faces):
    given = {"model": "residual_cnn", "overrides": {"width": 4}, "teacher": finished_run, "distillation": 0.25}
    parts, config = split(faces, "official"), make_config(tmp_path / "run", **given, epochs=1, growing_sizes=())
    run = Trainer(config, parts)
    alone = Trainer(make_config(tmp_path / "alone", start_from=finished_run, distillation=0.25), parts)
    assert torch.equal(run.data.targets, alone.data.targets)
    train(config)
    assert read_card(tmp_path / "run").ancestors == (read_card(finished_run).as_ancestor("finished", "teacher"),)


def test_a_teacher_without_a_share_of_the_target_is_refused(finished_run, make_config, tmp_path):
    with pytest.raises(TrainingError, match=r"has no effect: set --distillation 0\.5, or leave it out"):
        train(make_config(tmp_path / "run", teacher=finished_run))


def test_a_start_brings_the_arguments_that_it_was_built_with(make_config, tmp_path):
    given = {"model": "residual_cnn", "epochs": 1, "growing_sizes": ()}
    start = train(make_config(tmp_path / "start", **given, overrides={"width": 4}))
    more = train(make_config(tmp_path / "more", **given, start_from=start))
    assert read_card(more).overrides == {"width": 4}
    with pytest.raises(TrainingError, match=r"built with overrides \{'width': 4\}, do not fit .* with \{'width': 8\}"):
        train(make_config(tmp_path / "other", **given, start_from=start, overrides={"width": 8}))


def test_a_network_for_rgb_is_trained_on_gray_images_and_starts_from_one_for_gray(make_config, tmp_path):
    given = {"model": "residual_cnn", "epochs": 1, "growing_sizes": ()}
    start = train(make_config(tmp_path / "gray", **given, overrides={"width": 4}))
    config = make_config(tmp_path / "rgb", **given, start_from=start, overrides={"width": 4, "channels": 3})
    gray, rgb = load_checkpoint(start)[0], first_model(config, read_card(start).classes).eval()
    x = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(rgb(x.expand(-1, 3, -1, -1)), gray(x), atol=1e-4, rtol=1e-4)
    card = read_card(train(config))
    assert (card.channels, card.gray_images, card.color) == (3, True, False)


def test_a_start_may_be_built_otherwise_where_its_weights_fit(make_config, tmp_path):
    given = {"model": "residual_cnn", "epochs": 1, "growing_sizes": ()}
    start = train(make_config(tmp_path / "start", **given, overrides={"width": 4}))
    config = make_config(tmp_path / "more", **given, start_from=start, overrides={"width": 4, "dropout": 0.5})
    model = first_model(config, read_card(start).classes)
    assert model.dropout.p == 0.5
    assert model.training
    for name, weight in load_checkpoint(start)[0].state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert read_card(train(config)).overrides == {"width": 4, "dropout": 0.5}


def test_distillation_without_a_trained_network_is_refused(make_config, tmp_path):
    with pytest.raises(TrainingError, match="needs a trained network"):
        train(make_config(tmp_path / "alone", distillation=0.5))


# ---- memory and devices


class Small:
    """A device with little memory."""

    def __init__(self, free: int) -> None:
        self.available = free


def test_a_batch_that_does_not_fit_is_refused_with_one_that_would(make_config, tmp_path, monkeypatch):
    needed = memory.room(create_model("vanilla_cnn", width=4), 16, torch.device("cpu"))
    free = needed.fixed + 20 * needed.each
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: Small(free))
    with pytest.raises(TrainingError, match="try --batch-size 16"):
        train(make_config(tmp_path / "run"))
    (told,) = read_events(tmp_path / "run" / "events.jsonl")
    assert (told["event"], "--batch-size 16" in told["message"]) == ("failed", True)
    must_fit(create_model("vanilla_cnn", width=4), 16, torch.device("cpu"), batch_size=16)


def test_where_not_even_two_images_fit_another_network_is_advised(monkeypatch):
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: Small(1000))
    with pytest.raises(TrainingError, match="another network"):
        must_fit(create_model("vanilla_cnn"), 48, torch.device("cpu"), 8)


def test_a_larger_image_needs_more_memory_and_the_network_comes_back_as_it_was():
    model = create_model("vanilla_cnn", width=4).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    small, large = (memory.room(model, size, torch.device("cpu")).each for size in (16, 32))
    assert 3.5 < large / small < 4.5
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())


def test_maps_in_bfloat16_count_less():
    model, cpu = create_model("vanilla_cnn", width=8, batch_norm=False).train(), torch.device("cpu")
    full, half = (memory.room(model, 96, cpu, precision=precision).each for precision in ("auto", "bf16-mixed"))
    assert 0.4 < half / full < 0.85


def test_running_out_of_memory_and_a_lost_gpu_are_explained(make_config, tmp_path, monkeypatch):
    config = make_config(tmp_path / "run", epochs=2, growing_sizes=())
    step, errors = (
        Trainer.train_step,
        [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: device lost")],
    )

    def fails_later(self, batch, size):
        if self.history:
            raise errors.pop(0)
        return step(self, batch, size)

    monkeypatch.setattr(Trainer, "train_step", fails_later)
    with pytest.raises(TrainingError, match=r"size of 32. .* 1 complete epochs.*--start-from \S+run --batch-size 16"):
        train(config)
    told = read_events(config.folder / "events.jsonl")[-1]
    assert told["event"] == "failed"
    assert "--batch-size 16" in told["message"]
    with pytest.raises(TrainingError, match=r"The GPU failed.*--resume"):
        train(config.model_copy(update={"resume": True}))
    assert load_checkpoint(config.folder)[1].best_epoch == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError("out of memory"), r"batch size of 32. .* holds 0 complete epochs.*try --batch-size 16"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), "The GPU failed"),
    ],
)
def test_what_fails_before_the_first_step_is_reported_in_words_too(make_config, tmp_path, monkeypatch, error, says):
    def fails(*_values):
        raise error

    monkeypatch.setattr(trainer, "make_fabric", fails)
    with pytest.raises(TrainingError, match=says):
        train(make_config(tmp_path / "run"))
    (told,) = read_events(tmp_path / "run" / "events.jsonl")
    assert told["event"] == "failed"


# ---- where training begins


def test_imagenet_weights_that_cannot_be_had_are_said_before_the_first_step(make_config, tmp_path):
    with pytest.raises(ValueError, match="has no ImageNet weights"):
        train(make_config(tmp_path / "run", pretrained=True))


def test_two_beginnings_are_one_too_many(finished_run, make_config, tmp_path):
    with pytest.raises(TrainingError, match="give one of them"):
        train(make_config(tmp_path / "run", pretrained=True, start_from=finished_run))


def test_json_keeps_phases(make_config, tmp_path):
    config = make_config(tmp_path / "run", epochs=4, phases=PROGRESSIVE)
    assert type(config).model_validate(json.loads(config.model_dump_json())) == config


def test_a_run_whose_teacher_changed_is_not_continued(finished_run, make_config, tmp_path):
    shutil.copytree(finished_run, tmp_path / "teacher")
    config = make_config(tmp_path / "run", teacher=tmp_path / "teacher", distillation=0.5, epochs=1, growing_sizes=())
    train(config)
    train(config.model_copy(update={"resume": True}))
    network, card = load_checkpoint(tmp_path / "teacher")
    next(network.parameters()).data += 1
    save_checkpoint(tmp_path / "teacher", network, card)
    with pytest.raises(TrainingError, match="have changed"):
        train(config.model_copy(update={"resume": True}))


def test_small_rates_stand_in_the_history(make_config, tmp_path):
    folder = train(make_config(tmp_path / "run", epochs=1, growing_sizes=(), learning_rate=1e-7, schedule="constant"))
    assert float(history(folder)[0]["learning_rate"]) == pytest.approx(1e-7)


@pytest.mark.parametrize(("epochs", "shares"), [(80, [10, 15, 15, 20, 20]), (8, [1, 2, 1, 2, 2]), (5, [1, 1, 1, 1, 1])])
def test_epochs_are_shared_among_the_phases_in_proportion(epochs, shares):
    config = from_recipe("paper-b", model="hybrid_efficientnet_lite0", epochs=epochs)
    assert [phase.epochs for phase in config.phases] == shares
    whole = from_recipe("paper-b", model="hybrid_efficientnet_lite0")
    assert [phase.learning_rate for phase in config.phases] == [phase.learning_rate for phase in whole.phases]


def test_fewer_epochs_than_phases_are_refused():
    with pytest.raises(ValueError, match="epochs=4: the recipe has 5 phases"):
        from_recipe("paper-b", model="hybrid_efficientnet_lite0", epochs=4)


@pytest.mark.parametrize("recipe", ["quick", "short"])
@pytest.mark.parametrize("network", [name for name in list_models() if name != "ensemble"])
def test_recipes_train_with_images_of_which_the_last_map_keeps_four_positions(recipe, network):
    check_sides(from_recipe(recipe, model=network))


def test_growing_sizes_that_a_network_can_learn_from_stay():
    assert from_recipe("short", model="residual_cnn").growing_sizes == (32, 40)
    assert from_recipe("short", model="resnet18").growing_sizes == ()


@pytest.mark.parametrize("sizes", [{"growing_sizes": (32,)}, {"input_size": 32}])
def test_images_that_are_too_small_to_learn_from_are_refused(sizes, make_config, tmp_path):
    with pytest.raises(TrainingError, match=r"resnet18 hardly trains on images of 32×32 pixels.*at least 64"):
        train(make_config(tmp_path / "run", model="resnet18", overrides={}, **({"growing_sizes": ()} | sizes)))


def test_weights_of_the_backbone_initialize_a_network_with_attention(make_config, tmp_path):
    given = {"epochs": 1, "growing_sizes": (), "input_size": 64, "overrides": {}}
    host = train(make_config(tmp_path / "host", model="resnet18", **given))
    config = make_config(tmp_path / "bam", model="resnet18_bam", start_from=host, **given)
    model, start = first_model(config, read_card(host).classes), load_checkpoint(host)[0]
    for name, weight in start.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert any(name.startswith("attention") for name in model.state_dict().keys() - start.state_dict().keys())
    (ancestor,) = read_card(train(config)).ancestors
    assert (ancestor.network, ancestor.roles) == ("resnet18", ("start",))
    back = make_config(tmp_path / "back", model="resnet18", start_from=config.folder, **given)
    with pytest.raises(TrainingError, match=r"the weights of its resnet18_bam, .* do not fit resnet18"):
        first_model(back, read_card(host).classes)


@pytest.mark.parametrize(
    ("recipe", "network", "epochs", "side"),
    [("paper-b", "hybrid_efficientnet_lite0", 5, 48), ("paper-d", "efficientnet_lite0_svd_hfc", 1, 64)],
)
def test_recipes_of_papers_run_on_the_lite_networks_at_a_size_that_the_card_names(
    recipe, network, epochs, side, faces_npz, tmp_path
):
    values = {"epochs": epochs, "input_size": side, "split": "official", "device": "cpu", "precision": "32-true"}
    config = from_recipe(recipe, model=network, data=faces_npz, out=tmp_path / "run", threads=1, **values)
    card = read_card(train(config))
    assert (card.network, card.recipe, card.input_size, card.epochs) == (network, recipe, side, epochs)
    assert ("ImageNet" in [one.name for one in card.ancestors]) == (recipe == "paper-b")


def test_an_earlier_name_of_a_recipe_gives_the_same_configuration():
    assert from_recipe("taught") == from_recipe("distill")
    assert from_recipe("taught").recipe == "distill"
