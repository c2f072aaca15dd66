"""Evaluation of trained networks on the test set."""
