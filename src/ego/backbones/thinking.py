"""Models that think aloud: no answer, keyword or caption may come from a thought.

A template that can leave thinking out is asked to. One that leaves a thought open gets it closed at once, empty. A
model that begins a thought all by itself is found by its first token at load, and its answers begin behind an empty
thought.
"""

THOUGHT_SWITCHES = ("enable_thinking", "thinking")
"""Variables by which templates leave thinking out when they are false."""
THOUGHTS = {
    "<think>": "</think>",
    "<|think|>": "<|/think|>",
    "<thinking>": "</thinking>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
}
"""Opening and closing of a thought."""


def closed_thought(prompt: str) -> str:
    """Spell what closes a thought that a prompt leaves open; empty where none is open."""
    for opening, closing in THOUGHTS.items():
        if prompt.rstrip().endswith(opening):
            gap = "\n" if prompt.endswith("\n") else "\n\n"
            return f"{gap}{closing}\n\n"
    return ""


def empty_thought(opening: str) -> str:
    """Spell a thought that is over at once."""
    return f"{opening}\n\n{THOUGHTS[opening]}\n\n"
