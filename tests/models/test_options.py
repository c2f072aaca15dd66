"""Architecture options: declared once beside the network, listed everywhere, checked before anything is built."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import pytest
import torch

from models import create_model, get_spec, list_models, model_table
from models.options import Bounds, Option, options_of
from models.registry import changed, check_overrides
from models.train import main


class Block:
    """A block.

    Args:
        channels: without a default it is no option.
        gate: which gate
            is built.
        share: of the units that are dropped.
        flag: on or off.

    Raises:
        share: no argument, though it looks like one.
    """

    def __init__(
        self,
        channels: int,
        gate: Literal["soft", "hard"] = "soft",
        share: Annotated[float, Bounds(0, 0.5)] = 0.1,
        flag: bool = True,
    ) -> None:
        pass


def test_options_are_read_from_signature_and_docstring():
    assert options_of(Block) == (
        Option("gate", "soft", "Which gate is built.", str, ("soft", "hard")),
        Option("share", 0.1, "Of the units that are dropped.", float, bounds=Bounds(0, 0.5)),
        Option("flag", True, "On or off.", bool),
    )
    assert options_of(partial(Block, gate="hard"))[0].default == "hard"


def test_every_option_has_a_sentence_a_type_and_a_default_that_it_allows():
    for name in list_models():
        for option in get_spec(name).options:
            assert len(option.help) > 10, (name, option)
            assert option.help.endswith("."), (name, option)
            assert option.accepts(option.default), (name, option)
            assert option.type is not object or name == "ensemble", (name, option)
            number = option.type in (int, float) and not option.choices
            assert (option.bounds is not None) == number, (name, option)


def test_the_options_that_an_ablation_needs_are_there():
    has = {name: {option.name for option in get_spec(name).options} for name in list_models()}
    assert has["multibranch_dsc_cbam"] >= {"branches", "conv", "stem", "filters", "reduction", "dropout"}
    assert has["rarn"] >= {"backbone", "fusion", "attention", "angles", "width", "kernels", "kernel_size"}
    assert has["resnet18_svd_hfc"] == has["mobilenet_v2_svd_hfc"] >= {"query", "cutoff", "mask"}
    assert has["resnet18_bam"] == has["mobilenet_v2_bam"] == {"channels", "reduction", "dilation"}
    assert has["vanilla_cnn"] == {"width", "dropout", "batch_norm", "channels"}
    assert has["hybrid_xception"] >= {"adapter", "multiscale", "side", "branch", "dropout"}
    assert has["resnet18"] == {"channels"}
    assert all("channels" in options for options in has.values())


def another(option: Option) -> object:
    """A value that is allowed and is not the default."""
    if option.choices:
        return next(choice for choice in option.choices if choice != option.default)
    if option.type is bool:
        return not option.default
    return option.type(option.default / 2 if option.default else 0.25)


def traits(model: torch.nn.Module) -> tuple[str, list[dict]]:
    simple = [{k: v for k, v in vars(m).items() if isinstance(v, bool | int | float | str)} for m in model.modules()]
    return f"{model} {[tuple(p.shape) for p in model.parameters()]}", simple


@pytest.mark.parametrize(
    "name",
    [
        *("vanilla_cnn", "residual_cnn", "five_layer_cnn", "vulpe_cnn", "resnet50_cnn", "multibranch_dsc_cbam"),
        *("singlebranch_conv_cbam", "hybrid_mobilenet_v3_small", "resnet18_svd_hfc", "resnet18_bam"),
        *("mobilenet_v2_bam", "mobilenet_v1", "inception_v3", "rarn"),
    ],
)
def test_every_option_changes_what_is_built(name):
    small = {"backbone": "resnet18"} if name == "rarn" else {}
    with torch.device("meta"):
        plain = traits(create_model(name, **small))
        for option in get_spec(name).options:
            value = "resnet34" if option.name == "backbone" else another(option)
            assert traits(create_model(name, **{**small, option.name: value})) != plain, option


@pytest.mark.parametrize(
    ("network", "values", "said"),
    [
        (
            "vanilla_cnn",
            {"dropot": 0.3},
            r'no option "dropot"; its options are width, .* Did you mean dropout\?',
        ),
        ("resnet18", {"query": "hfc"}, "resnet18 has no option .* its options are channels"),
        ("vanilla_cnn", {"dropout": "many"}, 'dropout="many" is not a number from 0 to 0.95'),
        ("vanilla_cnn", {"dropout": 1.5}, r"dropout=1\.5 is not a number from 0 to 0\.95"),
        ("vanilla_cnn", {"dropout": float("nan")}, "dropout=nan is not"),
        ("vanilla_cnn", {"dropout": True}, "dropout=True is not a number"),
        ("vanilla_cnn", {"width": 4.0}, r"width=4\.0 is not a whole number"),
        ("vanilla_cnn", {"width": 10**9}, "width=1000000000 is not a whole number from 1 to 512"),
        ("rarn", {"fusion": 1}, "fusion=1 is not True or False"),
        ("multibranch_dsc_cbam", {"branches": True}, "branches=True is not one of 1, 2, 3"),
        ("resnet18_svd_hfc", {"query": "hf"}, 'query="hf" is not one of "hfc", "lfc"'),
        ("residul_cnn", {}, "residual_cnn"),
    ],
)
def test_a_value_that_cannot_be_is_named_before_anything_is_built(network, values, said, monkeypatch):
    with pytest.raises(ValueError, match=said):
        check_overrides(network, values)
    monkeypatch.setattr("models.training.engine.train", lambda config: pytest.fail("it began"))
    given = [text for name, value in values.items() for text in (name, str(value))]
    if all(not isinstance(value, bool) for value in values.values()):
        with pytest.raises(SystemExit, match=said):
            main(["--model", network, *(["--overrides", *given] if given else [])])


def test_a_whole_number_is_a_number():
    check_overrides("resnet18_svd_hfc", {"cutoff": 1})
    check_overrides("vanilla_cnn", {"dropout": 0})


def test_a_value_that_is_the_default_is_no_change():
    assert changed("rarn", {"width": 256, "backbone": "resnet18", "fusion": True}) == {"backbone": "resnet18"}
    assert changed("singlebranch_conv_cbam", {"branches": 1, "conv": "dsc"}) == {"conv": "dsc"}
    assert changed("ensemble", {"members": ["a"]}) == {"members": ["a"]}


def test_the_options_are_listed_by_both_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--model", "rarn", "--help"])
    assert stop.value.code == 0
    helped, detail = capsys.readouterr().out, model_table.detail("rarn")
    for option in get_spec("rarn").options:
        assert str(option) in helped
        assert str(option) in detail
    assert "--overrides" in model_table.detail("resnet18")
