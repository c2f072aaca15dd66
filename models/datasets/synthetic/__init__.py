"""Drawn faces, whose expressions and evidence are known."""
