"""Prometheus metrics of one service, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """What the service counts; no label holds a name or an owner."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("ego_requests", "Requests", ["route", "status"], registry=own)
        self.seconds = Histogram("ego_request_seconds", "Their duration", ["route"], buckets=SECONDS, registry=own)
        self.waiting = Gauge("ego_waiting", "Requests that wait for the model", registry=own)
        self.prompt_tokens = Counter("ego_prompt_tokens", "Tokens read", registry=own)
        self.cached_tokens = Counter("ego_cached_tokens", "Tokens that the engine had in its cache", registry=own)
        self.answer_tokens = Counter("ego_answer_tokens", "Tokens said", registry=own)
        self.used = Counter("ego_concepts_used", "Concepts put into prompts", registry=own)
        self.dropped = Counter("ego_concepts_dropped", "Concepts the filter left out", registry=own)
        self.batch = Histogram("ego_batch", "Pieces of work done together", buckets=(1, 2, 4, 8), registry=own)

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self.registry)
