"""The embedded model behind a real service, shared by the tests of a file."""

from collections.abc import Iterator

import pytest

from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.server.keys import KeyRing
from tests.server.running import Running, introduce, running


@pytest.fixture(scope="session")
def mini() -> Backbone:
    return load_backbone("mini", self_check=False)


@pytest.fixture(scope="module")
def served(mini: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service for one user, who has introduced Bo."""
    with running(mini, tmp_path_factory.mktemp("library")) as service:
        with service.client() as client:
            assert introduce(client, "Bo", thumbnail="true", category="dog").status_code == 201
        yield service


@pytest.fixture(scope="module")
def two_owners(mini: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str, str]]:
    """A service with keys of Anna and Ben; Anna has introduced Bo."""
    folder = tmp_path_factory.mktemp("owners")
    ring = KeyRing(folder / "keys.jsonl")
    anna, ben = ring.add("Anna"), ring.add("Ben")
    with running(mini, folder / "libraries", keys=folder / "keys.jsonl") as service:
        with service.client(anna) as client:
            assert introduce(client, "Bo").status_code == 201
        yield service, anna, ben
