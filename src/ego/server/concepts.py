"""/v1/concepts: introduce from uploaded photos or a clip, look after what is remembered, draw, take in and pass on."""

import asyncio
import hashlib
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from PIL import Image
from pydantic import BaseModel
from starlette.responses import Response

from ego.concept import Concept, Region, clean_name, name_key
from ego.errors import InputError, UnknownConceptError
from ego.explain import heatmap, view_of_photo
from ego.library.contract import Library
from ego.media.picture import picture_digest
from ego.memory import ConceptMemory
from ego.memory_file import load
from ego.server.calling import CurrentOwner, CurrentService
from ego.server.service import Service

router = APIRouter(prefix="/v1/concepts", tags=["Concepts"])
CLIP_VIEWS = 3  # frames of a clip that become views of a concept
Photos = Annotated[list[UploadFile], File(description="Photos, or a clip of which a few frames are taken.")]
Words = Annotated[str, Form()]
Boxes = Annotated[list[str] | None, Form(description="Pixels x0,y0,x1,y1 around the subject, one box per photo.")]
Masks = Annotated[
    list[UploadFile] | None,
    File(description="Pictures, black or transparent around the subject, one per photo."),
]
Space = Annotated[
    Literal["displayed", "stored"] | None, Form(description="What masks are of, where a photo is turned by its EXIF.")
]


class Renaming(BaseModel):
    """A new name."""

    name: str


def describe(memory: ConceptMemory) -> dict[str, Any]:
    """Tell what a memory is and how it came about, as plain values."""
    return {
        "id": concept_id(memory.name),
        "name": memory.name,
        "category": memory.category,
        "notes": memory.notes,
        "tokens": len(memory.tokens),
        "model": memory.fingerprint.model_id.rsplit("/", 1)[-1],
        "created": memory.created,
        "thumbnail": memory.thumbnail is not None,
        "views": [view.model_dump(mode="json", exclude={"boxes", "importance"}) for view in memory.views],
    }


def concept_id(name: str) -> str:
    """Give what stands for a name in an address: names may hold slashes."""
    return "c-" + hashlib.sha256(name_key(name).encode()).hexdigest()[:16]


def find(store: Library, concept: str) -> ConceptMemory:
    """Find a concept by its id or its name.

    Raises:
        UnknownConceptError: If this owner has none like that.
    """
    by_id = {concept_id(name): name for name in store.names()}
    try:
        return store.get(by_id.get(concept, concept))
    except (UnknownConceptError, InputError) as error:
        raise UnknownConceptError(f"no concept of yours is called {concept[:100]!r}") from error


@router.get("")
def list_concepts(service: CurrentService, owner: CurrentOwner) -> dict[str, Any]:
    """List the concepts, and the files that cannot be used."""
    contents = service.library(owner).load_all(service.backbone.fingerprint)
    skipped = [{"file": one.file, "reason": one.reason} for one in contents.skipped]
    return {"object": "list", "data": [describe(memory) for memory in contents.memories], "skipped": skipped}


@router.post("", status_code=201)
async def introduce(  # noqa: PLR0913, PLR0917  (one for each field of the form)
    service: CurrentService,
    owner: CurrentOwner,
    name: Annotated[str, Form()],
    images: Photos,
    category: Words = "",
    notes: Words = "",
    keywords: Words = "",
    boxes: Boxes = None,
    masks: Masks = None,
    mask_space: Space = None,
    replace: Annotated[bool, Form()] = False,
    thumbnail: Annotated[bool, Form()] = False,
) -> dict[str, Any]:
    """Remember a concept from photos or a clip; the answer means that it is on disk."""
    regions = await _regions(service, boxes, masks, mask_space)
    views = await _views(service, images, regions)
    concept = Concept(name, views, category=category, notes=notes, keywords=keywords, regions=regions)
    return describe(await service.introduce(owner, concept, replace=replace, thumbnail=thumbnail))


@router.post("/import", status_code=201)
async def import_concept(
    service: CurrentService,
    owner: CurrentOwner,
    file: Annotated[UploadFile, File(description="A file that export gave.")],
    name: Annotated[str | None, Form()] = None,
    replace: Annotated[bool, Form()] = False,
) -> dict[str, Any]:
    """Take in a memory that was exported; it must be of the model that is served."""
    content = await file.read()
    return await asyncio.to_thread(_import, service, owner, content, name, replace)  # it may wait for a lock


@router.get("/{concept}")
def show(concept: str, service: CurrentService, owner: CurrentOwner) -> dict[str, Any]:
    """Show a concept."""
    return describe(find(service.library(owner), concept))


@router.patch("/{concept}")
def rename(concept: str, body: Renaming, service: CurrentService, owner: CurrentOwner) -> dict[str, Any]:
    """Give a concept another name."""
    store = service.library(owner)
    store.rename(find(store, concept).name, body.name)
    return describe(store.get(body.name))


@router.delete("/{concept}", status_code=204, response_class=Response)
def forget(concept: str, service: CurrentService, owner: CurrentOwner) -> Response:
    """Forget a concept for good."""
    store = service.library(owner)
    store.remove(find(store, concept).name)
    return Response(status_code=204)


@router.get("/{concept}/thumbnail", response_class=Response)
def thumbnail_of(concept: str, service: CurrentService, owner: CurrentOwner) -> Response:
    """Give the small picture, if one was asked for when the concept was introduced."""
    memory = find(service.library(owner), concept)
    if memory.thumbnail is None:
        raise UnknownConceptError(f"{memory.name!r} was introduced without a thumbnail")
    return Response(memory.thumbnail, media_type="image/jpeg")


@router.post("/{concept}/heatmap", response_class=Response)
async def heatmap_of(
    concept: str,
    service: CurrentService,
    owner: CurrentOwner,
    image: Annotated[UploadFile, File(description="The photo it was introduced with; photos are not kept.")],
    view: Annotated[int | None, Query(ge=0, description="The first of that photo, if left out.")] = None,
) -> Response:
    """Draw as PNG which parts of a reference photo the memory rests on."""
    memory = find(service.library(owner), concept)
    pictures = await service.pictures.decode(await image.read(), CLIP_VIEWS)
    return Response(await asyncio.to_thread(_drawn, memory, pictures, view), media_type="image/png")


@router.get("/{concept}/export", response_class=Response)
def export(concept: str, service: CurrentService, owner: CurrentOwner) -> Response:
    """Give the memory as a file that another library can import."""
    store = service.library(owner)
    name = find(store, concept).name
    with tempfile.TemporaryDirectory(prefix="ego-export-") as folder:
        store.export(name, Path(folder) / "concept.ego")
        content = (Path(folder) / "concept.ego").read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="{concept_id(name)}.ego"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.post("/{concept}/views", status_code=201)
async def add_view(
    concept: str,
    service: CurrentService,
    owner: CurrentOwner,
    images: Photos,
    keywords: Words = "",
    boxes: Boxes = None,
    masks: Masks = None,
    mask_space: Space = None,
) -> dict[str, Any]:
    """Add photos to a concept."""
    name = find(service.library(owner), concept).name
    regions = await _regions(service, boxes, masks, mask_space)
    more = Concept(name, await _views(service, images, regions), keywords=keywords, regions=regions)
    return describe(await service.add_view(owner, name, more))


@router.delete("/{concept}/views/{view}")
async def remove_view(concept: str, view: int, service: CurrentService, owner: CurrentOwner) -> dict[str, Any]:
    """Take a photo out of a concept; the last one stays."""
    name = find(service.library(owner), concept).name
    return describe(await service.remove_view(owner, name, view))


async def _regions(
    service: Service, boxes: list[str] | None, masks: list[UploadFile] | None, space: Space
) -> list[Region]:
    """Read boxes or masks, one for each photo.

    Raises:
        InputError: If both are given.
    """
    if boxes and masks:
        raise InputError("boxes and masks in one request; give one of them")
    read = [await service.pictures.mask(await file.read()) for file in masks or ()]
    return [Region(mask=mask, space=space) for mask in read] or [Region(box=_box(text)) for text in boxes or ()]


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"box {text[:100]!r} is not four numbers; write left,top,right,bottom in pixels") from error
    return left, top, right, bottom


async def _views(service: Service, images: list[UploadFile], regions: Sequence[Region]) -> list[Any]:
    """Read the photos; of a clip, a few frames. Beside regions they stay files, which know how they are turned."""
    contents = [await file.read() for file in images]
    if regions:
        service.pictures.require_few(contents)
        for content in contents:
            service.pictures.require_small(content)
        return contents
    read = [picture for content in contents for picture in await service.pictures.decode(content, CLIP_VIEWS)]
    service.pictures.require_few(read)
    return read


def _drawn(memory: ConceptMemory, pictures: Sequence[Image.Image], view: int | None) -> bytes:
    """Draw what a memory keeps of a photo, or of the first frame of a clip that it was introduced with."""
    known = {record.image for record in memory.views}
    digests = [picture_digest(picture) for picture in pictures]
    place = next((place for place, digest in enumerate(digests) if digest in known), 0)
    number, content = view_of_photo(memory, digests[place], "this picture", view), io.BytesIO()
    heatmap(memory, pictures[place], view=number).save(content, "PNG")
    return content.getvalue()


def _import(service: Service, owner: str, content: bytes, name: str | None, replace: bool) -> dict[str, Any]:
    service.require_room(owner)
    memory = load(content)
    memory.require(service.backbone.fingerprint)
    store = service.library(owner)
    renamed = memory.renamed(clean_name(name or memory.name))
    store.add(renamed, replace=replace)
    return describe(store.get(renamed.name))
