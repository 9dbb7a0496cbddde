"""Sort a folder of pictures by who is in them: one line per picture, with the names and how sure that is.

Run it as: python examples/photo_folder.py my-concepts holiday-pictures
The first folder is a library made by `ego introduce ... --library my-concepts`.
"""

import sys
from pathlib import Path

import ego


def main() -> None:
    """Take the library and the folder of pictures."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    library, folder = Path(sys.argv[1]), Path(sys.argv[2])
    personal = ego.Ego(ego.load_backbone("mini"), store=ego.ConceptStore(library))
    for picture in sorted(folder.glob("*.jpg")):
        found = personal.recognize(picture).values()
        names = [f"{one.name} ({one.probability:.2f})" for one in found if one.present]
        print(f"{picture.name}: {', '.join(names) or 'nobody'}")


if __name__ == "__main__":
    main()
