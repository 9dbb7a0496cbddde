"""A measured table of rivals at several sizes: how the cost of each grows."""

from pydantic import BaseModel, ConfigDict


class Way(BaseModel):
    """One way of doing the work.

    Attributes:
        name: What it is called in tables and plots.
        seconds: Median over the rounds.
        context_tokens: Tokens of one of its prompts.
        extra_peak_mb: Most memory beyond the loaded model, MB; None where it was not or cannot be measured.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    seconds: float
    context_tokens: int
    extra_peak_mb: float | None = None


class Point(BaseModel):
    """All ways at one size.

    Attributes:
        size: Number of concepts, or whatever grows.
        ways: Ego's first.
        same_answers: Whether ways that ask the same model the same thing said the same.
    """

    model_config = ConfigDict(frozen=True)

    size: int
    ways: tuple[Way, ...]
    same_answers: bool

    def seconds(self, name: str) -> float:
        """Median seconds of one way."""
        return self.way(name).seconds

    def way(self, name: str) -> Way:
        """One way."""
        return next(way for way in self.ways if way.name == name)


class Growth(BaseModel):
    """A whole bench.

    Attributes:
        bench: Its name.
        model: What was measured.
        grows: What the size counts.
        points: Smallest size first.
        figures: How ways compare at the largest size; each says what it is.
        rounds: Timed turns.
        environment: Versions, device, threads.
    """

    model_config = ConfigDict(frozen=True)

    bench: str
    model: str
    grows: str
    points: tuple[Point, ...]
    figures: dict[str, float]
    rounds: int
    environment: dict[str, str]
