"""Look at a vLLM server before it is used; every known misconfiguration has a message that says what to do."""

import json
import logging
import re
from typing import Any

import httpx2

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.errors import BackboneError
from ego.prompt import Picture
from ego.server.engines.probing import no_thought, sample
from ego.server.engines.vllm.parts import RESERVED, ChatParts
from ego.server.engines.vllm.replicas import Replica, Replicas

_log = logging.getLogger(__name__)
_PROCESSOR_KEYS = ("crop_to_patches", "min_patches", "max_patches", "do_image_splitting", "do_pan_and_scan")
OLDEST = (0, 24, 0)
"""The first release in which prompt embeddings cannot crash models with M-RoPE (GHSA-33cg-gxv8-3p8g)."""
TOLERANCE = 1.0  # nats: how much less likely the server's first token may be here than the likeliest
ADVICE = (
    (r"enable-prompt-embeds", "it was started without --enable-prompt-embeds; start it with that flag"),
    (
        r"hidden size|hidden_size|expected.*dim|shape|size mismatch",
        "it does not take rows of this model's width; serve the model that this service has loaded",
    ),
    (
        r"context length|max_model_len|maximum model length",
        "its --max-model-len is too short; give it at least the memories' budget and a picture",
    ),
)
NO_SPARE_ID = re.compile(r"out of vocabulary", re.IGNORECASE)


class UnfitError(BackboneError):
    """A vLLM server cannot be used as it is; the message says why and what to do."""


async def examine(replicas: Replicas, replica: Replica, backbone: HuggingFaceBackbone) -> None:
    """Find out whether a server can answer for this model, and how pictures travel to it.

    Raises:
        UnfitError: If it cannot.
        httpx2.HTTPError: If it cannot be reached.
    """
    if backbone.card.has_deepstack:  # a request would end the server's engine
        raise UnfitError(
            f"vLLM cannot take memories of {backbone.card.model_id} beside a picture: its tokens have DeepStack "
            "levels; use the engine in the process"
        )
    if thinking := no_thought(backbone):
        raise UnfitError(thinking)
    await _require_version(replicas, replica)
    replica.model = await _model_name(replicas, replica)
    replica.pixels = await _takes_pixels(replicas, replica, backbone)
    replica.trouble = ""


async def _require_version(replicas: Replicas, replica: Replica) -> None:
    response = await replicas.http.get(f"{replica.url}/version")
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", str(_document(response).get("version", "")))
    if found is None:
        raise UnfitError("it does not say its version; give the address of a vLLM server, without /v1")
    if tuple(map(int, found.groups())) < OLDEST:
        least = ".".join(map(str, OLDEST))
        raise UnfitError(
            f"it is vLLM {found[0]}, in which memories can crash the server (GHSA-33cg-gxv8-3p8g); upgrade to {least} "
            "or newer"
        )


async def _model_name(replicas: Replicas, replica: Replica) -> str:
    response = await replicas.http.get(f"{replica.url}/v1/models")
    if response.status_code in (401, 403):
        raise UnfitError("it wants a key; give it in EGO_VLLM_KEY")
    models = _document(response).get("data", [])
    if not models:
        raise UnfitError("it serves no model")
    return str(models[0]["id"])


async def _takes_pixels(replicas: Replicas, replica: Replica, backbone: HuggingFaceBackbone) -> bool:
    """Try a row beside pixels; a model with one axis of positions can do without pixels."""
    answer = await _try(replicas, replica, ChatParts(backbone, pixels=True))
    obstacle = _obstacle(answer, backbone)
    if not obstacle:
        _require_same(answer, backbone)
        return True
    if backbone.has_axes:  # rows of a picture would lose their places on its grid
        raise UnfitError(obstacle)
    _log.info("%s reads pictures as rows: %s", replica.url, obstacle)
    _require_same(await _try(replicas, replica, ChatParts(backbone, pixels=False)), backbone)
    return False


def _obstacle(answer: dict[str, Any], backbone: HuggingFaceBackbone) -> str:
    """Say what keeps pixels from being sent beside a memory, where rows would do."""
    if NO_SPARE_ID.search(_error_of(answer)):
        return (
            f"its vocabulary has no row left for {RESERVED}; start it with --tokenizer FOLDER, a copy of the model's "
            f"tokenizer files and config.json in which a special token that nobody uses is renamed {RESERVED}"
        )
    if not _error_of(answer) and len(_read(answer)) != backbone.count_tokens(sample(backbone)[0]):
        settings = json.dumps(processor_settings(backbone))
        return (
            f"it cuts pictures into other tokens than the model here; start it with --mm-processor-kwargs '{settings}'"
        )
    if re.search(r"At most \d+ image", _error_of(answer)):
        return "it takes no images; start it with --limit-mm-per-prompt '{\"image\": 16}'"
    return ""


def processor_settings(backbone: HuggingFaceBackbone) -> dict[str, Any]:
    """Give the settings of the image processor with which a server sees as many tokens as the model here."""
    processor = backbone.preparation.processor
    chosen = {key: getattr(processor, key) for key in _PROCESSOR_KEYS if getattr(processor, key, None) is not None}
    size = dict(processor.size or {})
    if "longest_edge" in size and "shortest_edge" in size:  # pixels of a whole picture, in Qwen's way of speaking
        chosen["size"] = {key: size[key] for key in ("shortest_edge", "longest_edge")}
    return chosen


async def _try(replicas: Replicas, replica: Replica, parts: ChatParts) -> dict[str, Any]:
    prompt, image = sample(parts.backbone)
    body = {
        "model": replica.model,
        "messages": parts.messages(
            prompt, {id(part.tokens): image for part in prompt.parts if isinstance(part, Picture)}
        ),
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    return _document(await replicas.http.post(f"{replica.url}/v1/chat/completions", json=body))


def _require_same(answer: dict[str, Any], backbone: HuggingFaceBackbone) -> None:
    """Compare what the server read and said with the model here."""
    problem = _error_of(answer)
    if problem:
        advice = next((text for pattern, text in ADVICE if re.search(pattern, problem, re.IGNORECASE)), "")
        raise UnfitError(advice or f"it refuses a picture with a memory: {problem[:300]}")
    prompt, _ = sample(backbone)
    chat, read = backbone.chat.tokenize(prompt), _read(answer)
    if len(read) != len(chat.ids):
        raise UnfitError(
            f"it reads a prompt of {len(read)} tokens where the model here reads {len(chat.ids)}: its chat template "
            "differs; serve the same checkpoint, without --chat-template"
        )
    visual = {place for placed in chat.visuals for place in placed.positions.tolist()}
    words = [place for place in range(len(read)) if place not in visual]
    if any(read[place] != chat.ids[place] for place in words):
        raise UnfitError("it lays the prompt out in other words than the model here; serve the same checkpoint")
    said = int(str(answer["choices"][0]["logprobs"]["content"][0]["token"]).removeprefix("token_id:"))
    here = backbone.next_token_logits([prompt])[0].log_softmax(-1)
    if float(here.max() - here[said]) > TOLERANCE:
        raise UnfitError(
            "it answers otherwise than the model here: its weights are not the same; serve the same checkpoint"
        )


def _read(answer: dict[str, Any]) -> list[int]:
    """Give the ids of the tokens that the server read."""
    return answer.get("prompt_token_ids") or answer["choices"][0].get("prompt_token_ids") or []


def _error_of(answer: dict[str, Any]) -> str:
    error = answer.get("error") or (answer if answer.get("object") == "error" else None)
    return str(error.get("message", error)) if isinstance(error, dict) else str(error or "")


def _document(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = {"error": {"message": f"status {response.status_code}: {response.text[:200]}"}}
    return found if isinstance(found, dict) else {"error": {"message": str(found)[:200]}}
