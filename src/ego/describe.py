"""One pass over a reference image: encode once, prefill once, ask for its description and for the area it covers.

The keyword rows of attention are recorded while the description is generated; there is no second pass.
"""

from dataclasses import dataclass

from PIL import Image

from ego.backbones.base import Backbone, Generation, Record
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
    if not config.dynamic_size:
        return Description(tokens, words, area=None)
    question = introduction_prompt(tokens, AREA)
    return Description(tokens, words, backbone.generate(question, prefix=prefix, max_new_tokens=config.area_tokens))
