"""The verbs of `Ego`, done by a service that is running already; neither torch nor a model is loaded.

personal = ego.connect("http://127.0.0.1:8321")
personal.introduce(Concept("Bo", images=["bo-1.jpg"]))
personal.recognize("park.jpg")
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from ego.client.chat import RemoteChat
from ego.client.uploads import image_part, listed, regions_of, uploads
from ego.errors import (
    BackboneError,
    ConfigError,
    ContextBudgetError,
    DuplicateConceptError,
    EgoError,
    InputError,
    MemoryFileError,
    SelectionError,
    StoreError,
    UnknownConceptError,
    WrongTypeError,
)
from ego.results import Answer, Place, Pointing, Recognition

if TYPE_CHECKING:
    from ego.concept import Concept, ImageSource

SERVER_VARIABLE, KEY_VARIABLE = "EGO_SERVER", "EGO_KEY"
EXAMPLE = "http://127.0.0.1:8321"
SECONDS = 300.0  # a service behind a long queue answers late; its own limit comes first
_KINDS: dict[str, type[EgoError]] = {
    "unknown_concept": UnknownConceptError,
    "name_taken": DuplicateConceptError,
    "unusable_memory": MemoryFileError,
    "nothing_selected": SelectionError,
    "context_length_exceeded": ContextBudgetError,
    "invalid_input": InputError,
    "invalid_request": InputError,
    "too_large": InputError,
    "library_unavailable": StoreError,
    "invalid_api_key": ConfigError,
}


@dataclass(frozen=True)
class RemoteConcept:
    """A concept that the service remembers.

    Attributes:
        name: The user's name for it.
        described: Everything the service tells of it.
    """

    name: str
    described: dict[str, Any]


def connect(url: str | None = None, key: str | None = None) -> "RemoteEgo":
    """Use a running service.

    Args:
        url: Its address; None takes the environment variable EGO_SERVER.
        key: Your key, where it wants one; None takes EGO_KEY.

    Raises:
        ConfigError: If no address is known, or it is none.
    """
    address = url or os.environ.get(SERVER_VARIABLE)
    if not address:
        raise ConfigError(f"no service is known; give its address, or set {SERVER_VARIABLE}={EXAMPLE}")
    try:
        if not isinstance(address, str):
            raise WrongTypeError(f"the address: {type(address).__name__} was given; give text such as {EXAMPLE}")
        if not address.lower().startswith(("http://", "https://")):
            raise ValueError(address)
        return RemoteEgo(address, key or os.environ.get(KEY_VARIABLE, ""))
    except (httpx2.InvalidURL, ValueError) as error:
        raise ConfigError(f"{address!r} is no address of a service; give one such as {EXAMPLE}") from error


class RemoteEgo:
    """A vision-language model that knows your things, in another process. Made by `connect`."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        secure = url.startswith("https:")  # reading certificates takes longer than asking
        self._http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=SECONDS, verify=secure)

    @property
    def memories(self) -> tuple[RemoteConcept, ...]:
        """Every concept of yours that its model can read."""
        listed = self._call("GET", "/v1/concepts").json()["data"]
        return tuple(RemoteConcept(one["name"], one) for one in listed)

    def introduce(self, concept: "Concept", *, replace: bool = False, thumbnail: bool = False) -> RemoteConcept:
        """Build the memory of a concept from its reference images and store it there."""
        fields, masks = regions_of(concept)
        form = {
            "name": concept.name,
            "category": concept.category,
            "notes": concept.notes,
            "keywords": concept.keywords,
            "replace": str(replace).lower(),
            "thumbnail": str(thumbnail).lower(),
        }
        return self._described("POST", "/v1/concepts", data=form | fields, files=uploads(concept.images) + masks)

    def add_view(self, name: str, images: "Sequence[ImageSource]", *, keywords: str = "") -> RemoteConcept:
        """Add reference images to a remembered concept."""
        place = f"/v1/concepts/{self._id(name)}/views"
        return self._described("POST", place, data={"keywords": keywords}, files=uploads(images))

    def remove_view(self, name: str, view: int) -> RemoteConcept:
        """Take a reference image out of a concept."""
        return self._described("DELETE", f"/v1/concepts/{self._id(name)}/views/{view}")

    def show(self, name: str) -> RemoteConcept:
        """Show one concept."""
        return self._described("GET", f"/v1/concepts/{self._id(name)}")

    def rename(self, name: str, new_name: str) -> RemoteConcept:
        """Give a concept another name."""
        return self._described("PATCH", f"/v1/concepts/{self._id(name)}", json={"name": new_name})

    def forget(self, name: str) -> None:
        """Remove a concept for good."""
        self._call("DELETE", f"/v1/concepts/{self._id(name)}")

    def export(self, name: str) -> bytes:
        """Give a concept as the bytes of a memory file."""
        return self._call("GET", f"/v1/concepts/{self._id(name)}/export").content

    def import_file(self, content: bytes, name: str | None = None, *, replace: bool = False) -> RemoteConcept:
        """Take in the bytes of a memory file."""
        form = {"replace": str(replace).lower()} | ({"name": name} if name else {})
        return self._described("POST", "/v1/concepts/import", data=form, files=[("file", ("concept.ego", content))])

    def recognize(
        self, image: "ImageSource", names: Sequence[str] | None = None, *, threshold: float | None = None
    ) -> dict[str, Recognition]:
        """Say for every concept (or those named) whether it is in an image or video."""
        form: dict[str, Any] = {} if threshold is None else {"threshold": str(threshold)}
        form |= {} if names is None else {"names": listed(names)}
        found = self._call("POST", "/v1/recognize", data=form, files=uploads([image], "image")).json()["data"]
        return {one["name"]: Recognition(**{**one, "seen_at": tuple(one["seen_at"])}) for one in found}

    def where(self, image: "ImageSource", names: Sequence[str] | None = None) -> dict[str, tuple[Pointing, ...]]:
        """Say where the model looks for concepts, present or not: a box and a heat-map in every picture or frame.

        Raises:
            InputError: If the geometry of the model is unknown.
        """
        told: dict[str, tuple[Pointing, ...]] = {}
        for place in self._looked(image, names):
            told[place.pointing.name] = (*told.get(place.pointing.name, ()), place.pointing)
        return told

    def places(self, image: "ImageSource", found: Iterable[Recognition]) -> dict[str, tuple[Place, ...]]:
        """Say where each concept that is present was seen, in a clip at every moment it was seen at."""
        seen = {one.name: one.seen_at for one in found if one.present}
        looked = self._looked(image, list(seen)) if seen else []
        there = [one for one in looked if one.seconds is None or one.seconds in seen[one.pointing.name]]
        return {name: tuple(one for one in there if one.pointing.name == name) for name in seen}

    @property
    def model(self) -> dict[str, Any]:
        """What the service tells of its model: `id`, `video_frames` (looked at in a clip), `has_geometry` and more."""
        described: dict[str, Any] = self._call("GET", "/v1/models").json()["data"][0]
        return described

    def ask(
        self,
        question: str,
        image: "ImageSource | None" = None,
        names: Sequence[str] | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Answer a question, about an image or about the remembered concepts alone."""
        return self.chat(image, names).say(question, on_text=on_text)

    def caption(
        self,
        image: "ImageSource",
        names: Sequence[str] | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Describe an image or video in a sentence or a few, with the names of the concepts in it."""
        form = {} if names is None else {"names": listed(names)}
        said = self._call("POST", "/v1/caption", data=form, files=uploads([image], "image")).json()
        lists: dict[str, Any] = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
        answer = Answer(**{**said, **lists})
        if on_text is not None:
            on_text(answer.text)
        return answer

    def chat(self, image: "ImageSource | None" = None, names: Sequence[str] | None = None) -> RemoteChat:
        """Begin a conversation of several turns about an image."""
        picture = None if image is None else image_part(image)
        return RemoteChat(self.stream, picture, None if names is None else listed(names))

    def stream(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a conversation and give the pieces of the answer as they come.

        Raises:
            EgoError: As the service says.
        """
        try:
            with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    response.read()
                    _raise(response)
                for line in response.iter_lines():
                    if line.startswith("data: {"):
                        piece: dict[str, Any] = json.loads(line.removeprefix("data: "))
                        if "error" in piece:
                            raise BackboneError(piece["error"]["message"])
                        yield piece
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _looked(self, image: "ImageSource", names: Sequence[str] | None) -> list[Place]:
        form = {} if names is None else {"names": listed(names)}
        told = self._call("POST", "/v1/pointings", data=form, files=uploads([image], "image")).json()["data"]
        return [_place(**one) for one in told]

    def _id(self, name: str) -> str:
        """Find what stands for a name in an address."""
        wanted = name.casefold()
        found = [one.described["id"] for one in self.memories if one.name.casefold() == wanted]
        if not found:
            known = ", ".join(one.name for one in self.memories) or "none"
            raise UnknownConceptError(f"no concept is called {name!r}; known: {known}")
        return str(found[0])

    def _described(self, method: str, path: str, **more: Any) -> RemoteConcept:
        told = self._call(method, path, **more).json()
        return RemoteConcept(told["name"], told)

    def _call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **more)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            _raise(response)
        return response

    def _unreachable(self, error: Exception) -> BackboneError:
        return BackboneError(
            f"the service at {self._http.base_url} does not answer ({type(error).__name__}); start it with `ego "
            f"serve`, or unset {SERVER_VARIABLE} to work without it"
        )


def _raise(response: httpx2.Response) -> None:
    try:
        error = response.json()["error"]
        message, code = str(error["message"]), str(error["code"])
    except (ValueError, KeyError, TypeError):
        message, code = f"the service answered {response.status_code}", ""
    raise _KINDS.get(code, BackboneError)(message)


def _place(name: str, seconds: float | None, **numbers: Any) -> Place:
    box, peak, heat = (tuple(numbers[kind]) for kind in ("box", "peak", "heat"))
    return Place(Pointing(name, box, peak, tuple(map(tuple, numbers["boxes"])), heat), seconds)
