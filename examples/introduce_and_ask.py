"""Introduce a concept from two photos, then recognize it, ask about it and caption a picture.

Run it as: python examples/introduce_and_ask.py bo-1.jpg bo-2.jpg park.jpg
"""

import sys

import ego


def main() -> None:
    """Take reference photos, and last the picture to look at."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    *photos, picture = sys.argv[1:]
    personal = ego.Ego(ego.load_backbone("mini"))
    memory = personal.introduce(ego.Concept("Bo", images=photos))
    print(f"Bo is remembered in {len(memory.tokens)} visual tokens")
    print(personal.recognize(picture)["Bo"])
    print(personal.ask("What is Bo doing?", image=picture).text)
    print(personal.caption(picture).text)


if __name__ == "__main__":
    main()
