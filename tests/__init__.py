"""Tests. `checked` is the run-time checker of signatures and tensor shapes, switched on for the whole package."""

import os

from beartype import BeartypeConf, beartype

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a fine float
