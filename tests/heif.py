"""Writes small HEIC files: one coded picture, or a grid of many tiles that all point at the same coded picture."""

import io
import struct

import av
from PIL import Image


def box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def coded(picture: Image.Image) -> tuple[bytes, bytes]:
    """Encode one picture as HEVC; gives its decoder configuration (the box hvcC) and its bytes."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx265", rate=1, options={"x265-params": "log-level=none:keyint=1", "tag": "hvc1"})
        stream.codec_context.codec_tag = "hvc1"
        stream.width, stream.height, stream.pix_fmt = *picture.size, "yuv420p"
        file.mux(stream.encode(av.VideoFrame.from_image(picture)))
        file.mux(stream.encode(None))
    content = buffer.getvalue()
    start = content.index(b"hvcC") - 4
    configuration = content[start : start + int.from_bytes(content[start : start + 4], "big")]
    with av.open(io.BytesIO(content)) as file:
        sample = next(bytes(packet) for packet in file.demux(video=0) if packet.size)
    return configuration, sample


def write_heic(
    picture: Image.Image,
    *,
    profile: bytes | None = None,
    code_points: tuple[int, int] | None = None,
    turns: int = 0,
    grid: tuple[int, int] | None = None,
) -> bytes:
    """Write a HEIC.

    Args:
        picture: What it shows, or each of its tiles shows; sides a multiple of 16.
        profile: ICC profile.
        code_points: Primaries and transfer by number (nclx).
        turns: Quarter turns counter-clockwise by which it is shown.
        grid: Columns and rows of tiles.
    """
    configuration, sample = coded(picture)
    (width, height), (columns, rows) = picture.size, grid or (1, 1)
    tiles = list(range(2, 2 + columns * rows)) if grid else []
    layout = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width * columns, height * rows) if grid else b""
    items = [(1, b"grid" if grid else b"hvc1"), *((tile, b"hvc1") for tile in tiles)]
    shown = full_box(b"ispe", 0, 0, struct.pack(">II", width * columns, height * rows))
    of_tile = full_box(b"ispe", 0, 0, struct.pack(">II", width, height))
    properties = [configuration, of_tile, shown]
    owns = {1: [3] if grid else [0x81, 3], **{tile: [0x81, 2] for tile in tiles}}
    if profile is not None:
        properties.append(box(b"colr", b"prof", profile))
        owns[1].append(len(properties))
    if code_points is not None:
        properties.append(box(b"colr", b"nclx", struct.pack(">HHHB", *code_points, 6, 0)))
        owns[1].append(len(properties))
    if turns:
        properties.append(box(b"irot", bytes([turns])))
        owns[1].append(0x80 | len(properties))
    header = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(offset: int) -> bytes:
        places = {1: (offset, len(layout)) if grid else (offset, len(sample))}
        places |= {tile: (offset + len(layout), len(sample)) for tile in tiles}
        return full_box(
            b"meta",
            0,
            0,
            full_box(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, 0, struct.pack(">H", 1)),
            full_box(
                b"iinf",
                0,
                0,
                struct.pack(">H", len(items)),
                *(full_box(b"infe", 2, item > 1, struct.pack(">HH", item, 0), kind, b"\0") for item, kind in items),
            ),
            full_box(
                b"iloc",
                0,
                0,
                struct.pack(">BBH", 0x44, 0, len(places)),
                *(struct.pack(">HHHII", item, 0, 1, place, size) for item, (place, size) in places.items()),
            ),
            box(
                b"iprp",
                box(b"ipco", *properties),
                full_box(
                    b"ipma",
                    0,
                    0,
                    struct.pack(">I", len(owns)),
                    *(struct.pack(">HB", item, len(own)) + bytes(own) for item, own in owns.items()),
                ),
            ),
            full_box(b"iref", 0, 0, box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles)))
            if grid
            else b"",
        )

    start = len(header) + len(meta(0)) + 8
    return header + meta(start) + box(b"mdat", layout, sample)
