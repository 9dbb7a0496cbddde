"""Paths that no system takes, handed to the Python functions: one clear error, nothing made."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ego.backbones import load_backbone
from ego.bulk.introductions import _content
from ego.bulk.manifest import read_concepts
from ego.client.remote import connect
from ego.client.uploads import content_of
from ego.corrections import Corrections
from ego.errors import BackboneError, ConfigError, EgoError, ImageError, InputError, StoreError
from ego.library.catalogue import Catalogue
from ego.media import read_image
from ego.media.masks import read_mask
from ego.memory_file import load
from ego.store import ConceptStore
from ego.video import read_frames
from tests.examples_of_memories import memory_of

ODD = ["a\0b", "\0", "x" * 5000]
ENTRANCES: dict[str, Callable[[Any, Any], object]] = {
    "a store": lambda odd, stores: ConceptStore(odd).add(memory_of("Rex")),
    "a catalogue": lambda odd, stores: Catalogue(odd).add(memory_of("Rex")),
    "corrections": lambda odd, stores: Corrections(odd).undo(),
    "an export": lambda odd, stores: stores.folder.export("Bo", odd),
    "an export of a catalogue": lambda odd, stores: stores.file.export("Bo", odd),
    "all of a catalogue": lambda odd, stores: stores.file.export_all(odd),
    "an import": lambda odd, stores: stores.folder.import_file(odd),
    "a name": lambda odd, stores: stores.folder.get(odd),
    "another name": lambda odd, stores: stores.folder.rename("Bo", odd),
    "a memory": lambda odd, stores: load(odd),
    "a photo": lambda odd, stores: read_image(odd),
    "a video": lambda odd, stores: read_frames(odd, 2),
    "a mask": lambda odd, stores: read_mask(odd),
    "a manifest": lambda odd, stores: read_concepts(Path(odd)),
    "a photo for a service": lambda odd, stores: content_of(odd),
    "a model": lambda odd, stores: load_backbone(odd),
}


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.chdir(tmp_path)
    both = SimpleNamespace(folder=ConceptStore("library"), file=Catalogue("catalogue"))
    both.folder.add(memory_of("Bo"))
    both.file.add(memory_of("Bo"))
    return both


@pytest.mark.parametrize("odd", ODD, ids=["nul inside", "nul alone", "too long"])
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_path_that_no_system_takes_is_one_clear_error(entrance: str, odd: str, stores: SimpleNamespace) -> None:
    before = sorted(Path().iterdir())
    with pytest.raises(EgoError) as caught:
        ENTRANCES[entrance](odd, stores)
    assert isinstance(caught.value, (InputError, StoreError, BackboneError))
    assert "\n" not in str(caught.value)
    assert sorted(Path().iterdir()) == before
    assert stores.folder.names() == stores.file.names() == ("Bo",)


@pytest.mark.parametrize("address", ["a\0b", "\udcff", "http://[::", "http://a\x1b"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a service; give one such as http"):
        connect(address)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_not_waited_for_wherever_their_names_come_from(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="not a regular file"):
        content_of(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        read_concepts(tmp_path / "pipe")
    assert _content(tmp_path / "pipe") == str(tmp_path / "pipe")  # whoever looks at it says what is wrong
    os.mkfifo(tmp_path / "corrections.json")
    with pytest.raises(StoreError, match="not a regular file"):
        Corrections(tmp_path).all()
