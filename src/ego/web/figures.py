"""Pictures with what is said below them -> HTML that fits any width; the pictures are inside, so nothing is served."""

import base64
from collections.abc import Iterable
from html import escape
from io import BytesIO

from PIL import Image

from ego.web.actions import Pictured

MOST = 24  # pictures; of a thing with more photos the first are shown
SIDE = 768  # pixels of the longest side


def figures(pictures: Iterable[Pictured]) -> str:
    """Write pictures as HTML figures, side by side where there is room."""
    shown = [_figure(picture, said) for picture, said in list(pictures)[:MOST]]
    return f'<div class="kept">{"".join(shown)}</div>' if shown else ""


def _figure(picture: Image.Image, said: str) -> str:
    small, blob = picture.copy(), BytesIO()
    small.thumbnail((SIDE, SIDE))
    small.save(blob, "WEBP", quality=85)
    data = base64.b64encode(blob.getvalue()).decode()
    size = f'width="{small.width}" height="{small.height}"'
    text = escape(said)
    return f'<figure><img {size} alt="" src="data:image/webp;base64,{data}"><figcaption>{text}</figcaption></figure>'
