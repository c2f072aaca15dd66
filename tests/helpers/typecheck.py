"""What conftest.py puts round every function that computes with tensors: types and shapes are checked at each call."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is welcome where a float is asked for
