"""Entries of COCO JSON, validated one by one; unknown keys are passed over."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ego.evaluation.datasets.entries import MaybeWords, Words, in_words
from ego.limits import PIXELS


def _identifier(value: Any) -> str:
    """Spell ids alike: 7, 7.0 and "7" are one."""
    return in_words(int(value) if isinstance(value, float) and value.is_integer() else value)


Identifier: TypeAlias = Annotated[str, BeforeValidator(_identifier), Field(min_length=1)]
Side: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CocoCategory(_Entry):
    """A kind of object."""

    id: Identifier
    name: MaybeWords = ""


class CocoImage(_Entry):
    """An image file; its size where the file says it."""

    id: Identifier
    file_name: Words
    width: Side | None = None
    height: Side | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height."""
        return None if self.width is None or self.height is None else (self.width, self.height)

    @model_validator(mode="after")
    def _bounded(self) -> "CocoImage":
        if self.size is not None and self.size[0] * self.size[1] > PIXELS:
            raise ValueError(f"has {self.size[0]}x{self.size[1]} pixels; at most {PIXELS:,} are read")
        return self


class CocoObject(_Entry):
    """An object in an image.

    Attributes:
        id: For messages.
        image_id: Its image.
        category_id: Its kind; empty if nobody said.
        segmentation: Polygons or RLE, not yet read; None where there is only a box.
        area: Pixels; None if nobody said.
        iscrowd: Whether it is several objects under one mask.
    """

    id: Annotated[str, BeforeValidator(_identifier)] = ""
    image_id: Identifier
    category_id: Annotated[str, BeforeValidator(lambda value: "" if value is None else _identifier(value))] = ""
    segmentation: Any = None
    area: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    iscrowd: Annotated[bool, BeforeValidator(lambda value: value or False)] = False
