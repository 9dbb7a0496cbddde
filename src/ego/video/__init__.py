"""Video files -> a few upright sRGB frames with their seconds, evenly spread over time, through PyAV."""

from ego.video.reading import is_video, read_frames

__all__ = ["is_video", "read_frames"]
