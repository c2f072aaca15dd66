"""What the Train form shows is what would run, for every recipe, start, choice of layers and kind of network."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import product

import pytest
import torch

from models import create_model, get_spec
from models.checkpoints import CheckpointError, read_card
from models.training.config import TrainConfig
from models.training.optimization import freeze
from models.training.recipes import RECIPES, from_recipe
from workbench.services import networks, training
from workbench.services.training import IMAGENET, NOTHING, PRESETS, Plan, choices, resolved, sources

KINDS = (
    "vanilla_cnn",  # stages, no ImageNet weights
    "multibranch_dsc_cbam",  # attention, no ImageNet weights
    "resnet18",  # ImageNet weights
    "resnet18_svd_hfc",  # and attention modules
    "hybrid_mobilenet_v3_small",  # class branches
    "resnet50_cnn",  # a recipe of its own
)
DATASET = next(iter(sources.DRAWINGS))


@pytest.fixture
def one_checkpoint(monkeypatch, tmp_path):
    """Every network has one checkpoint, and none besides."""
    monkeypatch.setattr(sources, "starting_points", lambda network: (f"{network}-before",))
    monkeypatch.setattr(networks, "folder_of", lambda name: tmp_path / name)


def chosen(entries: dict, name: str, value: object) -> dict:
    """The entries after a visitor chose a value, as the page makes them."""
    network, dataset = entries["model"], entries["set"]
    entries = {**entries, name: value}
    if name == "recipe":
        return training.with_recipe(entries)
    if name in ("model", "set"):
        return entries | training.refitted(entries, network, dataset)
    return entries | (training.with_start(entries) if name == "start_from" else {})


def opened(network: str, recipe: str) -> dict:
    return chosen(chosen(training.entries_of(Plan()), "model", network), "recipe", recipe)


def runs(entries: dict) -> TrainConfig:
    return resolved(training.plan_of(entries))


@lru_cache
def model(network: str) -> torch.nn.Module:
    with torch.device("meta"):
        return create_model(network)


@lru_cache
def training_share(network: str, stages: float | None) -> tuple[tuple[float, ...], bool]:
    """Which share of the parameter tensors of each stage, shallow to deep, a run changes; and whether all others."""
    net, spec = model(network), get_spec(network)
    freeze(net, spec, stages)
    of = [[f"{name}." for name in stage] for stage in spec.stages]
    named = dict(net.named_parameters())
    inside = [[p.requires_grad for key, p in named.items() if key.startswith(tuple(names))] for names in of]
    head = [p.requires_grad for key, p in named.items() if not key.startswith(tuple(n for names in of for n in names))]
    return tuple(sum(stage) / len(stage) for stage in inside), all(head)


def words_fit(words: str, network: str, stages: float | None) -> bool:
    """Whether words for trainable layers say which stages really train."""
    shares, head = training_share(network, stages)
    n = len(shares)
    if words == "Whole network":
        return head and shares == (1,) * n
    deepest = 1 if "deepest stage" in words and "of the deepest" not in words else 0
    if found := re.search(r"(\d+) deepest stages", words):
        deepest = int(found[1])
    partly = "%" in words
    whole = shares[n - deepest :] == (1,) * deepest
    frozen = shares[: n - deepest - partly] == (0,) * (n - deepest - partly)
    in_part = not partly or 0 < shares[n - deepest - 1] < 1
    return head and whole and frozen and in_part and (words == "Head only") == (not deepest and not partly)


def test_every_choice_in_the_form_is_what_runs(one_checkpoint):
    tried = 0
    for recipe, network in product(RECIPES, KINDS):
        entries = opened(network, recipe)
        for start in training.starts(network):
            begun = chosen(entries, "start_from", start)
            for part in training.parts(network, begun["phases"]):
                config, case = runs(chosen(begun, "trained_stages", part)), (recipe, network, start, part)
                told = training.summary(config)
                folder = config.start_from and config.start_from.name
                asked = {NOTHING: (False, None), IMAGENET: (True, None)}.get(start, (False, f"{network}-before"))
                assert (config.pretrained, folder) == asked, case
                assert told.initial_weights == training.start_name(start), case
                if part.startswith("In "):
                    assert config.model_dump()["phases"] == tuple(begun["phases"]), case
                    assert part == f"In {len(told.phases)} phases", case
                else:
                    assert config.phases == (), case
                    assert told.trainable == (part,), case
                for words, phase in zip(told.trainable, config.plan, strict=True):
                    assert words_fit(words, network, phase.trained_stages), (case, words)
                tried += 1
    assert tried > 1000


def test_what_a_visitor_does_not_touch_is_the_recipe(one_checkpoint):
    for recipe, network in product(RECIPES, KINDS):
        expected = from_recipe(recipe, model=network, data=sources.path_of(DATASET))
        pretrained = expected.pretrained and get_spec(network).imagenet
        expected = expected.model_copy(update={"pretrained": pretrained, "split": "official"})
        assert runs(opened(network, recipe)).curve() == expected.curve(), (recipe, network)
        other_order = chosen(chosen(training.entries_of(Plan()), "recipe", recipe), "model", network)
        assert runs(other_order).curve() == expected.curve(), (recipe, network)


def test_the_three_cases_that_once_ran_something_else(one_checkpoint):
    config = runs(opened("resnet50_cnn", "paper-c"))
    told = training.summary(config)
    assert (told.initial_weights, config.pretrained) == ("ImageNet", True)
    assert told.trainable[0] == "Head only"
    assert config.plan[0].trained_stages == 0
    hybrid = opened("hybrid_mobilenet_v3_small", "paper-b")
    assert hybrid["start_from"] == IMAGENET
    assert runs(chosen(hybrid, "start_from", NOTHING)).pretrained is False
    config = runs(chosen(hybrid, "start_from", "hybrid_mobilenet_v3_small-before"))
    assert (config.pretrained, config.start_from.name) == (False, "hybrid_mobilenet_v3_small-before")
    assert len(config.phases) == 5


def test_a_recipe_of_imagenet_weights_starts_at_random_where_there_are_none(one_checkpoint):
    entries = opened("hybrid_mobilenet_v3_small", "paper-b")
    without = chosen(entries, "model", "vanilla_cnn")
    assert without["start_from"] == NOTHING
    assert chosen(without, "model", "resnet18")["start_from"] == IMAGENET


def test_layers_chosen_in_place_of_phases_train_at_their_highest_rate(one_checkpoint):
    entries = opened("hybrid_mobilenet_v3_small", "paper-b")
    config = runs(chosen(entries, "trained_stages", "Whole network"))
    assert (config.phases, config.trained_stages, config.epochs) == ((), None, 80)
    assert config.learning_rate == max(phase.learning_rate for phase in from_recipe("paper-b").phases)


def test_what_was_entered_stays_when_network_or_dataset_change(one_checkpoint):
    entries = chosen(opened("vanilla_cnn", "quick"), "learning_rate", 0.003) | {"option-dropout": 0.5}
    other = chosen(entries, "model", "residual_cnn")
    assert (other["learning_rate"], runs(other).overrides) == (0.003, {"dropout": 0.5})
    assert chosen(other, "model", "rarn")["option-width"] == 256
    assert runs(chosen(other, "set", "drawn faces, a sticker on neutral")).learning_rate == 0.003
    assert runs(chosen(other, "recipe", "short")).overrides == {"dropout": 0.5}


def test_a_job_is_not_named_by_a_preset_that_it_no_longer_is(one_checkpoint):
    entries = training.entries_of(PRESETS[0].plan)
    assert training.plan_of(entries).title == PRESETS[0].plan.title
    for name, value in (("model", "resnet18"), ("recipe", "short"), ("set", "drawn faces, a sticker on neutral")):
        assert training.plan_of(chosen(entries, name, value)).title == ""
        assert training.plan_of(chosen(entries | {"title": "Ours"}, name, value)).title == "Ours"


def test_a_dataset_brings_what_the_recipe_has_for_it(one_checkpoint, monkeypatch):
    monkeypatch.setattr(sources, "split_names", lambda name: ("official", "paper-d"))
    entries = opened("resnet18_svd_hfc", "paper-d")
    for dataset in ("jaffe", "ckplus", "fer2013"):
        entries = chosen(entries, "set", dataset)
        own = from_recipe("paper-d", model="resnet18_svd_hfc", data=f"{dataset}.npz")
        assert (entries["batch_size"], entries["learning_rate"]) == (own.batch_size, own.learning_rate)
        assert runs(entries).data.name == f"{dataset}.npz"


def test_every_preset_shows_what_it_runs(one_checkpoint):
    for preset in PRESETS:
        plan = preset.plan
        shown, meant = runs(training.entries_of(plan)).curve(), resolved(plan).curve()
        if meant["phases"]:
            del shown["learning_rate"], meant["learning_rate"]  # each phase has its own
        assert shown == meant


def test_options_are_overrides_where_they_are_not_the_default(one_checkpoint):
    entries = opened("multibranch_dsc_cbam", "quick")
    assert runs(entries).overrides == {}
    changed = runs(entries | {"option-reduction": 16, "option-conv": "full", "option-branches": 3})
    assert changed.overrides == {"conv": "full", "reduction": 16}
    assert training.summary(changed).options == "conv=full, reduction=16"
    fields = {field.name: field for field in training.option_fields("multibranch_dsc_cbam")}
    assert (fields["option-branches"].kind, fields["option-branches"].choices) == ("choice", (1, 2, 3))
    assert (fields["option-dropout"].kind, fields["option-dropout"].high) == ("number", 0.95)
    assert all(field.help.endswith(".") and field.title[0].isupper() for field in fields.values())
    assert [field.name for field in training.option_fields("resnet18")] == ["option-channels"]


def test_a_checkpoint_brings_the_architecture_that_it_was_built_with(monkeypatch):
    card = replace(read_card("residual_cnn"), network="vanilla_cnn", overrides={"width": 64})
    monkeypatch.setattr(sources, "starting_points", lambda network: ("wide", "gone"))

    def read(folder):
        if folder.name == "gone":
            raise CheckpointError("gone")
        return card

    monkeypatch.setattr(choices, "read_card", read)
    wide = chosen(opened("vanilla_cnn", "quick"), "start_from", "wide")
    assert wide["option-width"] == 64
    assert runs(wide).overrides == {"width": 64}
    assert runs(wide | {"option-width": 32}).overrides == {"width": 32}, "said, so that the checkpoint's is not taken"
    assert runs(chosen(wide, "start_from", "gone")).overrides == {"width": 64}


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (None, "Whole network"),
        (0, "Head only"),
        (1, "Head and deepest stage"),
        (3, "Head and 3 deepest stages"),
        (0.4, "Head and 40 % of the deepest stage"),
        (1.63, "Head, deepest stage and 63 % of the next stage"),
        (2.5, "Head, 2 deepest stages and 50 % of the next stage"),
    ],
)
def test_trainable_layers_are_named_by_the_head_and_the_deepest_stages(stages, words):
    assert training.part_name(stages) == words


def test_a_setting_without_effect_beside_the_others_is_told():
    entries = opened("residual_cnn", "quick")
    assert {name for name in entries if not choices.has_effect(name, entries)} == {
        *("warmup", "decay_every", "decay_factor", "patience"),  # of other schedules than one-cycle
        *("masked_epochs", "distillation", "allow_seen"),  # no transformer, no checkpoint to start from
    }
    assert choices.has_effect("patience", entries | {"schedule": "plateau"})
    assert not choices.has_effect("momentum", entries | {"optimizer": "adam"})
    assert choices.has_effect("masked_epochs", entries | {"model": "vit_tiny"})
    assert choices.has_effect("allow_seen", entries | {"start_from": "residual_cnn"})
    assert choices.has_effect("distillation", entries | {"distillation": 0.5}), (
        "it would be refused: it can be turned off"
    )
