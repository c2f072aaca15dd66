"""Metrics for each group of a column that the user gives: matched, measured, tested; small groups hidden."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from models.checkpoints import read_predictions
from models.datasets import DataError
from models.datasets.groups import Groups, image_column, read_groups
from models.evaluate import main
from models.metrics import share
from models.subgroups import subgroups

CLASSES = ("happy", "sad")
IDS = np.array([f"test-{i:016x}-0" for i in range(6)])
NAMES = np.array(["a/1", "a/2", "b/3.png", "4", "5", "5"])


def groups(values) -> Groups:
    return Groups("age", np.asarray(values), 0, 0)


# ---- the table


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("id,age\ntest-0000000000000000-0,young\n", {0: "young"}),
        ("hash;age\n0000000000000001;old\n", {1: "old"}),
        ("path,age\nphotos\\a\\1.jpg,young\n3.png,old\n/x/4.jpeg,old\n", {0: "young", 2: "old", 3: "old"}),
        ("\ufeffName\tAge\n1\t 30-39 \n2\t\n", {0: "30-39"}),
    ],
)
def test_rows_are_matched_by_id_hash_name_or_path(rows, expected):
    found = read_groups(rows.encode(), "Age", IDS, NAMES)
    assert {i: v for i, v in enumerate(found.values.tolist()) if v} == expected
    assert (found.unmatched, found.ambiguous) == (0, 0)


def test_rows_that_name_no_image_or_give_two_groups_are_counted():
    found = read_groups(b"name,age\n1,young\n1,old\n99,old\n4,old\n", "age", IDS, NAMES)
    assert found.values.tolist() == ["young", "", "", "old", "", ""]
    assert (found.unmatched, found.ambiguous) == (1, 1)


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        (b"", "age", "needs a first line"),
        (b"age\n1\n", "age", "needs a first line"),
        (b"what,age\n1,2\n", "age", r"No column of the table \(what, age\) names the images"),
        (b"id,age\n1,2\n", "sex", 'no column "sex"; there are: id, age'),
        (b"id,age\nnobody,2\n", "age", "No row of the table gives one of these images a group"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_a_sentence(content, column, message):
    with pytest.raises(DataError, match=message):
        read_groups(content, column, IDS, NAMES)


def test_values_that_are_no_groups_are_refused():
    names = np.array([f"n{i}" for i in range(60)])
    rows = "name,age\n" + "\n".join(f"n{i},{i}" for i in range(60))
    with pytest.raises(DataError, match="60 different values"):
        read_groups(rows.encode(), "age", names, names)
    assert image_column(("age", "file", "path")) == "path"


# ---- the metrics


def test_each_group_has_its_accuracy_and_recalls_with_intervals():
    rng = np.random.default_rng(0)
    labels, values = rng.integers(0, 2, 300), np.repeat(["a", "b", "c"], [150, 140, 10])
    predicted = np.where(rng.random(300) < np.where(values == "a", 0.95, 0.6), labels, 1 - labels)
    found = subgroups(predicted, labels, CLASSES, groups(values))
    assert [(one.name, one.images) for one in found.groups] == [("a", 150), ("b", 140)]
    for one in found.groups:
        mine = values == one.name
        assert one.accuracy == share(predicted[mine] == labels[mine])
        assert one.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels[mine], predicted[mine]))
        assert one.recall["sad"] == share(predicted[mine & (labels == 1)] == 1)
        assert sum(one.support.values()) == one.images
    accuracy, balanced = found.differences
    high, low = (one.accuracy[0] for one in found.groups)
    assert (accuracy.difference, accuracy.ratio) == (pytest.approx(high - low), pytest.approx(low / high))
    assert accuracy.p_value < 0.001
    assert balanced.p_value < 0.01
    assert "1 group is hidden: fewer than 20 images each, 10 together." in found.sentences()


def test_groups_that_do_not_differ_have_no_significant_difference():
    labels, values = np.tile([0, 1], 100), np.repeat(["a", "b"], 100)
    predicted = np.where(np.arange(200) % 10 < 4, 1 - labels, labels)
    found = subgroups(predicted, labels, CLASSES, groups(values))
    assert [one.p_value > 0.5 for one in found.differences] == [True, True]
    assert "not significant" in found.sentences()[0]


def test_a_class_mix_alone_is_no_difference_in_balanced_accuracy():
    # Both groups: 90 % of happy, 50 % of sad are right; the first is mostly happy.
    labels = np.repeat([0, 1, 0, 1], [200, 40, 40, 200])
    values = np.repeat(["a", "b"], 240)
    wrong = np.concatenate([np.arange(n) < n * share_ for n, share_ in ((200, 0.1), (40, 0.5), (40, 0.1), (200, 0.5))])
    accuracy, balanced = subgroups(np.where(wrong, 1 - labels, labels), labels, CLASSES, groups(values)).differences
    assert accuracy.p_value < 0.001
    assert balanced.p_value > 0.5
    assert balanced.difference == pytest.approx(0)


@pytest.mark.parametrize("right", [True, False])
def test_all_or_nothing_correct_is_no_difference(right):
    labels = np.zeros(60, int)
    found = subgroups(labels if right else 1 - labels, labels, CLASSES, groups(np.repeat(["a", "b"], 30)))
    assert [one.p_value for one in found.differences] == [1.0, 1.0]


def test_only_small_groups_are_refused_and_one_group_has_no_difference():
    labels = np.zeros(30, int)
    with pytest.raises(DataError, match="fewer than 20 images"):
        subgroups(labels, labels, CLASSES, groups(np.repeat(["a", "b"], 15)))
    found = subgroups(labels, labels, CLASSES, groups(["a"] * 25 + [""] * 5))
    assert found.differences == ()
    assert "5 images have no group" in found.sentences()[0]


# ---- the command


def test_the_command_reports_groups_of_what_is_stored(tmp_path, capsys):
    stored = read_predictions("residual_cnn", "PrivateTest")
    table = tmp_path / "meta.csv"
    rows = [f"{name}.jpg,{'even' if i % 2 else 'odd'}" for i, name in enumerate(stored.names)]
    table.write_text("\n".join(["path,half", *rows]))
    main(["residual_cnn", "--stored", "--groups", str(table), "--group-column", "half"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "PrivateTest by half" in printed
    right = (stored.logits.argmax(1) == stored.labels).numpy()
    odd = np.arange(len(right)) % 2 == 0
    assert f"{100 * right[odd].mean():.1f} %" in printed
    assert "Largest difference in accuracy" in printed
    with pytest.raises(SystemExit, match="by --group-column: path, half"):
        main(["residual_cnn", "--stored", "--groups", str(table)])
