import json

import pytest

from models.checkpoints import CheckpointError, checkpoint_folder
from models.registry import list_models
from workbench.surveys.files import LARGEST, AttentionFile, RobustnessFile, read_file

SAMPLE = {"part": "PrivateTest", "pictures": 2, "of": 3, "seed": 0, "weights": "a" * 64, "data": "b" * 16}
CURVE = {"values": [0.0, 1], "accuracy": [0.5, 0.25], "interval": [[0.1, 0.9], [0.0, 0.5]]}
GATE = {
    "gate": {"layer": "bam", "kind": "BAM", "title": "gate", "path": "bam.gate", "neutral": 0.0},
    "saturated": 0.5,
    "deviation": 0.1,
    "fixed": None,
    "changed_mean": 0.0,
    "changed_off": 1.0,
    "changed_uniform": None,
    "mean_map": [[0.5, 0.25], [0.0, 1.0]],
}
MODULE = {"layer": "bam", "gates": [GATE], "changed_mean": 0.0, "changed_off": 1.0}
CURVES = SAMPLE | {"curves": {"blur": CURVE}}
GATES = SAMPLE | {"pixels": 0.5, "modules": [MODULE]}


def written(tmp_path, values):
    path = tmp_path / "survey.json"
    path.write_text(json.dumps(values))
    return path


def test_a_valid_file_is_read(tmp_path):
    curve = read_file(written(tmp_path, CURVES), RobustnessFile, "").curves["blur"].curve(2)
    assert curve.accuracy.tolist() == [0.5, 0.25]
    module = read_file(written(tmp_path, GATES), AttentionFile, "").modules[0].statistics()
    assert module.gates[0].mean_map.shape == (2, 2)
    assert module.gates[0].fixed != module.gates[0].fixed, "null is NaN"


@pytest.mark.parametrize(("file", "kind"), [("robustness.json", RobustnessFile), ("attention.json", AttentionFile)])
def test_every_file_that_ships_is_valid(file, kind):
    shipped = [path for name in list_models() if (path := checkpoint_folder(name) / file).is_file()]
    assert len(shipped) > 1
    for path in shipped:
        assert read_file(path, kind, "").weights


@pytest.mark.parametrize(
    ("kind", "values", "where"),
    [
        (RobustnessFile, CURVES | {"pictures": 4}, "more than there are"),
        (RobustnessFile, CURVES | {"pictures": True}, "pictures"),
        (RobustnessFile, CURVES | {"pictures": "2"}, "pictures"),
        (RobustnessFile, CURVES | {"weights": "a" * 201}, "weights"),
        (RobustnessFile, CURVES | {"more": 1}, "more"),
        (RobustnessFile, CURVES | {"curves": {"blur": CURVE | {"accuracy": [0.5]}}}, "lengths"),
        (RobustnessFile, CURVES | {"curves": {"blur": CURVE | {"accuracy": [0.5, 1.5]}}}, "accuracy"),
        (RobustnessFile, CURVES | {"curves": {"blur": CURVE | {"values": [0.0, float("nan")]}}}, "values"),
        (RobustnessFile, CURVES | {"curves": {"blur": CURVE | {"interval": [[0.1, 0.9], [0.5, 0.0]]}}}, "interval"),
        (RobustnessFile, CURVES | {"curves": []}, "curves"),
        (AttentionFile, GATES | {"modules": []}, "modules"),
        (AttentionFile, GATES | {"modules": [MODULE | {"gates": [GATE | {"saturated": -0.1}]}]}, "saturated"),
        (AttentionFile, GATES | {"modules": [MODULE | {"gates": [GATE | {"mean_map": [[0.1], []]}]}]}, "mean_map"),
        (AttentionFile, GATES | {"modules": [MODULE | {"gates": [GATE | {"mean_map": [[0.1], [0.1, 0.2]]}]}]}, "rows"),
        (AttentionFile, GATES | {"modules": [MODULE | {"gates": [GATE | {"gate": {}}]}]}, "gate.layer"),
    ],
)
def test_the_error_of_an_invalid_file_names_the_field_and_what_to_do(tmp_path, kind, values, where):
    path = written(tmp_path, values)
    with pytest.raises(CheckpointError, match=where) as error:
        read_file(path, kind, "Measure it again.")
    assert str(path) in str(error.value)
    assert "Measure it again." in str(error.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "robustness.json"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CheckpointError, match="larger than 16 MB"):
        read_file(path, RobustnessFile, "")


def test_a_missing_file_is_not_reported_as_invalid(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "robustness.json", RobustnessFile, "")
