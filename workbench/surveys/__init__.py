"""Measurements of whole networks that are stored beside their weights."""
