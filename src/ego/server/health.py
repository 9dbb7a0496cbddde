"""Is it alive, is it ready, and what has it counted."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ego.server.calling import CurrentService

router = APIRouter(tags=["Operation"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "ok"}


@router.get("/favicon.ico", status_code=204, response_class=Response, include_in_schema=False)
def favicon() -> None:
    """Say that there is no icon: browsers ask for one without a key, and take a refusal for a fault."""


@router.get("/readyz", response_model=None, responses={503: {"description": "Not ready"}})
async def readyz(service: CurrentService) -> Response:
    """Say whether questions would be answered now."""
    trouble = await service.trouble()
    if trouble:
        return JSONResponse({"status": "not ready", "reason": trouble}, 503)
    return JSONResponse({"status": "ready", "model": service.model_name, "engine": service.engine.name})


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(service: CurrentService) -> PlainTextResponse:
    """Give Prometheus what it counts."""
    return PlainTextResponse(service.metrics.text(), media_type="text/plain; version=0.0.4")
