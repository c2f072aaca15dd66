"""Imported datasets and what is in them."""
