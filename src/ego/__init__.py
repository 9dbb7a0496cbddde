"""Ego: personalize vision-language models from one photo (arXiv 2603.09771).

`import ego` is light: the public names below are resolved on first use, so that `ego --help` imports neither torch nor
transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ego.backbones import load_backbone, register_family
    from ego.backbones.base import Backbone
    from ego.client.remote import connect
    from ego.concept import Concept, Region
    from ego.config import EgoConfig
    from ego.errors import EgoError
    from ego.explain import heatmap
    from ego.memory import ConceptMemory
    from ego.personalizer import Ego
    from ego.results import Answer, Recognition
    from ego.store import ConceptStore

__version__ = "0.1.0"

_ROOM_OF = {
    "Answer": "ego.results",
    "Backbone": "ego.backbones.base",
    "Concept": "ego.concept",
    "ConceptMemory": "ego.memory",
    "ConceptStore": "ego.store",
    "Ego": "ego.personalizer",
    "EgoConfig": "ego.config",
    "EgoError": "ego.errors",
    "Recognition": "ego.results",
    "Region": "ego.concept",
    "connect": "ego.client.remote",
    "heatmap": "ego.explain",
    "load_backbone": "ego.backbones",
    "register_family": "ego.backbones",
}

__all__ = [  # noqa: RUF022  (in the order a reader meets them)
    "load_backbone",
    "Ego",
    "ConceptStore",
    "Concept",
    "Region",
    "ConceptMemory",
    "Recognition",
    "Answer",
    "heatmap",
    "connect",
    "EgoConfig",
    "EgoError",
    "Backbone",
    "register_family",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import the room of a public name on first use."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'ego' has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)
