"""Rows of memories and pictures to ask with: of a library and encoded photos, or of the pictures in the package."""

from pathlib import Path

import numpy as np

from ego.backbones import load_backbone
from ego.bench.filter import ROWS_EACH, Material
from ego.demo.pictures import shipped_pictures
from ego.errors import InputError
from ego.media import read_image
from ego.store import ConceptStore


def drawn() -> Material:
    """Take the drawn pictures of the package, as the embedded model sees them: runs of tokens stand for memories."""
    backbone = load_backbone("mini")
    files = sorted(shipped_pictures().folder.glob("*.jpg"))
    tokens = [backbone.encode_image(read_image(file).picture).rows.float().cpu().numpy() for file in files]
    whole = [one[: len(one) // ROWS_EACH * ROWS_EACH] for one in tokens]
    rows = np.concatenate(whole)
    counts = np.full(len(rows) // ROWS_EACH, ROWS_EACH)
    return Material(rows, counts, tuple(tokens), "the drawn pictures of the package")


def real(library: Path, questions: Path) -> Material:
    """Take a library, and photos that `benchmarks/real_concepts.py` has encoded.

    Raises:
        InputError: If there is no memory or no photo.
    """
    memories = ConceptStore(library).load_all().memories
    if not memories or not questions.is_file():
        raise InputError(f"{library} or {questions} holds nothing; make them with benchmarks/real_concepts.py")
    with np.load(questions, allow_pickle=False) as file:
        ends = np.cumsum(file["lengths"])[:-1]
        pictures = np.split(file["tokens"].astype(np.float32), ends)
    mixed = np.random.default_rng(0).permutation(len(pictures))
    return Material(
        np.concatenate([memory.tokens.rows.float().numpy() for memory in memories]),
        np.array([len(memory.tokens) for memory in memories]),
        tuple(pictures[number] for number in mixed),
        f"{len(memories)} memories of {library.name}",
    )
