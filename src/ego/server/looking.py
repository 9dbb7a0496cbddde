"""/v1/recognize, /v1/where, /v1/pointings and /v1/caption: an uploaded image or clip, and the owner's concepts."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from ego.footage import QueryImage
from ego.heat_picture import draw_heat
from ego.results import Place, Recognition
from ego.server.calling import CurrentOwner, CurrentService, names_of, while_there
from ego.server.pictures import is_clip
from ego.server.service import Service

router = APIRouter(prefix="/v1", tags=["Looking"])
Upload = Annotated[UploadFile, File(description="An image or a clip.")]
Names = Annotated[list[str] | None, Form(description="Only these concepts; repeatable.")]


@router.post("/recognize")
async def recognize(
    request: Request,
    service: CurrentService,
    owner: CurrentOwner,
    image: Upload,
    names: Names = None,
    threshold: Annotated[float | None, Form(ge=0, le=1)] = None,
    where: Annotated[bool, Form(description="Add to those who are there where the model saw them.")] = False,
) -> dict[str, Any]:
    """Say for every concept whether it is there, how sure that is, in a clip when, and if asked where."""
    wanted = names_of(request, names)
    source = await readable(service, await image.read())
    found = await while_there(request, service.recognize(owner, source, wanted, threshold))
    if where:
        seen = [Recognition(**one) for one in found]
        places = await while_there(request, service.places(owner, source, seen))
        found = [one | _where(places[one["name"]]) if one["present"] else one for one in found]
    return {"object": "recognition", "data": found}


@router.post("/where", response_class=Response)
async def where(
    request: Request,
    service: CurrentService,
    owner: CurrentOwner,
    image: Annotated[UploadFile, File(description="An image.")],
    name: Annotated[str, Form(description="The concept.")],
) -> Response:
    """Draw as PNG where in an image the model looks for a concept, with a box; it looks for absent ones, too."""
    (picture, *_) = await service.pictures.decode(await image.read(), 1)
    places = await while_there(request, service.where(owner, picture, [name]))
    ((name, (place, *_)),) = places.items()
    there, content = place.pointing, io.BytesIO()
    drawn = draw_heat(picture, there.boxes, there.heat, outlined=[there.box], title=f"Where the model looks for {name}")
    drawn.save(content, "PNG")
    return Response(content.getvalue(), media_type="image/png")


@router.post("/pointings")
async def pointings(
    request: Request, service: CurrentService, owner: CurrentOwner, image: Upload, names: Names = None
) -> dict[str, Any]:
    """Say where in an image or clip the model looks for concepts, absent ones too: the heat of each of its tokens.

    One entry for each concept in every picture or frame: `box` around the warm tokens (left, top, right, bottom),
    `peak` of the hottest (x, y) and `boxes` of all tokens, as fractions of the picture's sides; their `heat`, the
    hottest is 1; the `seconds` at which a frame is shown.
    """
    wanted = names_of(request, names)
    source = await readable(service, await image.read())
    found = await while_there(request, service.where(owner, source, wanted))
    told = [asdict(place.pointing) | {"seconds": place.seconds} for places in found.values() for place in places]
    return {"object": "pointings", "data": told}


@router.post("/caption")
async def caption(
    request: Request, service: CurrentService, owner: CurrentOwner, image: Upload, names: Names = None
) -> dict[str, Any]:
    """Describe an image or clip in a sentence or a few, with the names of the concepts in it."""
    wanted = names_of(request, names)
    source = await readable(service, await image.read())
    return await while_there(request, service.caption(owner, source, wanted))


def _where(places: Sequence[Place]) -> dict[str, Any]:
    """Give a box and the hottest point for each picture or frame, as fractions of its sides."""
    told = [{"box": one.pointing.box, "peak": one.pointing.peak, "seconds": one.seconds} for one in places]
    return {"where": told}


async def readable(service: Service, content: bytes) -> QueryImage:
    """Give an image as a picture; a clip or an animation as it is, so that the seconds of its frames are known."""
    if is_clip(content):
        return content
    pictures = await service.pictures.decode(content)
    return pictures[0] if len(pictures) == 1 else content
