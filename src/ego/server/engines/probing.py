"""What every engine beside this process is tried with before it is used."""

import torch
from PIL import Image

from ego.backbones.chat_format import PROBE_IMAGE
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import Picture, Prompt, SoftTokens, Text, Turn

QUESTION = "What is this?"


def sample(backbone: HuggingFaceBackbone) -> tuple[Prompt, Image.Image]:
    """Make a conversation with a row, and with a picture after words and before them; always the same."""
    image = Image.linear_gradient("L").resize(PROBE_IMAGE).convert("RGB")
    tokens = backbone.encode_image(image)
    row = SoftTokens(tokens.select(torch.tensor([0])))
    picture = Picture(tokens)
    first = Turn("user", (Text("A memory: "), row, Text(" A picture: "), picture, Text(QUESTION)))
    return Prompt((first, Turn("assistant", (Text("A thing."),)), Turn("user", (picture, Text(QUESTION))))), image


def no_thought(backbone: HuggingFaceBackbone) -> str:
    """Say what keeps an engine from answering for a model that thinks; empty where it does not think."""
    if backbone.thought is None:
        return ""
    return (
        f"{backbone.card.model_id} thinks before every answer, and only the engine in the process reads answers "
        "behind a thought; use that, or a model that answers without thinking"
    )
