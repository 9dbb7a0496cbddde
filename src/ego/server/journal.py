"""Structured log of requests: one JSON document a line; never a word, a name, a key or a pixel of anyone."""

import json
import logging
import time
from typing import Any

access = logging.getLogger("ego.server.access")


class JsonLines(logging.Formatter):
    """Format every record as one JSON document."""

    def format(self, record: logging.LogRecord) -> str:
        """Put time, level and message, or the fields of an access record, into a line."""
        fields = getattr(record, "fields", None) or {"message": record.getMessage()}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        document: dict[str, Any] = {"time": f"{stamp}Z", "level": record.levelname.lower(), "logger": record.name}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document | fields)


def log_request(**fields: Any) -> None:
    """Write down a request: its route (not its path, which may hold a name), status and duration."""
    access.info("request", extra={"fields": fields})


def configure(level: int = logging.INFO) -> None:
    """Send the log of the service to stderr as JSON lines; for the program, never for the library."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ego").setLevel(level)
    logging.getLogger("uvicorn").setLevel(level)
