"""What can go wrong in a service beyond the library's own errors, and the HTTP status of every error of Ego."""

from ego.errors import (
    ContextBudgetError,
    DuplicateConceptError,
    EgoError,
    InputError,
    MemoryFileError,
    SelectionError,
    StoreError,
    UnknownConceptError,
)


class RefusedError(EgoError):
    """The service understands the request and will not do it."""

    status = 400
    code = "refused"


class NoKeyError(RefusedError):
    """The key is missing or unknown."""

    status, code = 401, "invalid_api_key"


class ForbiddenError(RefusedError):
    """The caller may not call from there."""

    status, code = 403, "forbidden"


class UnknownModelError(RefusedError):
    """The model asked for is not the one that is served."""

    status, code = 404, "model_not_found"


class TooLargeError(RefusedError):
    """The request exceeds a limit of size."""

    status, code = 413, "too_large"


class BusyError(RefusedError):
    """Too much is being asked at once; later it would work.

    Args:
        message: What is full.
        retry_after: Seconds after which trying again makes sense.
    """

    status, code = 429, "busy"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CallerLeftError(RefusedError):
    """The caller has hung up; nobody will read this."""

    status, code = 499, "caller_left"


class EngineError(RefusedError):
    """The engine behind the service failed or cannot be reached."""

    status, code = 502, "engine_failed"


class ClosingError(RefusedError):
    """The service is being stopped."""

    status, code = 503, "closing"


class TooSlowError(RefusedError):
    """The answer did not come in time."""

    status, code = 504, "timeout"


_STATUS: tuple[tuple[type[EgoError], int, str], ...] = (
    (UnknownConceptError, 404, "unknown_concept"),
    (DuplicateConceptError, 409, "name_taken"),
    (MemoryFileError, 422, "unusable_memory"),
    (SelectionError, 422, "nothing_selected"),
    (ContextBudgetError, 400, "context_length_exceeded"),
    (InputError, 400, "invalid_input"),
    (StoreError, 503, "library_unavailable"),
)


def status_of(error: EgoError) -> tuple[int, str]:
    """Give the HTTP status and a word for a program."""
    if isinstance(error, RefusedError):
        return error.status, error.code
    return next(((status, code) for kind, status, code in _STATUS if isinstance(error, kind)), (500, "failed"))
