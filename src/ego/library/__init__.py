"""Libraries of any size: private ones side by side, a packed catalogue, and the filter that searches them."""
