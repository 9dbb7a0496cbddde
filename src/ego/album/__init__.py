"""The album: which concepts are in which of thousands of pictures, kept in one index and found at once.

`scan` looks, `index` remembers, `find` answers; `tables`, `gallery`, `matches` and `sidecar` hand the answers on.
"""
