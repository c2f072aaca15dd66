"""Imported datasets and what is in them."""

from . import class_imbalance, contents, exclusions, imported, label_noise
