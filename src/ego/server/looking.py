"""/v1/recognize, /v1/where and /v1/caption: an uploaded image or clip, and the owner's concepts."""

import io
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from ego.footage import QueryImage
from ego.heat_picture import draw_heat
from ego.pointing import Pointing
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
    present = [one["name"] for one in found if one["present"]]
    if where and present:
        places = await while_there(request, service.where(owner, source, present))
        found = [one | {"where": _places(places.get(one["name"], ()))} for one in found]
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
    content = io.BytesIO()
    drawn = draw_heat(picture, place.boxes, place.heat, outlined=[place.box], title=f"Where the model looks for {name}")
    drawn.save(content, "PNG")
    return Response(content.getvalue(), media_type="image/png")


@router.post("/caption")
async def caption(
    request: Request, service: CurrentService, owner: CurrentOwner, image: Upload, names: Names = None
) -> dict[str, Any]:
    """Describe an image or clip in one sentence, with the names of the concepts in it."""
    wanted = names_of(request, names)
    source = await readable(service, await image.read())
    return await while_there(request, service.caption(owner, source, wanted))


def _places(pointings: Sequence[Pointing]) -> list[dict[str, Any]]:
    """Give a box and the hottest point for each picture or frame, as fractions of its sides."""
    return [{"box": place.box, "peak": place.peak} for place in pointings]


async def readable(service: Service, content: bytes) -> QueryImage:
    """Give an image as a picture; a clip as it is, so that the seconds of its frames are known."""
    return content if is_clip(content) else (await service.pictures.decode(content))[0]
