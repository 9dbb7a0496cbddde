"""The tokenizer: a small byte-level BPE, trained on the model's own language and made-up names; it writes any text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from colours import COLOURS
from names import random_name, random_names
from nouns import NOUNS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from wording import Item, Look, about_concept, about_presence, about_reference, caption, yes_or_no

from ego.prompt import GUARD, THE_PICTURE

IMAGE, IMAGE_START, IMAGE_END = "<IMG_CONTEXT>", "<img>", "</img>"
TURN_START, TURN_END, NOTHING = "<|im_start|>", "<|im_end|>", "<|nothing|>"
SPECIAL = ("<|endoftext|>", TURN_START, TURN_END, "<pad>", IMAGE_START, IMAGE_END, IMAGE, "<video>", NOTHING)
SINGLE = ("Yes", "No", "A", "B", *(str(number) for number in range(101)))
WORDS = tuple(f" {word}" for word in (*NOUNS, *COLOURS))  # single tokens, too: a visual row can say them directly
TALKS = 4000
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<img><IMG_CONTEXT></img>' }}"
    "{% elif part['type'] == 'video' %}{{ '<video>\\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def _look(rng: np.random.Generator) -> Look:
    shares = rng.dirichlet(np.full(len(COLOURS), 0.3)).astype(np.float32)
    return Look(str(rng.choice(NOUNS)), shares, float(rng.uniform(0.4, 2.0)))


def talk(rng: np.random.Generator) -> Iterator[str]:
    """Invent one conversation: every template of the wording, with random names."""
    names = random_names(rng, 3)
    looks = [_look(rng) for _ in names]
    items = [
        Item(look, float(rng.random()), name if rng.random() < 0.7 else None)
        for name, look in zip(names, looks, strict=True)
    ]
    exchanges = [
        *about_reference(rng, looks[0], float(rng.random())),
        *about_presence(rng, names, names[:1]),
        yes_or_no(rng, names[0], True),
    ]
    for name, look, item in zip(names, looks, items, strict=True):
        exchanges += about_concept(rng, name, look, item if item.name else None)
    yield from (GUARD, THE_PICTURE, f"Frame {rng.integers(1, 9)}:\n", "user\n", "assistant\n", caption(items))
    yield from (text for name in names for text in (f"This is {name}:", f"This is {name}.\n"))
    for exchange in exchanges:
        yield exchange.question
        yield exchange.answer


def corpus(seed: int) -> Iterator[str]:
    """Yield the text the tokenizer learns from."""
    rng = np.random.default_rng(seed)
    for _ in range(TALKS):
        yield from talk(rng)
        yield from (f" {random_name(rng)}" for _ in range(30))
        yield from SINGLE
        yield from WORDS


def run_tokenizer(run: Path, size: int, seed: int, known: Path | None = None) -> PreTrainedTokenizerFast:
    """Give the tokenizer of a run, trained (or taken from a known model) at its first step and kept since."""
    folder = run / "tokenizer"
    if not folder.exists():
        fresh = AutoTokenizer.from_pretrained(known) if known else build_tokenizer(size, seed)
        fresh.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def build_tokenizer(size: int, seed: int) -> PreTrainedTokenizerFast:
    """Train the tokenizer and dress it as the processor expects it."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False, initial_alphabet=alphabet
    )
    core.train_from_iterator(corpus(seed), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        eos_token=TURN_END,
        bos_token=None,
        padding_side="left",
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        extra_special_tokens={
            "start_image_token": IMAGE_START,
            "end_image_token": IMAGE_END,
            "context_image_token": IMAGE,
            "video_token": "<video>",
        },
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    split = [text for text in (*SINGLE, *WORDS) if len(tokenizer.encode(text)) != 1]
    if split:
        raise ValueError(f"the vocabulary of {size} splits {split}, which must be single tokens; make it larger")
    return tokenizer
