"""An open video and moments in seconds -> the frames shown at those moments, found by seeking.

Only what lies between the last key frame before a moment and the moment is decoded, and of that only what the frame
rests on.
"""

import time
from collections.abc import Iterator
from fractions import Fraction

import av

from ego.video.opening import RAW

_STEPS_BACK = (0.0, 1.0, 4.0, 16.0, 64.0)  # seconds; a container without an index may land behind its key frame
_BEFORE_START = 60.0  # seconds; more than pictures are decoded ahead of being shown, however few there are
_WORTH_A_SEEK = 10.0  # seconds ahead, where no index says how far the next key frame is
_SURELY_NEEDED = 1.0  # seconds before a moment from which every frame is decoded
_TOLERANCE = 1e-6  # seconds; times are fractions and moments are floats


class MomentReader:
    """Walks through a video from moment to moment, which must rise.

    Args:
        container: An open container.
        stream: Its moving pictures.
    """

    def __init__(self, container: "av.container.InputContainer", stream: "av.video.VideoStream") -> None:
        self._container, self._stream = container, stream
        self._tick = stream.time_base or Fraction(1, 1000)
        self.start = float((stream.start_time or 0) * self._tick)
        self._target = self.start
        self._due = stream.start_time or 0  # ticks; when the next frame is shown, should it not say
        self._earliest = earliest(container, stream)
        self._shown: av.VideoFrame | None = None
        self._following: av.VideoFrame | None = None
        self._frames = self._decode()
        self._begun = self.ended = False

    def at(self, seconds: float, patience: float) -> "av.VideoFrame | None":
        """Give the frame that is shown `seconds` after the start; the nearest one where that one is damaged.

        After `patience` seconds of work the frame at hand is taken. None: there is no frame that can be decoded, there
        or after.
        """
        self._target = self.start + seconds
        gives_up = time.monotonic() + patience
        if self._is_far():
            self._seek(gives_up)
        while not self._passed() and self._advance():
            if time.monotonic() > gives_up:
                break
        return self._shown or self._following

    def seconds(self, frame: "av.VideoFrame") -> float:
        """When a frame is shown, from the start of the video."""
        return self._time(frame) - self.start

    def seconds_after(self, frame: "av.VideoFrame") -> float:
        """When the frame that follows is due."""
        length = frame.duration * self._tick if frame.duration else 1 / (self._stream.average_rate or 25)
        return self.seconds(frame) + float(length)

    def _passed(self) -> bool:
        return self._following is not None and self._time(self._following) > self._target + _TOLERANCE

    def _advance(self) -> bool:
        """Decode one frame further; False at the end."""
        if self._following is not None:
            self._shown = self._following
        self._following = next(self._frames, None)
        self._begun = True
        self.ended = self._following is None
        return not self.ended

    def _is_far(self) -> bool:
        """Tell whether seeking saves decoding: whether there is a key frame between here and the moment."""
        now = self._time(self._following or self._shown) if (self._following or self._shown) else self.start
        if now > self._target + _TOLERANCE:
            return self._begun and self._shown is None
        index = self._stream.index_entries
        if len(index) > 1:
            found = index.search_timestamp(int(self._target / self._tick), backward=True)
            if found >= 0:
                return float(index[found].timestamp * self._tick) > now + _TOLERANCE
        return self._target > now + _WORTH_A_SEEK

    def _seek(self, gives_up: float) -> None:
        """Go to where the frame of the moment can be decoded: the first frame that comes must not be later."""
        for back in _STEPS_BACK:
            wanted = max(self._earliest, self._target - back)
            try:
                self._container.seek(int(wanted / self._tick), stream=self._stream)
            except av.FFmpegError:  # a container that cannot seek is read on from where it stands
                return
            self._frames, self._shown, self._following = self._decode(), None, None
            self._advance()
            first = self._following
            early = first is not None and self._time(first) <= self._target + _TOLERANCE
            if early or wanted == self._earliest or time.monotonic() > gives_up:
                return

    def _decode(self) -> Iterator["av.VideoFrame"]:
        """Decode from here on; damaged packets are passed over, and such as nothing wanted rests on."""
        every_frame_alone = self._stream.codec_context.codec.intra_only
        for packet in self._container.demux(self._stream):
            past = self._is_surely_past(packet)
            if past and every_frame_alone:
                continue
            try:
                self._stream.codec_context.skip_frame = "NONREF" if past else "DEFAULT"
                yield from map(self._dated, packet.decode())
            except (av.InvalidDataError, av.ArgumentError, av.PatchWelcomeError, av.ExternalError):
                continue

    def _is_surely_past(self, packet: "av.Packet") -> bool:
        if packet.pts is None or not packet.duration:
            return False
        return float((packet.pts + packet.duration) * self._tick) < self._target - _SURELY_NEEDED

    def _dated(self, frame: "av.VideoFrame") -> "av.VideoFrame":
        """Let a frame without a time follow the one before."""
        frame.pts = self._due if frame.pts is None else frame.pts
        self._due = frame.pts + (frame.duration or int(1 / (self._stream.average_rate or 25) / self._tick))
        return frame

    def _time(self, frame: "av.VideoFrame") -> float:
        """When a frame is due, in the container's seconds."""
        return float(frame.pts * self._tick)


def earliest(container: "av.container.InputContainer", stream: "av.video.VideoStream") -> float:
    """Seconds from which seeking surely comes to the first frame: some containers are searched by times of decoding.

    0 is not it: that is the middle of a film whose clock wrapped, which begins below.
    """
    start = float((stream.start_time or 0) * (stream.time_base or Fraction(1, 1000)))
    return start - _BEFORE_START if _guesses(container) else start


def said_length(container: "av.container.InputContainer", stream: "av.video.VideoStream") -> float | None:
    """Seconds that a video lasts, as its header says; None where it says nothing (of a raw stream FFmpeg guesses)."""
    if container.format.name in RAW:
        return None
    tick = stream.time_base or Fraction(1, 1000)
    if stream.duration and stream.duration > 0:
        said = float(stream.duration * tick)
        return max(said, _at_its_end(container, stream, tick, said)) if _guesses(container) else said
    if container.duration and container.duration > 0:
        late = float((stream.start_time or 0) * tick) - (container.start_time or 0) / av.time_base
        return float(container.duration / av.time_base - max(0.0, late))
    return None


def walked_length(container: "av.container.InputContainer", stream: "av.video.VideoStream") -> float:
    """Seconds from the start to the end of the last packet from here on; nothing is decoded, and the end is reached."""
    tick = stream.time_base or Fraction(1, 1000)
    last, packets, start = 0, 0, stream.start_time or 0
    for packet in container.demux(stream):
        if packet.size:
            packets += 1
            begin = next((due - start for due in (packet.pts, packet.dts) if due is not None), last)
            last = max(last, begin + (packet.duration or 0))
    return float(last * tick) or float(packets / (stream.average_rate or 25))


def _guesses(container: "av.container.InputContainer") -> bool:
    """Tell containers that say nowhere how long they last, but when each frame is due."""
    return container.format.name in {"mpeg", "mpegts"}


def _at_its_end(
    container: "av.container.InputContainer", stream: "av.video.VideoStream", tick: Fraction, said: float
) -> float:
    """Look at the last packets, from a second before the guessed end on, and go back to the start."""
    start = stream.start_time or 0
    try:
        container.seek(start + int(max(0.0, said - 1) / tick), stream=stream)
        length = walked_length(container, stream)
        container.seek(int(earliest(container, stream) / tick), stream=stream)
    except av.FFmpegError:
        return said
    return length
