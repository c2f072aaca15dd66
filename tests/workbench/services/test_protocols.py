"""Differences between a training run and a paper's: every field is compared or listed with a reason."""

from __future__ import annotations

import dataclasses

import pytest

from models.checkpoints import read_card
from models.training.config import ONLY_WITH, TrainConfig
from workbench.services import papers as claims
from workbench.services.papers.loading import papers
from workbench.services.papers.protocols import COMPARED, NOT_COMPARED, choices, differences

PROTOCOLS = {claim.protocol.name: claim.protocol for paper in papers() for claim in paper.claims if claim.protocol}


def of_paper_d(**config):
    """A training run of ResNet-18 by paper D's own recipe, in which some fields are others."""
    protocol = claims.paper_of("D").claim("trained-gain-svd").protocol
    card = dataclasses.replace(read_card("resnet18-short-official-s0"), split="paper-d", input_size=224)
    return card, protocol, 100, protocol.config("resnet18").curve() | config


def test_every_field_that_decides_a_training_is_compared_or_named_with_the_reason():
    fields = set(TrainConfig().curve())
    assert fields == {*COMPARED, *NOT_COMPARED}, "decide for a new field: does a paper state it, or mean it to be off?"
    assert not {*COMPARED} & {*NOT_COMPARED}
    assert len(set(COMPARED)) == len(COMPARED)


def test_a_field_that_depends_on_another_names_values_that_this_one_has():
    for field, (other, values) in ONLY_WITH.items():
        assert {field, other} <= set(COMPARED)
        for value in values:
            TrainConfig(**{other: value})


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_leaves_open_only_what_is_compared_and_at_least_something(name):
    assert PROTOCOLS[name].unstated
    assert set(PROTOCOLS[name].unstated) <= set(COMPARED)
    assert PROTOCOLS[name].lacks.endswith(".")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_weight_decay_is_open_in_every_paper(name):
    assert "weight_decay" in PROTOCOLS[name].unstated


def test_a_training_by_the_papers_recipe_has_the_papers_protocol():
    card, protocol, _, config = of_paper_d()
    assert differences(card, protocol, 100, config) == ()
    assert differences(card, protocol, 99, config) == ("epochs 99, not 100",)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"growing_sizes": [32, 40]}, "growing sizes 32, 40, not none"),
        ({"ema": 0.998}, "EMA of the weights 0.998, not none"),
        ({"mixup": 0.2}, "mixup 0.2, not 0.0"),
        ({"distillation": 0.5}, "distillation 0.5, not 0.0"),
        ({"early_stop": 9}, "early stop 9, not none"),
        ({"clip_norm": 1.0}, "clip norm 1.0, not none"),
        ({"sampling": "balanced"}, "sampling balanced, not shuffled"),
        ({"rare_augmentation": "strong"}, "rare augmentation strong, not none"),
        ({"patience": 9}, "patience 9, not 5"),
        ({"phases": [{"epochs": 1}]}, "several phases, not one"),
    ],
)
def test_a_technique_that_the_paper_does_not_mention_is_another_protocol(config, told):
    assert differences(*of_paper_d(**config)) == (told,)


def test_first_weights_that_were_trained_on_faces_are_another_protocol():
    card, *rest = of_paper_d()
    started = dataclasses.replace(read_card("residual_cnn"), network="resnet18", split="paper-d", input_size=224)
    assert differences(started, *rest) == ("started from `residual_cnn-revise-official-s0`, trained on faces before",)
    assert differences(card, *rest) == ()


@pytest.mark.parametrize(
    "config", [{"weight_decay": 0.1}, {"optimizer": "sgd", "momentum": 0.5}, {"augmentation": "none"}]
)
def test_what_the_paper_leaves_open_contradicts_nothing(config):
    assert differences(*of_paper_d(**config)) == ()


def test_a_field_without_effect_is_no_difference():
    assert differences(*of_paper_d(momentum=0.5, nesterov=False, warmup=3.0, decay_every=9)) == ()
    assert differences(*of_paper_d(schedule="step")) == ("schedule step, not plateau",)


def test_choices_are_what_ours_has_where_the_paper_states_nothing():
    adam = ("optimizer adam", "weight decay 0.0", "augmentation paper-d")
    assert set(adam) <= set(choices(*of_paper_d()))
    assert not any(told.startswith("momentum") for told in choices(*of_paper_d()))
    assert "momentum 0.9" in choices(*of_paper_d(optimizer="sgd"))


def test_a_recipe_that_is_not_known_is_a_difference():
    card, protocol, epochs, _ = of_paper_d()
    told = differences(dataclasses.replace(card, recipe="theirs"), protocol, epochs)
    assert "recipe theirs, whose values are not known" in told


def test_a_configuration_from_before_a_field_existed_counts_as_its_default():
    card, protocol, epochs, config = of_paper_d()
    assert differences(card, protocol, epochs, {k: v for k, v in config.items() if k != "mixup"}) == ()


def test_a_card_without_configuration_has_what_its_recipe_says_of_the_set():
    protocol = PROTOCOLS["paper-d-jaffe"]
    card = dataclasses.replace(
        read_card("resnet18-short-official-s0"), split="paper-d", input_size=224, recipe="paper-d"
    )
    assert protocol.config("resnet18").batch_size == 8
    assert differences(card, protocol, 100) == ()
