"""Say beforehand what a run will do, so that a folder of records says what it is an answer to."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from pydantic import BaseModel, ConfigDict

import ego
from ego.backbones.base import Backbone
from ego.config import EgoConfig
from ego.errors import BackboneError, ConfigError
from ego.evaluation.manifest import TASKS, Manifest, Sample
from ego.evaluation.methods.base import Method
from ego.evaluation.methods.peers.encoders import PeerSettings, encoders_for
from ego.evaluation.methods.table import build_method
from ego.personalizer import Ego

Known = Literal["sample", "all"]


class Run(BaseModel):
    """What a run was asked for; a folder belongs to one.

    Attributes:
        dataset: Name of the data set.
        manifest: Digest of its manifest, names included.
        model: Model id and digest of the weights.
        layers: Decoder layers that are read unless a method reads others.
        tasks: Tasks, see TASKS.
        methods: Methods, in the order asked for.
        views: Numbers of reference images.
        limit: Most scenes per task, spread evenly; None: all.
        known: Whose memories are in the prompt: those the sample says, or all of the data set.
        config: Numbers of the method.
        versions: Of everything that could change an answer.
        peers: Encoders of the peers.
        needs: By method, models beside the backbone.
        not_run: By method, why it could not be run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    manifest: str
    model: str
    layers: tuple[int, ...]
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    views: tuple[int, ...]
    limit: int | None = None
    known: Known = "sample"
    config: EgoConfig
    versions: dict[str, str]
    peers: PeerSettings = PeerSettings()
    needs: dict[str, tuple[str, ...]] = {}
    not_run: dict[str, str] = {}


@dataclass(frozen=True)
class Scope:
    """Which questions are asked.

    Attributes:
        tasks: Tasks; all that the data set has if empty.
        views: Numbers of reference images.
        limit: Most scenes per task.
        known: Whose memories are in the prompt.
    """

    tasks: tuple[str, ...] = ()
    views: tuple[int, ...] = (1,)
    limit: int | None = None
    known: Known = "sample"


def plan(
    backbone: Backbone,
    manifest: Manifest,
    methods: Sequence[str],
    *,
    scope: Scope | None = None,
    config: EgoConfig | None = None,
    peers: PeerSettings | None = None,
) -> Run:
    """Say what a run will do.

    Raises:
        ConfigError: If a task is unknown or the data set has no question of it.
    """
    scope = scope or Scope()
    present = [task for task in TASKS if manifest.of_task(task)]
    if missing := [task for task in scope.tasks if task not in present]:
        raise ConfigError(f"{manifest.dataset} has no questions for {missing}; it has {present}")
    config, peers = config or EgoConfig(), peers or PeerSettings()
    built = {name: build_method(name, backbone, config, encoders_for(peers)) for name in methods}
    not_run = {name: reason for name, method in built.items() if (reason := _missing(method))}
    return Run(
        dataset=manifest.dataset,
        manifest=_digest(manifest),
        model=_spelled(backbone),
        layers=Ego(backbone, config=config).layers,
        tasks=tuple(task for task in present if not scope.tasks or task in scope.tasks),
        methods=tuple(dict.fromkeys(name for name in methods if name not in not_run)),
        views=tuple(dict.fromkeys(scope.views)),
        limit=scope.limit,
        known=scope.known,
        config=config,
        versions=_versions(),
        peers=peers,
        needs={name: method.needs for name, method in built.items() if method.needs},
        not_run=not_run,
    )


def _spelled(backbone: Backbone) -> str:
    """Name a model and both digests of its weights."""
    return f"{Path(backbone.card.model_id).name} ({backbone.fingerprint.weights[:12]}, {backbone.card.decoder[:12]})"


def _digest(manifest: Manifest) -> str:
    """Tell manifests apart, wherever their files are."""
    return hashlib.sha256(manifest.model_copy(update={"root": ""}).model_dump_json().encode()).hexdigest()[:16]


def spread(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """Take the samples of `limit` scenes, evenly spread over the data set."""
    scenes = list(dict.fromkeys(sample.scene for sample in samples))
    if limit is None or limit >= len(scenes):
        return list(samples)
    taken = {scenes[(2 * number + 1) * len(scenes) // (2 * limit)] for number in range(limit)}
    return [sample for sample in samples if sample.scene in taken]


def _missing(method: Method[Any]) -> str:
    """Say what a method lacks; nothing if it can run."""
    try:
        method.require()
    except BackboneError as error:
        return str(error)
    return ""


def _versions() -> dict[str, str]:
    return {
        "ego": ego.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
