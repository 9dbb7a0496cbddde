"""Models that think aloud: no answer, keyword or caption may come from a thought.

A template that can leave thinking out is asked to. One that leaves a thought open gets it closed at once, empty. A
model that begins a thought all by itself is found by its first token at load, and its answers begin behind an empty
thought. One that thinks even so is left to it, and its answers are read behind the thought.
"""

import re
from dataclasses import dataclass

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
BEHIND_A_THOUGHT = "\n\n"
"""What models put between a thought and their answer."""
LONGEST_THOUGHT = 2048
"""Tokens after which a thought is given up; at 20 tokens a second that is almost two minutes for one question."""
BRACKETED = re.compile(r"^(<.*>|\[.*\]|\{.*\}|◁.*▷|\|.*\|)$", re.DOTALL)
"""Words in the brackets of control tokens."""


@dataclass(frozen=True)
class Thought:
    """How a model thinks before its answers.

    Attributes:
        opening: The token that opens a thought.
        closing: What closes it.
        left_open: Whether the prompt leaves a thought open already.
    """

    opening: str
    closing: str
    left_open: bool


def closed_thought(prompt: str) -> str:
    """Spell what closes a thought that a prompt leaves open; empty where none is open."""
    for opening, closing in THOUGHTS.items():
        if prompt.rstrip().endswith(opening):
            gap = "\n" if prompt.endswith("\n") else "\n\n"
            return f"{gap}{closing}{BEHIND_A_THOUGHT}"
    return ""


def empty_thought(opening: str) -> str:
    """Spell a thought that is over at once."""
    return f"{opening}\n\n{THOUGHTS[opening]}{BEHIND_A_THOUGHT}"
