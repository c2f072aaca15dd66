"""Attacks on running instances of FERScope, for `benchmarks/hostile.py`: a module for each kind of instance."""
