"""The proof that a memory shows the subject: importance over the reference image, kept tokens outlined."""

from PIL import Image

from ego.errors import InputError
from ego.heat_picture import draw_heat
from ego.memory import ConceptMemory, ViewRecord


def heatmap(memory: ConceptMemory, reference: Image.Image, *, view: int = 0, legend: bool = True) -> Image.Image:
    """Draw which tokens of a reference image a memory keeps and how important every token was.

    Args:
        memory: The memory.
        reference: The reference image of that view, upright.
        view: Which reference, counted from 0.
        legend: Whether name, description and the scale of colours stand below it.

    Raises:
        InputError: If there is no such view, the geometry of the model is unknown, or the picture's shape differs.
    """
    record = _view_of(memory, view, reference)
    return draw_heat(
        reference,
        record.boxes,
        record.importance,
        outlined=[record.boxes[position] for position in record.kept],
        title=f"{memory.name}: the {len(record.kept)} tokens in white boxes are remembered",
        note=record.description,
        legend=legend,
    )


def view_of_photo(memory: ConceptMemory, digest: str, label: str, wanted: int | None = None) -> int:
    """Find the view of a photo by its pixels: a heat-map over another picture would be no truth about it.

    Args:
        memory: The memory.
        digest: Of the photo's pixels (`ego.media.picture.picture_digest`).
        label: What the photo is called in errors.
        wanted: Which view it must be; None: the first of that photo.

    Raises:
        InputError: If the memory has no such view, or it is of another photo.
    """
    views = [number for number, record in enumerate(memory.views) if record.image == digest]
    if not views:
        raise InputError(
            f"{label} is none of the photos that {memory.name!r} was introduced with; give one of them, as it was: "
            "copies that were scaled or saved anew have other pixels"
        )
    if wanted is not None and wanted not in views:
        raise InputError(f"{label} is view {views[0]} of {memory.name!r}, not view {wanted}; leave the view out")
    return views[0] if wanted is None else wanted


def _view_of(memory: ConceptMemory, view: int, reference: Image.Image) -> ViewRecord:
    if not 0 <= view < len(memory.views):
        raise InputError(f"{memory.name!r} has {len(memory.views)} views; view {view} is none of them (first is 0)")
    record = memory.views[view]
    if not record.boxes:
        raise InputError(f"{memory.fingerprint.model_id} has no known token geometry; no heat-map can be drawn")
    if record.size != reference.size:
        raise InputError(f"view {view} of {memory.name!r} is of a {record.size} image; this one is {reference.size}")
    return record
