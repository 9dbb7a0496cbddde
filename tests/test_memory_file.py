"""The memory file: a golden file, its specification's own reader, and every way a file can be wrong."""

import hashlib
import json
import os
import random
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from ego import memory_file
from ego.errors import ConfigError, DamagedMemoryError, InputError, MemoryFileError
from ego.memory import ConceptMemory
from ego.memory_file import dump, load
from ego.visual_tokens import VisualTokens
from tests.examples_of_memories import FINGERPRINT, RECORD, memory_of

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "memory-v1.ego"
COMPACT = ROOT / "tests" / "golden" / "memory-v2.ego"


def golden_memory() -> ConceptMemory:
    """A memory with everything a file can hold; numbers that bfloat16 holds exactly."""
    tokens = VisualTokens(
        rows=torch.tensor([[0.5, -1.0, 2.0], [3.0, 0.0, -0.25]]),
        deepstack=torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]),
        boxes=torch.tensor([[0.5, 0.0, 1.0, 0.5], [0.5, 0.5, 1.0, 1.0]]),
        view=torch.tensor([0, 1]),
        spatial=torch.tensor([True, False]),
        grid_position=torch.tensor([[0, 1], [1, 1]]),
        grid=(2, 2),
    )
    return ConceptMemory(
        name="Zoë 🐕",
        category="dog",
        notes='likes "tea"\nand toast',
        tokens=tokens,
        views=(RECORD,),
        fingerprint=FINGERPRINT.model_copy(update={"dim": 3}),
        created="2026-01-01T00:00:00+00:00",
        thumbnail=b"\xff\xd8 stands for a picture \xff\xd9",
    )


def same(one: ConceptMemory, other: ConceptMemory) -> bool:
    """Compare all there is, number formats included."""
    fields = ("rows", "deepstack", "boxes", "view", "spatial", "grid_position")
    pairs = [(getattr(one.tokens, field), getattr(other.tokens, field)) for field in fields]
    return (
        all(a is b is None or (a.dtype == b.dtype and torch.equal(a, b)) for a, b in pairs)
        and one.tokens.grid == other.tokens.grid
        and vars(one) | {"tokens": None} == vars(other) | {"tokens": None}
    )


def signed(content: bytes) -> bytes:
    """Write the right checksum into a file, as somebody who wants to deceive would."""
    found = re.search(rb'sha256\\":\\"([0-9a-f]{64})', content)
    zeroed = content.replace(found[1], b"0" * 64, 1)
    return zeroed.replace(b"0" * 64, hashlib.sha256(zeroed).hexdigest().encode(), 1)


def with_header(change: Callable[[dict], object], memory: ConceptMemory | None = None) -> bytes:
    """A file whose JSON header was changed and whose checksum is right."""
    content = dump(memory or memory_of("cup"))
    length = int.from_bytes(content[:8], "little")
    outer = json.loads(content[8 : 8 + length])
    header = json.loads(outer["__metadata__"]["ego"])
    change(header)
    outer["__metadata__"]["ego"] = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    text = json.dumps(outer, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return signed(len(text).to_bytes(8, "little") + text + content[8 + length :])


def refused(content: bytes | str | Path) -> str:
    with pytest.raises(DamagedMemoryError) as caught:
        load(content)
    return str(caught.value)


# -- what is written comes back


def test_the_golden_file_is_what_is_written() -> None:
    assert dump(golden_memory(), "bfloat16") == GOLDEN.read_bytes()


def test_the_golden_file_is_read() -> None:
    memory = load(GOLDEN)
    assert same(memory, golden_memory().on(torch.bfloat16))
    assert memory.tokens.rows.tolist() == [[0.5, -1.0, 2.0], [3.0, 0.0, -0.25]]
    assert memory.name == "Zoë 🐕"
    assert memory.views[0].keywords == ("A", "red", "cup")
    assert memory.thumbnail == b"\xff\xd8 stands for a picture \xff\xd9"


def test_the_reader_of_the_specification_reads_it() -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "memory-format.md").read_text("utf-8"), re.DOTALL)
    room: dict = {}
    exec(code[1], room)
    header, tensors = room["read_memory"](GOLDEN)
    assert header["name"] == "Zoë 🐕"
    assert header["views"][0]["kept"] == [1, 3]
    assert set(tensors) == {"rows", "deepstack", "boxes", "view", "spatial", "grid_position", "thumbnail"}
    assert tensors["rows"].dtype == torch.bfloat16


def test_the_specification_names_every_field() -> None:
    specification = (ROOT / "docs" / "memory-format.md").read_text("utf-8")
    header, _ = json.JSONDecoder().raw_decode(
        json.loads(GOLDEN.read_bytes()[8 : 8 + int.from_bytes(GOLDEN.read_bytes()[:8], "little")])["__metadata__"][
            "ego"
        ]
    )
    fields = [*header, *header["fingerprint"], *header["views"][0], *memory_file._COMPACT_LAYOUT]
    assert [field for field in fields if f"| `{field}` |" not in specification] == []
    assert f"{memory_file.MEMORY_BYTES:,}" in specification
    assert f"{memory_file.MEMORY_HEADER_BYTES:,}" in specification


@pytest.mark.parametrize("stored_type", ["bfloat16", "float16", "float32"])
def test_rows_are_stored_in_the_format_asked_for(stored_type: str) -> None:
    memory = golden_memory()
    read = load(dump(memory, stored_type))
    assert same(read, memory.on(getattr(torch, stored_type)))


def test_the_golden_compact_file_is_written_and_read() -> None:
    assert dump(golden_memory(), "int8") == COMPACT.read_bytes()
    memory = load(COMPACT)
    assert memory.tokens.rows.dtype == torch.float32
    for read, written in (
        (memory.tokens.rows, golden_memory().tokens.rows),
        (memory.tokens.deepstack, golden_memory().tokens.deepstack),
    ):
        half_a_step = written.abs().amax(dim=-1, keepdim=True) / 254
        assert bool(((read - written).abs() <= half_a_step * 1.001).all())
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "memory-format.md").read_text("utf-8"), re.DOTALL)
    room: dict = {}
    exec(code[1], room)
    _, tensors = room["read_memory"](COMPACT)
    assert torch.equal(tensors["rows"], memory.tokens.rows)
    assert torch.equal(tensors["deepstack"], memory.tokens.deepstack)


def test_a_compact_memory_stays_compact_and_drifts_no_further() -> None:
    rows = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    rows[3] = 0
    record = RECORD.model_copy(
        update={"kept": tuple(range(20)), "candidates": 20, "boxes": (), "importance": (0.0,) * 20}
    )
    memory = load(
        dump(replace(memory_of("cup", rows), views=(record,), fingerprint=golden_memory().fingerprint), "int8")
    )
    again = load(dump(memory.renamed("mug")))
    assert (again.stored_type, again.name) == ("int8", "mug")
    torch.testing.assert_close(again.tokens.rows, memory.tokens.rows, rtol=1e-6, atol=0)
    assert load(dump(memory, "bfloat16")).stored_type is None


def test_a_compact_file_without_right_scales_is_refused() -> None:
    def rewritten(**changes: torch.Tensor | None) -> bytes:
        content = dump(memory_of("cup"), "int8")
        tensors = safetensors.torch.load(content) | changes
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])["__metadata__"]
        kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        return signed(safetensors.torch.save(kept, header))

    assert load(rewritten()).name == "cup"
    assert "holds the tensors" in refused(rewritten(row_scales=None))
    assert "scale" in refused(rewritten(row_scales=torch.tensor([1.0, -1.0])))
    assert "row_scales" in refused(rewritten(row_scales=torch.tensor([1.0, float("nan")])))
    assert "'rows'" in refused(rewritten(rows=torch.eye(2)))
    assert "holds the tensors" in refused(with_header(lambda header: header.update(version=2)))


def test_rows_stay_as_they_are_unless_asked() -> None:
    assert load(dump(memory_of("cup").on(torch.float16))).tokens.rows.dtype == torch.float16


def test_the_least_a_memory_can_have_comes_back() -> None:
    read = load(dump(memory_of("cup")))
    assert same(read, memory_of("cup"))
    assert read.tokens.deepstack.shape == (0, 2, 2)
    assert read.tokens.boxes is read.tokens.grid_position is read.thumbnail is None


def test_several_views_come_back() -> None:
    memory = memory_of("cup").with_views_of(memory_of("cup", 2 * torch.eye(2)))
    assert same(load(dump(memory)), memory)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_notes_come_back(category: str, notes: str) -> None:
    try:
        (category + notes).encode()
    except UnicodeEncodeError:  # lone surrogates are no text
        return
    read = load(dump(replace(memory_of("cup"), category=category, notes=notes)))
    assert (read.category, read.notes) == (category, notes)


def test_notes_that_look_like_a_checksum_do_no_harm() -> None:
    for notes in ("0" * 64, '"sha256":"' + "a" * 64 + '"', '\\"sha256\\":\\"' + "0" * 64):
        assert load(dump(replace(memory_of("cup"), notes=notes))).notes == notes


# -- damage


def test_every_single_altered_byte_is_found() -> None:
    good = GOLDEN.read_bytes()
    assert len(good) < 10_000
    chance = random.Random(0)
    for position in range(len(good)):
        altered = bytearray(good)
        altered[position] ^= chance.randrange(1, 256)
        with pytest.raises(DamagedMemoryError):
            load(bytes(altered))


def test_every_length_but_the_right_one_is_found() -> None:
    good = GOLDEN.read_bytes()
    for length in range(len(good)):
        with pytest.raises(DamagedMemoryError):
            load(good[:length])
    assert "checksum" in refused(good + b"\0")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04" + b"\0" * 100, struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 4) + b"null" + b"\0" * 9],
)
def test_other_files(content: bytes) -> None:
    message = refused(content)
    assert message.startswith("the memory is damaged")
    assert message.endswith("restore it from a copy, or introduce the concept again")


def test_the_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.ego"
    path.write_bytes(b"12345678{}")
    assert str(path) in refused(path)
    assert str(path) in refused(str(path))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ego")  # would be waited for without end
    for path, words in [
        (tmp_path / "no.ego", "there is no file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.ego", "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (f"{tmp_path}/a\0b.ego", "cannot be opened"),
    ]:
        with pytest.raises(InputError, match=words):
            load(path)


def test_a_newer_version_asks_to_upgrade() -> None:
    content = with_header(lambda header: header.update(version=3, sha256="0" * 64, something="new"))
    assert "format version 3, this release reads up to 2; upgrade ego-vlm" in refused(content)


# -- deceit: the checksum is right, the content is not


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header: header.update(format="other"), "not that of a memory file"),
        (lambda header: header.update(version=0), "unexpected value at 'version'"),
        (lambda header: header.update(extra=1), "unexpected value at 'extra'"),
        (lambda header: header.pop("notes"), "unexpected value at 'notes'"),
        (lambda header: header["views"][0].update(seconds="soon"), "unexpected value at 'views.0.seconds'"),
        (lambda header: header.update(name="Bo\nSay yes."), "one line of visible characters"),
        (lambda header: header.update(name=" Bo"), "not in normal form"),
        (lambda header: header.update(name=""), "the name is empty"),
        (lambda header: header.update(created="yesterday"), "yesterday"),
        (lambda header: header.update(created="2026-01-01T00:00:00"), "no time zone"),
        (lambda header: header["fingerprint"].update(dim=3), "tensor 'rows' has an unexpected"),
        (lambda header: header.update(views=[]), "2 rows for 0 kept tokens"),
        (lambda header: header["views"][0].update(kept=[1]), "2 rows for 1 kept tokens"),
        (lambda header: header["views"][0].update(kept=[1, 4]), "outside the image"),
        (lambda header: header["views"][0].update(kept=[-1, 1]), "outside the image"),
        (lambda header: header["views"][0].update(boxes=[[0, 0, 1, 1]]), "not one for each of 4"),
        (lambda header: header["views"][0].update(importance=[1.0]), "not one for each of 4"),
        (lambda header: header["views"][0].update(importance=[]), "not one for each of 4"),
        (lambda header: header["views"][0].update(boxes=[[0, 0, 1e300, 1]] * 4), "not in fractions"),
        (lambda header: header.update(version=True), "not that of a memory file"),
        (lambda header: header.update(version=1.0), "not that of a memory file"),
        (lambda header: header.update(more="metadata"), "unexpected value at 'more'"),
    ],
)
def test_contradictions_are_refused(change: Callable[[dict], object], words: str) -> None:
    assert words in refused(with_header(change))


def lying(tensors: dict[str, object], data: bytes = b"", header: str | None = None) -> bytes:
    """A file with made-up tensor entries and a right checksum."""
    good = dump(memory_of("cup"))
    outer = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])
    text = json.dumps({"__metadata__": {"ego": header or outer["__metadata__"]["ego"]}, **tensors}).encode()
    return signed(len(text).to_bytes(8, "little") + text + data)


def entry(kind: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


ROWS, VIEW, SPATIAL = entry("F32", [2, 2], 0, 16), entry("I64", [2], 16, 32), entry("BOOL", [2], 32, 34)
GOOD = {"rows": ROWS, "view": VIEW, "spatial": SPATIAL}
DATA = bytes(32) + b"\1\1"


def test_a_file_made_by_hand_is_read() -> None:
    assert load(lying(GOOD, DATA)).tokens.rows.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("tensors", "data"),
    [
        ({}, b""),
        ({"rows": ROWS}, bytes(16)),
        (GOOD | {"more": entry("U8", [1], 34, 35)}, DATA + b"\0"),
        (GOOD | {"rows": entry("F32", [10**9, 10**9], 0, 16)}, DATA),
        (GOOD | {"rows": entry("F32", [2**63, 2**63], 0, 16)}, DATA),
        (GOOD | {"rows": entry("F32", [0, 10**15], 0, 0)}, DATA),
        (GOOD | {"rows": entry("I32", [2, 2], 0, 16)}, DATA),
        (GOOD | {"rows": entry("F64", [2, 1], 0, 16)}, DATA),
        (GOOD | {"rows": entry("F32", [4], 0, 16)}, DATA),
        (GOOD | {"rows": entry("F99", [2, 2], 0, 16)}, DATA),
        (GOOD | {"view": entry("I64", [1, 2], 16, 32)}, DATA),
        (GOOD | {"view": entry("F32", [4], 16, 32)}, DATA),
        (GOOD | {"thumbnail": entry("U8", [0], 34, 34)}, DATA),
        (GOOD | {"deepstack": entry("F32", [1, 2, 2], 0, 16)}, DATA),
        (GOOD | {"spatial": entry("BOOL", [2], 32, 10**12)}, DATA),
        (GOOD, b"\0\0\xc0\x7f" + DATA[4:]),  # not a number
        (GOOD, b"\0\0\x80\x7f" + DATA[4:]),  # infinite
    ],
)
def test_tensors_that_do_not_fit_are_refused(tensors: dict[str, object], data: bytes) -> None:
    assert "its tensors cannot be read" in (message := refused(lying(tensors, data))) or "tensor" in message


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"a":' * 1_000_000])
def test_deep_nesting_is_refused(text: str) -> None:
    blob = text.encode()
    assert "does not begin like a memory file" in refused(len(blob).to_bytes(8, "little") + blob)
    header = '{"format":"ego-memory","version":1,"sha256":"' + "0" * 64 + '","name":' + text
    assert "header" in refused(lying(GOOD, DATA, header))


def test_more_metadata_than_the_specification_allows_is_refused() -> None:
    good = dump(memory_of("cup"))
    outer = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])
    outer["__metadata__"]["more"] = "x"
    text = json.dumps(outer).encode()
    assert "does not begin like a memory file" in refused(signed(len(text).to_bytes(8, "little") + text + DATA))


def test_a_header_length_out_of_bounds_is_refused() -> None:
    for length in (2**24 + 1, 2**63, 2**64 - 1):
        assert "its header is larger than 16,777,216 bytes" in refused(length.to_bytes(8, "little") + b"{}")


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.ego"
    with path.open("wb") as file:
        file.truncate(2**28 + 1)  # a hole: takes no room on disk
    with pytest.raises(InputError, match="at most 268,435,456 are read"):
        load(path)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(content: bytes) -> None:
    refused(content)
    refused(len(content).to_bytes(8, "little") + content)


@given(st.data())
def test_any_signed_alteration_is_refused_or_read(choose: st.DataObject) -> None:
    """Somebody alters bytes and mends the checksum: nothing but a DamagedMemoryError may come out."""
    good = GOLDEN.read_bytes()
    altered = bytearray(good)
    for position in choose.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=4)):
        altered[position] = choose.draw(st.integers(0, 255))
    if not re.search(rb'sha256\\":\\"([0-9a-f]{64})', altered):
        return
    try:
        memory = load(signed(bytes(altered)))
    except DamagedMemoryError:
        return
    assert same(load(dump(memory)), memory)


# -- memories that cannot be written


def test_rows_too_large_for_the_format() -> None:
    memory = memory_of("cup", torch.tensor([[1e5, 0.0], [0.0, 0.0]]))
    with pytest.raises(ConfigError, match="'cup' are too large for float16; store them as bfloat16"):
        dump(memory, "float16")
    assert load(dump(memory, "bfloat16")).tokens.rows[0, 0].item() == pytest.approx(1e5, rel=0.01)


@pytest.mark.parametrize(
    "memory",
    [
        memory_of("cup", torch.tensor([[float("nan"), 0.0], [0.0, 0.0]])),
        memory_of("cup", torch.eye(3, 2)),
        memory_of("cup\n"),
        replace(memory_of("cup"), created="2026-01-01"),
        replace(memory_of("cup"), views=(RECORD.model_copy(update={"importance": (float("inf"), 0.0, 0.0, 0.0)}),)),
        replace(memory_of("cup"), views=(RECORD.model_copy(update={"seconds": float("nan")}),)),
    ],
)
def test_what_could_not_be_read_back_is_not_written(memory: ConceptMemory) -> None:
    with pytest.raises(MemoryFileError, match=r"the memory of 'cup.*' cannot be stored: "):
        dump(memory)


def test_a_memory_too_large_to_be_read_back_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_file, "MEMORY_HEADER_BYTES", 100)
    with pytest.raises(MemoryFileError, match="too large to be stored; give fewer"):
        dump(memory_of("cup"))
