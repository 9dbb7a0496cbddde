"""One pass over a reference image: encode once, prefill once, ask for its description and for the area it covers.

The keyword rows of attention are recorded while the description is generated; there is no second pass.
"""

from dataclasses import dataclass

from PIL import Image

from ego.backbones.base import Backbone, Generation, Prefix, Record
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
