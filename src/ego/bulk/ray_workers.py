"""Workers on Ray: one actor per device, each with a model of its own. The only module that imports Ray.

A fresh actor takes the place of a lost one; what it was doing comes back as lost, and `run_bulk` hands it out anew.
"""

import importlib.util
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ego.bulk.jobs import Batch, Finished, Outcome, Work, WorkFactory, done
from ego.errors import BackboneError, ConfigError, EgoError

_LOCAL = "local"
_KNOCK_SECONDS = 5.0


@contextmanager
def ray_session(address: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """Give the module `ray`, connected.

    Args:
        address: Of a cluster; None starts Ray on this machine and stops it afterwards.
        workers: How many workers there will be, for a Ray of this machine.

    Raises:
        ConfigError: If Ray is not installed, or there is nothing at the address.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("Ray is not installed; pip install 'ego-vlm[distributed]', or leave --ray out")
    if address:
        _require_reachable(address)
    ray: Any = import_module("ray")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ours = not ray.is_initialized()
    if ours:
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address:
                ray.init(address=address, **quiet)
            else:
                ray.init(address=_LOCAL, num_cpus=workers, include_dashboard=False, **quiet)
        except Exception as error:  # Ray raises plain ones, too
            raise ConfigError(_no_ray(address, error)) from error
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _no_ray(address: str | None, error: Exception) -> str:
    if address:
        return f"no Ray at {address} ({error}); check the address"
    return f"Ray does not start on this machine ({error}); try again when it has less to do, or leave --ray out"


def _require_reachable(address: str) -> None:
    """Knock first: Ray itself waits for minutes, and ends the process when nobody answers."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # "auto" and the like
        return
    try:
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"no Ray at {address} ({error}); check the address") from error


class RayWorkers:
    """Actors that do batches.

    Args:
        ray: The module, connected; see `ray_session`.
        factory: Makes a worker ready; runs in every actor.
        workers: How many; None takes one per GPU of the cluster, or one per core where there is none.
        gpus: GPUs of each; None takes one where there are any.
    """

    def __init__(self, ray: Any, factory: WorkFactory, workers: int | None = None, gpus: float | None = None) -> None:
        self._ray = ray
        there = ray.cluster_resources()
        gpus = (1.0 if there.get("GPU") else 0.0) if gpus is None else gpus
        count = workers or int(there["GPU"] / gpus if gpus else there.get("CPU", 1))
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(_Actor)
        self._actor: Callable[[], Any] = lambda: remote.remote(factory)
        self._free = [self._actor() for _ in range(count)]
        self._under_way: dict[Any, tuple[Batch, Any]] = {}
        self.places = count

    def submit(self, batch: Batch) -> None:
        """Give the batch to a free actor."""
        actor = self._free.pop(0)
        self._under_way[actor.run.remote(batch)] = batch, actor

    def finished(self) -> Finished:
        """Wait for the next actor that is done or lost."""
        (reference,), _ = self._ray.wait(list(self._under_way), num_returns=1)
        batch, actor = self._under_way.pop(reference)
        try:
            outcomes: tuple[Outcome, ...] = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._free.append(self._actor())
            return Finished(batch, None, reason=type(error).__name__)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, EgoError):  # of the model, not of a job
                raise error.cause from error
            raise BackboneError(f"a worker failed: {error.cause!r}") from error
        self._free.append(actor)
        return Finished(batch, outcomes)


class _Actor:
    """Holds one worker."""

    def __init__(self, factory: WorkFactory) -> None:
        self._factory = factory
        self._work: Work | None = None

    def run(self, batch: Batch) -> tuple[Outcome, ...]:
        self._work = self._work or self._factory()  # here and not before: its errors then come back as errors
        return done(self._work, batch)
