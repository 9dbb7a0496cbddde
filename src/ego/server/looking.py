"""/v1/recognize and /v1/caption: an uploaded image or clip, and the owner's concepts."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile

from ego.scene import QueryImage
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
    async with readable(service, await image.read()) as source:
        found = await while_there(request, service.recognize(owner, source, wanted, threshold))
    return {"object": "recognition", "data": found}


@router.post("/caption")
async def caption(
    request: Request, service: CurrentService, owner: CurrentOwner, image: Upload, names: Names = None
) -> dict[str, Any]:
    """Describe an image or clip in one sentence, with the names of the concepts in it."""
    wanted = names_of(request, names)
    async with readable(service, await image.read()) as source:
        return await while_there(request, service.caption(owner, source, wanted))


@asynccontextmanager
async def readable(service: Service, content: bytes) -> AsyncIterator[QueryImage]:
    """Give an image as a picture, and a clip as a file for as long as it is looked at."""
    if not is_clip(content):
        yield (await service.pictures.decode(content))[0]
        return
    with tempfile.TemporaryDirectory(prefix="ego-clip-") as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(content)
        yield path
