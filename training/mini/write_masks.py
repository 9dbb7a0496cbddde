"""Write two COCO instances files with one object per image, for `ego calibrate` of the embedded model.

    python write_masks.py --data DATA_FOLDER --to MASKS

`choose.json` holds photos that taught the model, `test.json` photos that did not.
"""

import argparse
import json
from pathlib import Path

from sources import coco_part, coco_targets

FILES = {"choose.json": "train", "test.json": "test"}


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for name, part in FILES.items():
        table = instances(options.data, part)
        (options.to / name).write_text(json.dumps(table))
        print(f"{len(table['images'])} images in {options.to / name}")


def instances(data: Path, part: str) -> dict[str, list[dict[str, object]]]:
    """Collect the images of one part, each with its target as the only annotation."""
    rows = [row for row in coco_targets(data) if coco_part(row[0]) == part]
    images, annotations, categories = (list(column) for column in zip(*rows, strict=True))
    known = {category["id"]: category for category in categories}
    return {"images": images, "annotations": annotations, "categories": list(known.values())}


if __name__ == "__main__":
    main()
