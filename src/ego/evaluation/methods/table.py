"""The table of methods: a name -> how to build it on a backbone."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ego.backbones.base import Backbone
from ego.config import EgoConfig
from ego.errors import ConfigError
from ego.evaluation.methods.base import Method
from ego.evaluation.methods.memories import MemoryMethod
from ego.evaluation.methods.peers.encoders import Encoders
from ego.evaluation.methods.peers.pekit import PeKit
from ego.evaluation.methods.peers.r2p import R2p
from ego.evaluation.methods.peers.rap import Rap
from ego.evaluation.methods.peers.soft_tokens import LearnedTokens
from ego.layers import depth_band_layers

Builder = Callable[[Backbone, EgoConfig], Method[Any]]
PeerBuilder = Callable[[Backbone, EgoConfig, Encoders], Method[Any]]


def _memories(
    backbone: Backbone, config: EgoConfig, *, rows: bool = True, words: bool = False, **changes: Any
) -> Method[Any]:
    return MemoryMethod(backbone, config.model_copy(update=changes), rows=rows, words=words)


def _depth_band(backbone: Backbone, config: EgoConfig) -> Method[Any]:
    card = backbone.card
    return _memories(
        backbone, config, layers=depth_band_layers(card.attention_layers, card.layer_count, config.depth_band)
    )


def _all_layers(backbone: Backbone, config: EgoConfig) -> Method[Any]:
    return _memories(backbone, config, layers=backbone.card.attention_layers)


METHODS: dict[str, Builder] = {
    "none": partial(_memories, rows=False),
    "keywords": partial(_memories, rows=False, words=True, dynamic_size=False),
    "full": partial(_memories, selector="all"),
    "full+keywords": partial(_memories, selector="all", words=True, always_describe=True, dynamic_size=False),
    "uniform": partial(_memories, selector="uniform"),
    "uniform-fixed": partial(_memories, selector="uniform", dynamic_size=False),
    "random": partial(_memories, selector="random"),
    "ego": _memories,
    "ego+keywords": partial(_memories, words=True),
    "ego-fixed": partial(_memories, dynamic_size=False),
    "ego-max": partial(_memories, reduction="max"),
    "ego-normalized": partial(_memories, normalize=True),
    "ego-band": _depth_band,
    "ego-all-layers": _all_layers,
}
PEERS: dict[str, PeerBuilder] = {
    "rap": lambda backbone, config, encoders: Rap(backbone, encoders),
    "r2p": lambda backbone, config, encoders: R2p(backbone, encoders),
    "pekit": lambda backbone, config, encoders: PeKit(backbone, encoders),
    "soft-tokens": lambda backbone, config, encoders: LearnedTokens(backbone, config),
}
ABLATION = (
    "none",
    "keywords",
    "full",
    "full+keywords",
    "uniform",
    "random",
    "ego",
    "ego-fixed",
    "ego-max",
    "ego-band",
    "ego-all-layers",
)


def names_of(text: str) -> tuple[str, ...]:
    """Read a list separated by commas; "ablation" and "peers" stand for theirs."""
    groups = {"ablation": ABLATION, "peers": tuple(PEERS)}
    given = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(name for one in given for name in groups.get(one, (one,)))


def build_method(name: str, backbone: Backbone, config: EgoConfig, encoders: Encoders) -> Method[Any]:
    """Build a method of METHODS or PEERS.

    Raises:
        ConfigError: If there is none of that name.
    """
    if name in PEERS:
        return PEERS[name](backbone, config, encoders)
    if name not in METHODS:
        raise ConfigError(f"no method {name!r}; choose from {', '.join((*METHODS, *PEERS))}")
    return METHODS[name](backbone, config)
