"""What trains and what does not, and how the rate moves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from models import create_model, get_spec, list_models
from models.training.config import Phase, TrainConfig
from models.training.optimization import Schedule, freeze, make_optimizer

STAGED = [name for name in list_models() if get_spec(name).stages]


def rates(config: TrainConfig, phase: Phase, steps: int, losses: list[float] | None = None) -> list[float]:
    """The rate of every step of a phase."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=phase.learning_rate)
    schedule, found = Schedule(config, optimizer, phase, steps), []
    for epoch in range(phase.epochs):
        for _ in range(steps):
            found.append(schedule.rate)
            weight.grad = torch.zeros(1)
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(losses[epoch] if losses else 1.0)
    return found


def test_every_network_but_the_ensemble_has_stages():
    assert set(list_models()) - set(STAGED) == {"ensemble"}


@pytest.mark.parametrize("name", STAGED)
def test_stages_are_apart_cover_the_backbone_and_stand_in_the_order_of_the_network(name):
    spec = get_spec(name)
    with torch.device("meta"):
        model = create_model(name)
    place = {id(parameter): i for i, parameter in enumerate(model.parameters())}
    stages = [[place[id(p)] for m in stage for p in model.get_submodule(m).parameters()] for stage in spec.stages]
    assert all(stages)
    flat = [i for stage in stages for i in stage]
    assert len(set(flat)) == len(flat)
    assert flat == sorted(flat)
    assert 0 < len(flat) < len(place)  # a head is left


@pytest.mark.parametrize("name", STAGED)
def test_with_no_stage_only_the_head_gets_gradients_and_with_one_the_deepest_too(name):
    spec = get_spec(name)
    with torch.device("meta"):
        model = create_model(name)
    inside = {
        f"{m}.{key}" for stage in spec.stages for m in stage for key, _ in model.get_submodule(m).named_parameters()
    }
    deepest = {f"{m}.{key}" for m in spec.stages[-1] for key, _ in model.get_submodule(m).named_parameters()}
    freeze(model, spec, 0)
    assert {key for key, p in model.named_parameters() if not p.requires_grad} == inside
    freeze(model, spec, 1)
    assert {key for key, p in model.named_parameters() if not p.requires_grad} == inside - deepest
    assert freeze(model, spec, None) == []
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("stages", [5, 4.5])
def test_more_stages_than_there_are_is_refused(stages):
    with pytest.raises(ValueError, match="residual_cnn has 4 stages"):
        freeze(create_model("residual_cnn"), get_spec("residual_cnn"), stages)


@pytest.mark.parametrize(
    ("stages", "first"),
    [
        (0.2, "layer4.1.conv2"),
        (0.4, "layer4.1.conv1"),
        (0.6, "layer4.0.downsample.0"),
        (0.99, "layer4.0.conv1"),
        (1.4, "layer3.1.conv1"),
    ],
)
def test_a_fraction_trains_the_last_convolutions_of_the_next_stage(stages, first):
    model, spec = create_model("resnet18"), get_spec("resnet18")
    frozen = freeze(model, spec, stages)
    names = [key for key, _ in model.named_parameters() if not key.startswith("fc.")]
    trained = [key for key, p in model.named_parameters() if p.requires_grad and not key.startswith("fc.")]
    assert trained == names[names.index(f"{first}.weight") :]
    model.train()
    for module in frozen:
        module.eval()
    before = {key: value.clone() for key, value in model.state_dict().items() if "running" in key}
    with torch.no_grad():
        model(torch.randn(4, 1, 48, 48))
    moved = {key.rsplit(".", 1)[0] for key, value in before.items() if not torch.equal(value, model.state_dict()[key])}
    norms = {key for key, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert moved == {key for key in norms if model.get_submodule(key).weight.requires_grad}


@pytest.mark.parametrize("name", STAGED)
def test_every_network_can_train_a_fraction_of_a_stage(name):
    spec = get_spec(name)
    with torch.device("meta"):
        model = create_model(name)
    counts = []
    for stages in (0, 0.5, 1, 1.5, 2):
        freeze(model, spec, stages)
        counts.append(sum(p.numel() for p in model.parameters() if p.requires_grad))
    assert counts == sorted(counts)
    assert counts[0] < counts[2] < counts[4]


@pytest.mark.parametrize("nesterov", [True, False])
def test_momentum_is_nesterovs_where_it_is_requested(nesterov):
    config = TrainConfig(optimizer="sgd", momentum=0.9, nesterov=nesterov)
    model = nn.Linear(2, 2)
    assert make_optimizer(config, model, rate=0.1).param_groups[0]["nesterov"] == nesterov
    make_optimizer(config.model_copy(update={"momentum": 0.0}), model, rate=0.1)  # torch refuses Nesterov without one


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_the_optimizer_takes_what_is_not_frozen(name, kind):
    model = create_model("residual_cnn")
    freeze(model, get_spec("residual_cnn"), 0)
    optimizer = make_optimizer(TrainConfig(optimizer=name, weight_decay=0.02), model, rate=0.3)
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert [tuple(p.shape) for p in group["params"]] == [(7, 256), (7,)]
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.02)


def test_step_multiplies_every_few_epochs():
    config = TrainConfig(schedule="step", decay_every=2, decay_factor=0.5)
    found = rates(config, Phase(epochs=5, learning_rate=0.8), steps=3)
    assert found == pytest.approx([0.8] * 6 + [0.4] * 6 + [0.2] * 3)


def test_cosine_warms_up_in_a_line_and_falls_to_nothing():
    config = TrainConfig(schedule="cosine", warmup=1.0)
    found = rates(config, Phase(epochs=5, learning_rate=1.0), steps=4)
    assert found[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert found[4:] == pytest.approx([0.5 * (1 + math.cos(math.pi * i / 16)) for i in range(16)])


def test_plateau_waits_and_then_multiplies():
    config = TrainConfig(schedule="plateau", patience=1, decay_factor=0.1)
    losses = [1.0, 0.5, 0.6, 0.6, 0.6, 0.4]
    found = rates(config, Phase(epochs=6, learning_rate=1.0), steps=1, losses=losses)
    assert found == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.1, 0.1])


def test_one_cycle_goes_up_for_three_tenths():
    found = rates(TrainConfig(schedule="one-cycle"), Phase(epochs=10, learning_rate=0.6), steps=10)
    assert 28 <= found.index(max(found)) <= 31
    assert max(found) == pytest.approx(0.6, rel=0.01)
    assert found[-1] < 0.001


@pytest.mark.parametrize("name", ["one-cycle", "constant", "cosine", "step", "plateau"])
def test_a_schedule_goes_on_from_what_json_kept(name):
    import json

    config, phase = TrainConfig(schedule=name, patience=0, warmup=1.0), Phase(epochs=4, learning_rate=0.5)

    def fresh() -> tuple[torch.optim.Optimizer, Schedule]:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
        return optimizer, Schedule(config, optimizer, phase, 3)

    def walk(schedule: Schedule, optimizer: torch.optim.Optimizer, epochs: int) -> list[float]:
        found = []
        for _ in range(epochs):
            for _ in range(3):
                found.append(schedule.rate)
                optimizer.step()
                schedule.after_step()
            schedule.after_epoch(1.0)
        return found

    optimizer, whole = fresh()
    expected = walk(whole, optimizer, 4)
    optimizer, first = fresh()
    begun = walk(first, optimizer, 2)
    kept = json.loads(json.dumps(first.state()))
    optimizer, second = fresh()
    second.load(kept)
    assert begun + walk(second, optimizer, 2) == pytest.approx(expected)
