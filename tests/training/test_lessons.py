import re

import numpy as np
import pytest
import torch

from ego.prompt import GUARD, THE_PICTURE, recognition_question
from tests.training import world as drawn

bank_module = pytest.importorskip("bank")
from architecture import build_model  # noqa: E402
from collate import collate  # noqa: E402
from language import hidden_states  # noqa: E402
from lessons import MOST_MEMORY_TOKENS, Lesson, Teacher, Words  # noqa: E402
from presets import Shape  # noqa: E402
from subjects import Cast  # noqa: E402
from vocabulary import SINGLE, build_tokenizer  # noqa: E402
from wording import Exchange  # noqa: E402

SHAPE = Shape(
    image_side=64, patch=16, vision_width=32, vision_layers=1, vision_heads=2,
    text_width=32, text_layers=3, text_heads=2, text_inner=64, vocabulary=1280,
)  # fmt: skip
TOKENS = SHAPE.grid**2


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return build_tokenizer(SHAPE.vocabulary, seed=0)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return build_model(SHAPE, tokenizer).eval()


@pytest.fixture(scope="module")
def bank(model):
    cast = Cast(drawn.assets(), "train")
    encode = lambda pixels: torch.randn(len(pixels), TOKENS, SHAPE.vision_width)  # noqa: E731
    plan = bank_module.plan_bank(cast, 0, 0, 12)
    chunks = bank_module.Chunks(cast, plan, 0, 0, 30, SHAPE.image_side, SHAPE.grid)
    return bank_module.build_bank(chunks, encode, workers=0)


def written(words, exchanges):
    lesson = Lesson(words)
    lesson.write(words.opening)
    lesson.write(words.encode(GUARD))
    lesson.show([(0, range(4))])
    lesson.write(words.encode("This is Bo.\n"))
    with lesson.branch("picture"):
        lesson.write(words.encode(THE_PICTURE))
        lesson.show([(1, range(TOKENS))])
        for exchange in exchanges:
            lesson.ask(exchange)
    return lesson


ASKED = [
    Exchange(recognition_question("Bo"), "Yes"),
    Exchange("What colour is Bo?", " Red."),
    Exchange("Where is Bo?", " No."),
]


def test_numbers_letters_yes_and_no_are_single_tokens(tokenizer):
    assert all(len(tokenizer.encode(text)) == 1 for text in SINGLE)


@pytest.mark.parametrize("name", ["Bo", "Zak's dog Kona", "<sks>", "🐶", "Ünal", "дом"])
def test_any_name_can_be_written(tokenizer, name):
    assert tokenizer.decode(tokenizer.encode(f" {name}")) == f" {name}"


def test_a_lesson_with_one_question_is_the_prompt_of_the_chat_template(tokenizer):
    lesson = written(Words(tokenizer), ASKED[:1])
    memory = "<img>" + "<IMG_CONTEXT>" * 4 + "</img>\n"
    parts = [
        {"type": "text", "text": f"{GUARD}{memory}This is Bo.\n{THE_PICTURE}"},
        {"type": "image"},
        {"type": "text", "text": recognition_question("Bo")},
    ]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )
    head, tail = text.rsplit("<IMG_CONTEXT>\n", 1)
    expanded = f"{head}<img>{'<IMG_CONTEXT>' * TOKENS}</img>\n{tail}Yes<|im_end|>"
    assert lesson.ids == tokenizer.encode(expanded)


def test_a_question_in_a_lesson_is_answered_as_if_it_were_alone(tokenizer, model):
    words = Words(tokenizer)
    features = torch.randn(2, TOKENS, SHAPE.vision_width)

    def logits(exchanges, index):
        lesson = written(words, exchanges)
        batch = collate([lesson], tokenizer.pad_token_id)
        first, last, _ = lesson.answered[index]
        with torch.no_grad():
            hidden = hidden_states(model, batch, features)[-1]
        places = batch.targets[first:last, 1]
        return model.lm_head(hidden[0, places])

    for index in range(3):
        together, alone = logits(ASKED, index), logits([ASKED[index]], 0)
        assert torch.allclose(together, alone, atol=1e-4)


def test_only_answers_are_to_be_learnt(tokenizer):
    lesson = written(Words(tokenizer), ASKED)
    learnt = [token for _, token, _ in lesson.targets]
    expected = [token for exchange in ASKED for token in (*tokenizer.encode(exchange.answer), tokenizer.eos_token_id)]
    assert learnt == expected


def test_lessons_fit_and_name_the_owners_of_visual_tokens(bank, tokenizer):
    teacher = Teacher(bank, Words(tokenizer), length=260, tokens=TOKENS)
    rng = np.random.default_rng(0)
    lessons = [teacher.lesson(rng, 1.0) for _ in range(40)]
    assert all(0 < len(lesson.ids) <= 260 for lesson in lessons)
    nothing = tokenizer.convert_tokens_to_ids("<|nothing|>")
    named = [token for lesson in lessons for _, token, _ in lesson.owners if token != nothing]
    assert len(named) > 20


def test_yes_is_said_exactly_of_what_the_picture_shows(bank, tokenizer):
    teacher = Teacher(bank, Words(tokenizer), length=400, tokens=TOKENS)
    rng = np.random.default_rng(1)
    answers = [
        e.answer for _ in range(60) for _, _, e in teacher.lesson(rng, 1.0).answered if e.question.startswith("Is ")
    ]
    assert 0.25 < answers.count("Yes") / (answers.count("Yes") + answers.count("No")) < 0.75


def test_lessons_are_the_same_for_the_same_seed(bank, tokenizer):
    teacher = Teacher(bank, Words(tokenizer), length=300, tokens=TOKENS)
    first, second = (teacher.lesson(np.random.default_rng(9), 0.5) for _ in range(2))
    assert first.ids == second.ids
    assert first.rows == second.rows


def test_roomy_lessons_have_room_for_whole_references_of_every_concept(bank, tokenizer):
    teacher = Teacher(bank, Words(tokenizer), length=300, tokens=60, roomy=True)
    assert teacher.length == 300 + 4 * 60 - MOST_MEMORY_TOKENS
    assert teacher.memory_tokens == 4 * 60
    rng = np.random.default_rng(2)
    lessons = [Teacher(bank, Words(tokenizer), 500, TOKENS, roomy=True).lesson(rng, 1.0) for _ in range(40)]
    assert all(lesson.concepts > 0 for lesson in lessons)


def test_few_memories_are_descriptions_and_few_have_one_beside_their_rows(bank, tokenizer):
    teacher = Teacher(bank, Words(tokenizer), length=400, tokens=TOKENS)
    rng = np.random.default_rng(3)
    told = [tokenizer.decode(teacher.lesson(rng, 1.0).ids) for _ in range(300)]
    memories = [part for text in told for part in text.split("<|im_end|>")[0].split("This is ")[1:]]
    described = [part for part in memories if "in shape.\n" in part]
    rowless = [part for text in told for part in re.findall(r"(?:picture|shape)?\.\nThis is [^\n]*in shape\.", text)]
    assert 0.05 < len(described) / len(memories) < 0.18
    assert 0 < len(rowless) < len(described)
