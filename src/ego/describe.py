"""One pass over a reference image: encode once, prefill once, ask for its description and for the area it covers.

The keyword rows of attention are recorded while the description is generated; there is no second pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

from PIL import Image

from ego.backbones.base import Backbone, Generation, Prefix, Record, Request
from ego.config import EgoConfig
from ego.prompt import AREA, DESCRIBE, introduction_prompt
from ego.visual_tokens import VisualTokens


@dataclass(frozen=True, eq=False)
class Description:
    """What the model said about a reference image.

    Attributes:
        tokens: Every visual token of the image.
        words: The description, with its attention rows.
        area: The answer to the area question; None when not asked.
    """

    tokens: VisualTokens
    words: Generation
    area: Generation | None


def describe(
    backbone: Backbone, image: Image.Image, config: EgoConfig, *, layers: tuple[int, ...], keywords: str = ""
) -> Description:
    """Ask the model about the subject of a reference image.

    Args:
        backbone: The model.
        image: Upright RGB image.
        config: Lengths of the answers; whether the area is needed.
        layers: Decoder layers whose attention is recorded.
        keywords: The user's words; they are read in place of a generated description.
    """
    tokens = backbone.encode_image(image)
    prompt = introduction_prompt(tokens, DESCRIBE)
    prefix = backbone.prefill(prompt, parts=1)
    words = backbone.generate(
        prompt,
        prefix=prefix,
        max_new_tokens=config.description_tokens,
        record=Record(layers=layers, part=0),
        forced_text=keywords or None,
    )
    area = ask_area(backbone, tokens, config, prefix=prefix) if config.dynamic_size else None
    return Description(tokens, words, area)


def describe_all(
    backbone: Backbone, images: Sequence[Image.Image], config: EgoConfig, *, layers: tuple[int, ...]
) -> tuple[Description, ...]:
    """Ask the model about the subjects of several reference images, of those that are alike in the same passes.

    Args:
        backbone: The model.
        images: Upright RGB images.
        config: Lengths of the answers; whether the area is needed.
        layers: Decoder layers whose attention is recorded.
    """
    tokens, record = backbone.encode_together(images), Record(layers=layers, part=0)
    asked = [introduction_prompt(one, DESCRIBE) for one in tokens]
    prefixes = backbone.prefill_together(asked, parts=1)
    described = [Request(*one, record=record) for one in zip(asked, repeat(config.description_tokens), prefixes)]
    words = _answers(backbone, described)
    if not config.dynamic_size:
        return tuple(Description(*one, None) for one in zip(tokens, words, strict=True))
    sizes = [introduction_prompt(one, AREA) for one in tokens]
    areas = _answers(backbone, [Request(*one) for one in zip(sizes, repeat(config.area_tokens), prefixes)])
    return tuple(Description(*one) for one in zip(tokens, words, areas, strict=True))


def _answers(backbone: Backbone, requests: Sequence[Request]) -> list[Generation]:
    """Answer together; the first that cannot be answered ends all."""
    found = dict(backbone.generate_together(requests))
    answers: list[Generation] = []
    for number in range(len(requests)):
        answer = found[number]
        if isinstance(answer, Exception):
            raise answer
        answers.append(answer)
    return answers


def ask_area(
    backbone: Backbone, tokens: VisualTokens, config: EgoConfig, *, prefix: Prefix | None = None
) -> Generation:
    """Ask how much of a reference image its subject covers.

    Args:
        backbone: The model.
        tokens: Every visual token of the image.
        config: Length of the answer.
        prefix: The image, prefilled for another question about it.
    """
    question = introduction_prompt(tokens, AREA)
    return backbone.generate(question, prefix=prefix, max_new_tokens=config.area_tokens)
