"""Method: what every way of personalizing a model offers to the runner - introduce, recognize, ask, caption."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ego.backbones.base import Backbone
from ego.evaluation.manifest import Subject
from ego.evaluation.methods.respondent import Reply, Respondent
from ego.media import LoadedImage


@dataclass(frozen=True, eq=False, kw_only=True)
class Profile:
    """What a method remembers of a subject.

    Attributes:
        key: Key of the subject.
        name: Name that prompts use.
        tokens: Context tokens it takes in a prompt, where the method knows beforehand.
        story: How it came about, for people.
        failed: Whether the method could not learn the subject; it is then asked as if it knew nothing.
    """

    key: str
    name: str
    tokens: int
    story: str
    failed: bool = False


ProfileT = TypeVar("ProfileT", bound=Profile)


class Method(ABC, Generic[ProfileT]):
    """A way to personalize a backbone.

    Attributes:
        backbone: The model that answers.
        respondent: Asks it, with shared prefixes; one per method.
    """

    def __init__(self, backbone: Backbone) -> None:
        """Work on one model."""
        self.backbone = backbone
        self.respondent = Respondent(backbone)

    def prepare(self, library: Iterable[tuple[Subject, LoadedImage]]) -> None:
        """See the first reference of everything in the user's library, before anything is introduced."""

    def require(self) -> None:
        """Load what the method needs beside the backbone.

        Raises:
            BackboneError: If something is not here.
        """

    @abstractmethod
    def introduce(self, subject: Subject, references: Sequence[LoadedImage]) -> ProfileT:
        """Learn a subject from its reference images."""

    @abstractmethod
    def recognize(self, pictures: Sequence[LoadedImage], asked: ProfileT, known: Sequence[ProfileT]) -> Reply:
        """Answer whether one of the known subjects is there; with a probability if the method has one."""

    @abstractmethod
    def ask(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[ProfileT], *, max_new_tokens: int
    ) -> Reply:
        """Answer a question; without pictures, from memory alone."""

    @abstractmethod
    def caption(self, pictures: Sequence[LoadedImage], known: Sequence[ProfileT], *, max_new_tokens: int) -> Reply:
        """Describe the pictures, naming the subjects that are there."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Models beside the backbone that the method's figures depend on; for the report."""
        return ()
