"""The demonstration: pictures that ship with the package, and the story told with them (or with the user's photos)."""
