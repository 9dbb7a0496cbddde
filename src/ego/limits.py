"""How large an input may be, in one place, each number with its reason.

Behind all of them stands one promise: whatever file is handed over, reading it takes less than 2 GB of memory and less
than a minute of an ordinary two-core machine; what would take more is refused by its header. The price of each kind of
input is measured by `python benchmarks/hostile.py`.
"""

# -- files
IMAGE_BYTES = 2**29  # an uncompressed 12000x9000 TIFF has 324 MB
HELD_IMAGE_BYTES = 2**27  # for formats whose readers hold the whole file, several times; a large HEIC has 20 MB
VIDEO_BYTES = 2**36  # hours of film; frames are found by seeking, so the length of a file costs nothing by itself
MEMORY_BYTES = 2**28  # a hundred photos of a 14B model have some 50 MB; reading takes four times as much
MEMORY_HEADER_BYTES = 2**24  # JSON; parsed, it takes some twenty times as much
JSON_BYTES = 50_000_000  # of `[],` over and over it takes twenty times as much; COCO's 5,000 photos have 20 MB
SENT_BYTES = 2**27  # a photo or clip sent to a service or a worker is held whole, several times
LISTED_BYTES = 2**27  # a line a concept, of a manifest or of our own list of a folder: a million of them
READ_SECONDS = 45.0  # readers that go byte by byte through nonsense are stopped at their next byte

# -- images
PIXELS = 110_000_000  # 12000x9000: decoded it takes 440 MB, and is made smaller at once
PIXELS_OF = {  # formats that are dearer, or cheaper, than four bytes a pixel
    "JPEG": 204_000_000,  # 16320x12240 phones: made smaller while it is decoded
    "MPO": 204_000_000,
    "WEBP": 64_000_000,  # its reader holds four copies
    "AVIF": 64_000_000,  # three copies, and the decoder's own
    "QOI": 16_000_000,  # read in Python, a microsecond a pixel
}
JPEG2000_PIXELS = 24_000_000  # four bytes for each channel, twice; larger ones are read at a lower resolution
KEPT_PIXELS = 2**24  # of a picture in memory; no supported model takes in more than 16,777,216
SMALLEST_SIDE = 8  # pixels; less than one patch of any vision tower
LONGEST_ASPECT = 100  # long side over short side
SCANS = 100  # of a progressive JPEG; cameras and encoders write about ten, and each is a pass over the whole picture
SCAN_PIXELS = 4_000_000_000  # scans x pixels
JUNK_BYTES = 2**16  # between the segments of a JPEG, where its reader goes byte by byte
PROFILE_BYTES = 2**22  # an ICC profile; press profiles have 2 MB
ANIMATION_FRAMES = 10_000  # a quarter of an hour at 10 frames a second; all of them must be decoded in order
ANIMATION_PIXELS = 4_000_000_000  # frames x pixels, decoded twice: once for their times, once for the pictures

# -- videos
VIDEO_PATIENCE = 8.0  # seconds of decoding towards exact moments; then the frames at hand are taken
FRAME_PIXELS = 36_000_000  # 8192x4320; a decoder keeps up to 16 of them
FRAME_BYTES = 100_000_000  # as decoded: 7680x4320 of 10 bits; 17 of them, with 16 references, took 1.98 GB in all
FRAMES = 256  # asked for at once
FRAMES_PIXELS = 128_000_000  # of all kept frames together, 400 MB; 61 frames of 1920x1080
FRAME_KEPT_PIXELS = 1920 * 1080  # of one kept frame, more than any model takes of a frame
