"""/v1/recognize and /v1/caption: an uploaded image or clip, and the owner's concepts."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile

from ego.footage import QueryImage
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
) -> dict[str, Any]:
    """Say for every concept whether it is there, how sure that is, and in a clip when."""
    wanted = names_of(request, names)
    source = await readable(service, await image.read())
    found = await while_there(request, service.recognize(owner, source, wanted, threshold))
    return {"object": "recognition", "data": found}


@router.post("/caption")
async def caption(
    request: Request, service: CurrentService, owner: CurrentOwner, image: Upload, names: Names = None
) -> dict[str, Any]:
    """Describe an image or clip in one sentence, with the names of the concepts in it."""
    wanted = names_of(request, names)
    source = await readable(service, await image.read())
    return await while_there(request, service.caption(owner, source, wanted))


async def readable(service: Service, content: bytes) -> QueryImage:
    """Give an image as a picture; a clip as it is, so that the seconds of its frames are known."""
    return content if is_clip(content) else (await service.pictures.decode(content))[0]
