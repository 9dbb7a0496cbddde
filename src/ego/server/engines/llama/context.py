"""A model as a GGUF file, loaded by llama.cpp: rows and tokens in, scores out. Only this file calls its C functions."""

import ctypes
import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ego.errors import BackboneError, ConfigError

_log = logging.getLogger(__name__)
_ERROR = 4  # of llama.cpp's log
_KEPT: list[object] = []  # what C calls must not be collected
ROWS = 512
"""Rows that are read at a time; between two such portions a caller who left is noticed."""


class LlamaContext:
    """A loaded model with room for several texts, each in a slot of its own.

    Attributes:
        dim: Width of the rows it reads.
        vocabulary: How many tokens it scores.
        slots: Texts side by side.
        tokens: Most tokens of a text.

    Args:
        file: The GGUF file.
        slots: Texts side by side.
        tokens: Most tokens of a text.
        threads: Of the CPU.
        exact: Keep keys and values in 32 bits and leave flash attention, which rounds to 16.

    Raises:
        ConfigError: If llama.cpp is not installed or cannot read the file.
    """

    def __init__(self, file: Path, *, slots: int, tokens: int, threads: int, exact: bool) -> None:
        require(file)
        self._c = _library()
        self.slots, self.tokens = slots, tokens
        self._model = self._c.llama_model_load_from_file(os.fsencode(file), self._c.llama_model_default_params())
        if not self._model:
            raise ConfigError(
                f"llama.cpp cannot read {file}; convert the model anew with its convert_hf_to_gguf.py, or update "
                "llama-cpp-python"
            )
        self.dim = int(self._c.llama_model_n_embd_inp(self._model))
        self.vocabulary = int(self._c.llama_vocab_n_tokens(self._c.llama_model_get_vocab(self._model)))
        self._context = self._c.llama_init_from_model(self._model, self._settings(threads, exact=exact))
        if not self._context:
            raise ConfigError(f"llama.cpp has no room for {slots} texts of {tokens} tokens beside {file}")

    def read(self, slot: int, rows: Float[np.ndarray, "token dim"], start: int) -> Float[np.ndarray, " vocab"]:
        """Read rows behind the first `start` tokens of a slot; gives the scores of what follows them."""
        count = len(rows)
        last_only = [False] * (count - 1) + [True]
        scores: Float[np.ndarray, " vocab"] = self._run(
            [slot] * count, range(start, start + count), last_only, rows=rows
        )[0]
        return scores

    def step(
        self, slots: Sequence[int], tokens: Sequence[int], places: Sequence[int]
    ) -> Float[np.ndarray, "slot vocab"]:
        """Read one token in each of several slots; gives the scores of what follows each."""
        return self._run(slots, places, [True] * len(slots), tokens=tokens)

    def keep(self, slot: int, count: int) -> int:
        """Forget what a slot has read beyond its first `count` tokens; says how many are left (some models: none)."""
        memory = self._c.llama_get_memory(self._context)
        if count and self._c.llama_memory_seq_rm(memory, slot, count, -1):
            return count
        self._c.llama_memory_seq_rm(memory, slot, -1, -1)
        return 0

    def close(self) -> None:
        """Let go of the model."""
        self._c.llama_free(self._context)
        self._c.llama_model_free(self._model)

    def _settings(self, threads: int, *, exact: bool) -> Any:
        settings = self._c.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max = self.slots * self.tokens, self.slots
        settings.n_batch = settings.n_ubatch = max(ROWS, self.slots)
        settings.n_threads = settings.n_threads_batch = threads
        settings.no_perf = True
        if exact:
            settings.type_k = settings.type_v = self._c.GGML_TYPE_F32
            settings.flash_attn_type = self._c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        return settings

    def _run(
        self,
        slots: Sequence[int],
        places: Sequence[int],
        wanted: Sequence[bool],
        *,
        rows: Float[np.ndarray, "token dim"] | None = None,
        tokens: Sequence[int] | None = None,
    ) -> Float[np.ndarray, "wanted vocab"]:
        """Run one batch of rows or of tokens.

        Raises:
            BackboneError: If llama.cpp fails.
        """
        count, c = len(slots), self._c
        of_slots = [(c.llama_seq_id * 1)(slot) for slot in slots]
        held = None if rows is None else np.ascontiguousarray(rows, dtype=np.float32)
        batch = c.llama_batch(
            n_tokens=count,
            token=None if tokens is None else (c.llama_token * count)(*tokens),
            embd=None if held is None else held.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            pos=(c.llama_pos * count)(*places),
            n_seq_id=(ctypes.c_int32 * count)(*[1] * count),
            seq_id=(ctypes.POINTER(c.llama_seq_id) * count)(*of_slots),
            logits=(ctypes.c_int8 * count)(*wanted),
        )
        code = c.llama_decode(self._context, batch)
        if code:
            raise BackboneError(f"llama.cpp cannot go on (code {code}); ask again, or start the service anew")
        scores = c.llama_get_logits(self._context)
        return np.ctypeslib.as_array(scores, (sum(wanted), self.vocabulary)).copy()


def require(file: Path) -> None:
    """Refuse what cannot work, before a model is loaded.

    Raises:
        ConfigError: If llama.cpp is not installed or there is no such file.
    """
    _library()
    if not file.is_file():
        raise ConfigError(f"there is no file at {file}; give a model that was converted to GGUF")


@cache
def _library() -> Any:
    """Import llama.cpp, and let what it says go into the log.

    Raises:
        ConfigError: If it is not there.
    """
    try:
        from llama_cpp import llama_cpp  # noqa: PLC0415  (only who uses it needs it)
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigError(
            f'--llama needs llama.cpp ({error}); install it with: pip install "ego-vlm[llama]"'
        ) from error
    heard = llama_cpp.llama_log_callback(_hear)
    llama_cpp.llama_log_set(heard, None)
    _KEPT.append(heard)
    return llama_cpp


def _hear(level: int, text: bytes, _: object) -> None:
    said = text.decode(errors="replace").strip()
    if said:
        _log.log(logging.WARNING if level == _ERROR else logging.DEBUG, "llama.cpp: %s", said)
