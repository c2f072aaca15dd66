"""One class is the saved run, the recipe and the command line; invalid values are refused before training."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from models.datasets.sampling import CLASS_WEIGHTS
from models.train import main, parse
from models.training.config import RUNS, Phase, TrainConfig
from models.training.engine import train
from models.training.recipes import RECIPES, from_recipe


@pytest.fixture
def changed(tmp_path) -> TrainConfig:
    """A configuration in which no field has its first value."""
    return TrainConfig(
        model="vanilla_cnn",
        start_from=Path("elsewhere"),
        overrides={"width": 36},
        recipe="other",
        data=tmp_path / "set.npz",
        split="other",
        out=tmp_path / "run",
        seed=5,
        allow_seen=True,
        pretrained=True,
        masked_epochs=2,
        epochs=3,
        phases=(Phase(epochs=1, learning_rate=0.1, trained_stages=0.4), Phase(epochs=2, learning_rate=0.2)),
        trained_stages=1,
        batch_size=17,
        input_size=40,
        growing_sizes=(16, 24),
        learning_rate=0.02,
        optimizer="adamw",
        schedule="cosine",
        warmup=0.5,
        decay_every=4,
        decay_factor=0.5,
        patience=2,
        early_stop=7,
        clip_norm=1.0,
        ema=0.99,
        mixup=0.4,
        momentum=0.5,
        nesterov=False,
        weight_decay=0.1,
        label_smoothing=0.0,
        distillation=0.3,
        teacher=Path("another"),
        exclude=Path("list.json"),
        augmentation="none",
        rare_augmentation="strong",
        sampling="balanced",
        class_weights="heavy",
        device="cpu",
        precision="32-true",
        threads=1,
        minutes=2.5,
        resume=True,
        keep_epochs=True,
        tensorboard=True,
        evaluate=True,
    )


def test_a_configuration_survives_the_way_through_json(changed):
    defaults = TrainConfig()
    assert [name for name in TrainConfig.model_fields if getattr(changed, name) == getattr(defaults, name)] == []
    assert TrainConfig.model_validate_json(changed.model_dump_json()) == changed
    assert TrainConfig.model_validate(json.loads(json.dumps(changed.model_dump(mode="json")))) == changed


def test_every_field_says_what_it_is():
    source = Path(__import__("inspect").getsourcefile(TrainConfig)).read_text()
    for name in TrainConfig.model_fields:
        after = source.split(f"\n    {name}: ")[1].split("\n", 1)[1]
        assert after.startswith('    """'), name


def test_the_command_line_changes_fields_of_the_recipe():
    config = parse(["--model", "vanilla_cnn", "--epochs", "3", "--overrides", "width", "8", "--out", "x/y", "--resume"])
    expected = from_recipe("quick", model="vanilla_cnn", epochs=3, overrides={"width": 8}, out=Path("x/y"), resume=True)
    assert config == expected
    assert config.augmentation == RECIPES["quick"]["augmentation"]


@pytest.mark.parametrize("argv", [["--recipe", "quick"], ["--recipe=quick"], []])
def test_without_changes_the_recipe_stands_as_it_is(argv):
    assert parse(argv) == from_recipe("quick")


@pytest.mark.parametrize(
    ("network", "recipe"), [("hybrid_xception", "adamw"), ("resnet18", "scratch"), ("vanilla_cnn", "quick")]
)
def test_a_network_has_its_own_recipe_where_none_is_named(network, recipe):
    assert parse(["--model", network]) == from_recipe(recipe, model=network)
    assert parse(["--model", network, "--recipe", "strong"]) == from_recipe("strong", model=network)


def test_several_sizes_can_be_given():
    assert parse(["--growing-sizes", "16", "24"]).growing_sizes == (16, 24)
    assert parse(["--precision", "bf16-mixed", "--device", "cpu"]).precision == "bf16-mixed"


def test_a_saved_configuration_can_be_run_again_and_changed(changed, tmp_path):
    path = tmp_path / "run.json"
    path.write_text(changed.model_dump_json())
    assert parse(["--config", str(path)]) == changed
    again = parse(["--config", str(path), "--batch-size", "9", "--no-resume"])
    assert again == changed.model_copy(update={"batch_size": 9, "resume": False})


def test_a_run_that_is_resumed_by_its_folder_needs_no_other_argument(changed, tmp_path):
    (tmp_path / "config.json").write_text(changed.model_dump_json())
    again = parse(["--out", str(tmp_path), "--resume"])
    assert again == changed.model_copy(update={"out": tmp_path, "resume": True, "minutes": None, "evaluate": False})
    assert parse(["--out", str(tmp_path), "--resume", "--recipe", "strong"]).recipe == "strong"  # refused later
    with pytest.raises(ValueError, match=r"There is no run in .*none: give the folder"):
        parse(["--out", str(tmp_path / "none"), "--resume"])


def test_a_run_of_another_set_has_its_name():
    assert TrainConfig(data="data/drawn.npz").folder.name == "residual_cnn-quick-official-s0-drawn"
    assert TrainConfig().folder.name == "residual_cnn-quick-official-s0"


def test_a_phase_of_the_recipe_can_be_changed_on_the_command_line():
    config = parse(["--recipe", "paper-b", "--phases.0.epochs", "2", "--epochs", "72"])
    assert [phase.epochs for phase in config.phases] == [2, 15, 15, 20, 20]


def test_a_checkpoint_stands_in_place_of_the_imagenet_weights_of_a_recipe():
    given = ["--recipe", "paper-b", "--model", "hybrid_resnet50"]
    assert parse(given).pretrained
    config = parse([*given, "--start-from", "some/folder"])
    assert (config.pretrained, config.start_from, len(config.phases)) == (False, Path("some/folder"), 5)
    assert parse([*given, "--start-from", "some/folder", "--pretrained"]).pretrained, "asked for, and refused later"


def test_trained_stages_stand_in_place_of_the_phases_of_a_recipe():
    config = parse(["--recipe", "paper-b", "--model", "hybrid_resnet50", "--trained-stages", "2"])
    assert (config.phases, config.trained_stages, config.epochs, config.learning_rate) == ((), 2, 80, 1e-3)
    assert parse(["--recipe", "paper-c", "--model", "resnet50_cnn", "--trained-stages", "None"]).plan == (
        Phase(epochs=60, learning_rate=1e-4),
    )
    assert parse(["--recipe", "quick", "--trained-stages", "1"]).learning_rate == RECIPES["quick"]["learning_rate"]


def test_epochs_are_those_of_the_phases():
    phases = [{"epochs": 2, "learning_rate": 0.1}, {"epochs": 3, "learning_rate": 0.01, "trained_stages": 0}]
    assert TrainConfig(phases=phases).epochs == 5
    with pytest.raises(ValidationError, match="have 5 together: give --epochs 5"):
        TrainConfig(phases=phases, epochs=4)


def test_the_predictions_to_unequal_classes_can_be_given_on_the_command_line():
    given = ["--class-weights", "paper-c", "--sampling", "balanced", "--rare-augmentation", "strong"]
    config = parse(given)
    assert (config.class_weights, config.sampling, config.rare_augmentation) == ("paper-c", "balanced", "strong")
    config = parse([])
    assert (config.class_weights, config.sampling, config.rare_augmentation) == ("none", "shuffled", None)


def test_the_command_line_offers_the_class_weights_that_there_are():
    assert get_args(TrainConfig.model_fields["class_weights"].annotation) == CLASS_WEIGHTS


def test_every_recipe_makes_a_configuration_and_carries_its_name():
    for recipe, values in RECIPES.items():
        config = from_recipe(recipe, seed=3)
        assert (config.recipe, config.seed) == (recipe, 3)
        assert {key: getattr(config, key) for key in values} == values


def test_a_run_has_a_folder_of_its_own(changed):
    assert changed.folder == changed.out
    names = {from_recipe("quick", model=m, seed=s).folder for m in ("vanilla_cnn", "residual_cnn") for s in (0, 1)}
    assert len(names) == 4
    assert from_recipe("quick").folder == RUNS / "residual_cnn-quick-official-s0"


def test_the_curve_is_decided_by_all_fields_but_those_of_place_and_time(changed):
    place = {"out", "data", "device", "precision", "threads", "minutes", "resume"}
    place |= {"keep_epochs", "tensorboard", "evaluate", "allow_seen"}
    assert set(changed.curve()) == set(TrainConfig.model_fields) - place
    assert json.loads(json.dumps(changed.curve())) == changed.curve()


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0},
        {"momentum": 1.0},
        {"label_smoothing": 1.0},
        {"threads": 0},
        {"precision": "16"},
        {"schedule": "stairs"},
        {"optimizer": "lion"},
        {"ema": 1.0},
        {"phases": [{"epochs": 0, "learning_rate": 0.1}]},
        {"sampling": "fair"},
        {"class_weights": "square"},
        {"no_such_field": 1},
    ],
)
def test_values_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainConfig(**wrong)


# ---- mistakes, before the first step


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": "residul_cnn"}, "residual_cnn"),
        ({"augmentation": "fancy"}, "there are: none, quick"),
        ({"rare_augmentation": "fancy"}, "there are: none, quick"),
        ({"split": "random"}, "there are: official"),
        ({"data": Path("nowhere.npz")}, "ferscope data import"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_is_written(make_config, tmp_path, values, said):
    config = make_config(tmp_path / "run").model_copy(update=values)
    with pytest.raises(ValueError, match=re.escape(said)):
        train(config)
    assert not (tmp_path / "run").exists()


def test_an_override_that_the_network_does_not_have_is_refused(make_config, tmp_path):
    with pytest.raises(ValueError, match='vanilla_cnn has no option "height"; its options are width, dropout'):
        train(make_config(tmp_path / "run", overrides={"height": 4}))
    assert not (tmp_path / "run").exists()


def ending(*argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main([*argv])
    assert isinstance(stop.value.code, str), "a text: Python prints it and ends with status 1"
    assert "Traceback" not in stop.value.code
    return stop.value.code


def test_the_command_ends_with_one_sentence(tmp_path, faces_npz):
    data, out = ("--data", str(faces_npz)), ("--out", str(tmp_path / "run"))
    assert "there are: quick" in ending("--recipe", "slow")
    assert "residual_cnn" in ending("--model", "residul_cnn", *data, *out)
    assert "there are: none, quick" in ending("--augmentation", "fancy", *data, *out)
    assert "there are: official" in ending("--split", "random", *data, *out)
    assert "ferscope data import" in ending("--data", str(tmp_path / "none.npz"), *out)
    assert "widht" in ending("--overrides", "widht", "4", "--model", "vanilla_cnn", *data, *out)
    assert "none.json" in ending("--config", str(tmp_path / "none.json"))
    assert ending("--batch-size", "0") == "--batch-size 0: Input should be greater than or equal to 2."
    assert "ferscope refresh makes it" in ending("--model", "ensemble", *data, *out)


@pytest.mark.parametrize("text", ["", "{", '{"epochs": 0}', '{"epoch": 3}', "[]"])
def test_a_saved_configuration_that_is_damaged_ends_the_command(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    assert ending("--config", str(tmp_path / "run.json"))


@pytest.mark.parametrize("argv", [["--epochs", "many"], ["--no-such-option"], ["--device", "toaster"]])
def test_an_argument_that_cannot_be_read_is_a_usage_error(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(argv)
    assert stop.value.code == 2
    assert argv[0] in capsys.readouterr().err


def test_options_of_a_network_keep_their_type_from_command_line_to_saved_run():
    given = [
        "--model",
        "rarn",
        "--overrides",
        "backbone",
        "resnet18",
        "fusion",
        "False",
        "angles",
        "4",
        "dropout",
        "0.1",
    ]
    config = parse(given)
    assert config.overrides == {"backbone": "resnet18", "fusion": False, "angles": 4, "dropout": 0.1}
    assert config.overrides["fusion"] is False
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
