"""Evaluation of trained networks on the test set."""

from . import annotators, calibration, confusion, evaluation, paired_tests, subgroups, test_set_views, training_curves
