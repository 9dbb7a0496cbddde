"""Several pictures of one command: each is answered as it comes; one that cannot be used costs the others nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ego.cli.output import Output
from ego.cli.paths import problem_with
from ego.errors import ImageError, VideoError

Model = TypeVar("Model")


@dataclass(frozen=True)
class Ended:
    """How it went.

    Attributes:
        failed: Pictures that could not be used.
        exit_code: That of the last of them; 0 if there was none.
    """

    failed: int
    exit_code: int


def each_picture(
    images: Sequence[Path],
    output: Output,
    open_model: Callable[[], Model],
    answer: Callable[[Model, Path], dict[str, Any]],
) -> Ended:
    """Answer picture after picture; under --json a line for each, at once.

    Args:
        images: What is looked at.
        output: Where it is said.
        open_model: Called once, and only if there is a picture that can be opened.
        answer: Says to people what comes of a picture, and gives it as a document.
    """
    problems = {image: problem_with(image) for image in images}
    model = None if all(problems.values()) else open_model()
    failed = code = 0
    for image in images:
        try:
            if (problem := problems[image]) or model is None:
                raise problem or ImageError(f"{image} was not looked at")
            document = answer(model, image)
        except (ImageError, VideoError) as error:
            document = {"error": str(error)}
            output.warn(error)
            failed, code = failed + 1, error.exit_code
        output.result({"image": str(image), **document})
    return Ended(failed, code)
