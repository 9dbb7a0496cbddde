"""Tests. `checked` is the run-time checker of signatures and tensor shapes, switched on for the whole package."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a fine float
