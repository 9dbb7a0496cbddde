"""Matches -> XMP sidecars: the names of concepts as keywords that photo managers read. Originals are never changed.

Beside `photo.jpg` stands `photo.jpg.xmp` (digiKam, darktable, Immich, PhotoPrism) or `photo.xmp` (Lightroom). What a
sidecar of another program holds stays as it is; keywords that an earlier run wrote and that are no longer right leave,
all others stay. Properties (XMP specification part 1, 2012): `dc:subject` (Bo), `lr:hierarchicalSubject` (Ego|Bo), and
digiKam's own `digiKam:TagsList` (Ego/Bo).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lxml import etree

from ego.atomic_file import write_file
from ego.errors import InputError

Naming = Literal["appended", "replaced"]
ROOT = "Ego"
LARGEST = 2**24  # bytes of a sidecar that is read
_X, _RDF = "adobe:ns:meta/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC, _LR = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/lightroom/1.0/"
_DIGIKAM = "http://www.digikam.org/ns/1.0/"
_EMPTY = (
    f'<x:xmpmeta xmlns:x="{_X}"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
).encode()
_PACKET = (b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', b'\n<?xpacket end="w"?>\n')


@dataclass(frozen=True)
class _Property:
    """A list of keywords: its name, the kind of list, how a concept's name is written in it."""

    tag: str
    kind: Literal["Bag", "Seq"]
    prefix: str
    namespaces: Mapping[str, str]

    def spell(self, name: str) -> str:
        return f"{self.prefix}{name}"


_PROPERTIES = (
    _Property(f"{{{_DC}}}subject", "Bag", "", {"dc": _DC}),
    _Property(f"{{{_LR}}}hierarchicalSubject", "Bag", f"{ROOT}|", {"lr": _LR}),
    _Property(f"{{{_DIGIKAM}}}TagsList", "Seq", f"{ROOT}/", {"digiKam": _DIGIKAM}),
)


def sidecar_path(picture: Path, naming: Naming = "appended") -> Path:
    """Tell where the sidecar of a picture stands."""
    return picture.with_name(f"{picture.name}.xmp") if naming == "appended" else picture.with_suffix(".xmp")


def write_sidecar(picture: Path, names: Sequence[str], *, naming: Naming = "appended") -> bool:
    """Let the sidecar of a picture say which concepts are in it; a new one is made only if there is one to name.

    Returns:
        Whether a file was written.

    Raises:
        InputError: If there is a file that is no sidecar, or it cannot be written.
    """
    path = sidecar_path(picture, naming)
    try:
        before = _read(path)
        if before is None and not names:
            return False
        blob = _with_keywords(_EMPTY if before is None else before, names, str(path))
        if blob == before:
            return False
        write_file(path, blob)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); check permissions and free space"
        ) from error
    return True


def keywords(path: Path) -> tuple[str, ...]:
    """Read the keywords (dc:subject) of a sidecar."""
    blob = _read(path)
    tree = _parsed(blob, str(path)) if blob is not None else None
    if tree is None:
        return ()
    return tuple(item.text or "" for item in tree.iterfind(f".//{{{_DC}}}subject/*/{{{_RDF}}}li"))


def _read(path: Path) -> bytes | None:
    if not path.exists():
        return None
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise InputError(f"{path} is no XMP sidecar; move it away, then write the sidecars again")
    return path.read_bytes()


def _parsed(blob: bytes, label: str) -> "etree._Element":
    # Entities and addresses of a file are never followed.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(blob, parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"{label} cannot be read as XMP ({error}); repair it, or move it away") from error
    if root.find(f".//{{{_RDF}}}Description") is None and root.tag != f"{{{_RDF}}}Description":
        raise InputError(f"{label} holds no XMP; move it away, then write the sidecars again")
    return root


def _with_keywords(blob: bytes, names: Sequence[str], label: str) -> bytes:
    root = _parsed(blob, label)
    descriptions = list(root.iter(f"{{{_RDF}}}Description"))
    outdated = _written_before(descriptions) - set(names)
    for wanted in _PROPERTIES:
        _set(descriptions, wanted, add=names, drop=outdated)
    packet = blob.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<?xpacket") or blob == _EMPTY
    content: bytes = etree.tostring(root, encoding="UTF-8")
    return _PACKET[0] + content + _PACKET[1] if packet else b'<?xml version="1.0" encoding="UTF-8"?>\n' + content


def _written_before(descriptions: Iterable["etree._Element"]) -> set[str]:
    """Names that an earlier run wrote: those below our own root of the hierarchy."""
    hierarchy = _PROPERTIES[1]
    found = (item for one in descriptions for item in one.iterfind(f"{hierarchy.tag}/*/{{{_RDF}}}li"))
    return {
        item.text.removeprefix(hierarchy.prefix) for item in found if (item.text or "").startswith(hierarchy.prefix)
    }


def _set(descriptions: Sequence["etree._Element"], wanted: _Property, *, add: Sequence[str], drop: set[str]) -> None:
    holder = next((found for one in descriptions if (found := one.find(wanted.tag)) is not None), None)
    if holder is None:
        if not add:
            return
        holder = etree.SubElement(descriptions[0], wanted.tag, nsmap=dict(wanted.namespaces))
    listed = next(iter(holder), None)
    if listed is None:
        listed = etree.SubElement(holder, f"{{{_RDF}}}{wanted.kind}")
        holder.text = None
    for item in list(listed):
        if item.text in {wanted.spell(name) for name in drop}:
            listed.remove(item)
    present = {item.text for item in listed}
    for name in add:
        if wanted.spell(name) not in present:
            etree.SubElement(listed, f"{{{_RDF}}}li").text = wanted.spell(name)
