from collections import Counter

import numpy as np
import pytest
import torch

from ego.prompt import AREA, CAPTION_WITH_NAMES, GUARD, THE_PICTURE, recognition_question
from tests.training import world as drawn

bank_module = pytest.importorskip("bank")
import beginnings  # noqa: E402
from architecture import TOWER_WIDTH, build_model  # noqa: E402
from collate import collate  # noqa: E402
from gaze import WATCHED, surprises  # noqa: E402
from language import owner_scores, rows_of, think, used  # noqa: E402
from lessons import OPENING_TO_NAME, QUESTION_TO_PICTURE, ROW_TO_OPENING, Lesson, Words  # noqa: E402
from presets import Shape  # noqa: E402
from subjects import Cast  # noqa: E402
from teacher import MOST_ROWS, QUESTIONS, Teacher  # noqa: E402
from vocabulary import SINGLE, WORDS, build_tokenizer  # noqa: E402
from wording import Exchange  # noqa: E402

SHAPE = Shape(
    image_side=128, text_width=256, text_layers=6, text_heads=4, text_inner=64, rope_theta=4e12, vocabulary=2000,
    concepts_per_prompt=8,
)  # fmt: skip
TOKENS = SHAPE.grid**2
SEEN = slice(beginnings.IDENTITY.start, beginnings.IDENTITY.start + beginnings.ALIKE)


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(SHAPE.vocabulary, seed=0)


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    model = build_model(SHAPE, tokenizer).eval()
    model.model.language_model.set_attn_implementation(WATCHED)
    beginnings.begin(model, tokenizer, SHAPE)
    return model


@pytest.fixture(scope="module")
def bank():
    cast = Cast([*drawn.assets(), *drawn.photos()], "train")
    encode = lambda pixels: torch.randn(len(pixels), TOKENS, TOWER_WIDTH)  # noqa: E731
    plan = bank_module.plan_bank(cast, 0, 0, 12, singles=2)
    chunks = bank_module.Chunks(cast, plan, 0, 0, 30, SHAPE.image_side, SHAPE.grid)
    return bank_module.build_bank(chunks, encode, workers=0)


def written(words, exchanges):
    lesson = Lesson(words)
    lesson.write((*words.opening, *words.encode(GUARD)))
    lesson.introduce("Bo", [(0, range(4))])
    lesson.introduce("Zak's cup", [(0, range(4, 7))], "A cup.")
    with lesson.branch("picture"):
        lesson.write(words.encode(THE_PICTURE))
        lesson.show([(1, range(TOKENS))])
        for exchange in exchanges:
            lesson.ask(exchange)
    return lesson


def lessons_of(bank, tokenizer, number, *, size=3, length=700, seed=0):
    teacher, rng = Teacher(bank, Words(tokenizer), length, TOKENS), np.random.default_rng(seed)
    return [teacher.remembering(rng, size, 0.5) for _ in range(number)]


ASKED = [
    Exchange(recognition_question("Bo"), "Yes"),
    Exchange("What colour is Bo?", " Red."),
    Exchange("Where is Bo?", " No."),
]


def test_what_must_be_single_tokens_is(tokenizer):
    assert all(len(tokenizer.encode(text)) == 1 for text in (*SINGLE, *WORDS))


@pytest.mark.parametrize("name", ["Bo", "Zak's dog Kona", "<sks>", "🐶", "Ünal", "дом", "小白"])
def test_any_name_can_be_written(tokenizer, name):
    assert tokenizer.decode(tokenizer.encode(f" {name}")) == f" {name}"


def test_a_lesson_with_one_question_is_the_prompt_of_the_chat_template(tokenizer):
    lesson = written(Words(tokenizer), ASKED[:1])
    memories = [f"This is Bo:<img>{'<IMG_CONTEXT>' * 4}</img>\n", f"This is Zak's cup:<img>{'<IMG_CONTEXT>' * 3}</img>"]
    parts = [
        {"type": "text", "text": f"{GUARD}{''.join(memories)} A cup.\n{THE_PICTURE}"},
        {"type": "image"},
        {"type": "text", "text": recognition_question("Bo")},
    ]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )
    head, tail = text.rsplit("<IMG_CONTEXT>", 1)
    assert lesson.ids == tokenizer.encode(f"{head}{'<IMG_CONTEXT>' * TOKENS}{tail}Yes<|im_end|>")


def test_a_question_in_a_lesson_is_answered_as_if_it_were_alone(tokenizer, model):
    words = Words(tokenizer)
    features = torch.randn(2, TOKENS, TOWER_WIDTH)

    def logits(exchanges, index):
        lesson = written(words, exchanges)
        batch = collate([lesson])
        first, last, _ = lesson.answered[index]
        with torch.no_grad():
            hidden = think(model, batch, rows_of(model, batch, features)).states[-1]
        return model.lm_head(hidden[0, batch.targets[first:last, 1]])

    for index in range(3):
        together, alone = logits(ASKED, index), logits([ASKED[index]], 0)
        assert torch.allclose(together, alone, atol=1e-3)


def test_only_answers_are_to_be_learnt(tokenizer):
    lesson = written(Words(tokenizer), ASKED)
    learnt = [token for _, token, _ in lesson.targets]
    expected = [token for exchange in ASKED for token in (*tokenizer.encode(exchange.answer), tokenizer.eos_token_id)]
    assert learnt == expected


def test_lessons_fit_and_name_the_owners_of_visual_tokens(bank, tokenizer):
    lessons = lessons_of(bank, tokenizer, 40, size=2, length=400)
    assert all(0 < len(lesson.ids) <= 400 for lesson in lessons)
    owners = [(lesson, which) for lesson in lessons for _, which in lesson.owners]
    assert sum(which > 0 for _, which in owners) > 20
    assert all(which <= len(lesson.names) for lesson, which in owners)


def test_yes_is_said_exactly_of_what_the_picture_shows_and_most_concepts_are_absent(bank, tokenizer):
    asked = [
        (lesson, exchange)
        for lesson in lessons_of(bank, tokenizer, 60, size=4)
        for _, _, exchange in lesson.answered
        if exchange.answer in ("Yes", "No")
    ]
    for lesson, exchange in asked:
        found = [name for _, name in lesson._find(tokenizer.encode(exchange.question), 0)]
        assert (exchange.answer == "Yes") == any(name in lesson.owned for name in found)
    said = [exchange.answer for _, exchange in asked]
    assert 0.1 < said.count("Yes") / len(said) < 0.5


def test_with_only_those_in_memory_who_are_there_a_caption_names_them_and_nobody_is_asked_about(bank, tokenizer):
    lessons = lessons_of(bank, tokenizer, 120, size=2)
    there = [one for one in lessons if len(one.names) == 2 and all(one.owned.get(name) for name in one.names)]
    alone = [one for one in there if not any(e.answer in ("Yes", "No") for _, _, e in one.answered)]
    assert len(alone) > 5
    for lesson in alone:
        told = [e.answer for _, _, e in lesson.answered if e.question == CAPTION_WITH_NAMES]
        assert [{name for _, name in lesson._find(tokenizer.encode(answer), 0)} for answer in told] == [
            set(lesson.names)
        ]


def test_tokens_that_decide_who_is_named_and_that_the_name_is_over_count_more(tokenizer):
    words, told = Words(tokenizer), Exchange(CAPTION_WITH_NAMES, " Zak's cup on the left and Bo on the right.", 1.5)
    lesson = written(words, [told])
    heavy = [token for _, token, weight in lesson.targets if weight > 1.5]
    over = words.encode(" on")[0]
    assert heavy == [words.name("Zak's cup")[0], over, words.name("Bo")[0], over]


def test_an_area_is_asked_only_where_the_outline_is_known(bank, tokenizer):
    guessed = {view.index for view in bank.singles}
    assert not any(view.measured for view in bank.singles)  # stripes have no outline
    teacher, rng = Teacher(bank, Words(tokenizer), 400, TOKENS), np.random.default_rng(0)
    shown, asked = set(), 0
    for _ in range(40):
        lesson = teacher.introductions(rng)
        picture_of = {lesson.pictures[place]: picture for place, picture, _ in lesson.rows}
        shown |= set(picture_of.values())
        for first, _, exchange in lesson.answered:
            branch = lesson.pictures[lesson.targets[first][0]]
            if exchange.question == AREA:
                asked += 1
                assert picture_of[branch] not in guessed
    assert shown & guessed
    assert asked > 5


def test_some_who_are_absent_are_remembered_because_the_picture_was_taken_in_their_place(bank, tokenizer):
    hosts = [scene for scene in bank.scenes if scene.host >= 0]
    assert hosts
    strange = [s for s in hosts if s.host not in {seen.member for seen in s.sightings} and bank.references[s.host]]
    teacher, rng = Teacher(bank, Words(tokenizer), 700, TOKENS), np.random.default_rng(0)
    casts = [(scene, teacher._cast(rng, scene, 4, 0.0)) for scene in strange for _ in range(4)]
    absent = [(scene.host, -1) in cast for scene, cast in casts if any(place < 0 for _, place in cast)]
    assert absent
    assert all(absent)


def test_a_memory_never_shows_the_picture_that_is_asked_about(bank, tokenizer):
    for lesson in lessons_of(bank, tokenizer, 40):
        remembered = {picture for place, picture, _ in lesson.rows if lesson.pictures[place] < 0}
        asked = {picture for place, picture, _ in lesson.rows if lesson.pictures[place] >= 0}
        assert not remembered & asked


def test_lessons_are_the_same_for_the_same_seed(bank, tokenizer):
    first, second = (lessons_of(bank, tokenizer, 1, seed=9)[0] for _ in range(2))
    assert first.ids == second.ids
    assert first.rows == second.rows


def test_a_bank_can_be_kept(bank, tmp_path):
    cast = Cast([*drawn.assets(), *drawn.photos()], "train")
    plan = bank_module.plan_bank(cast, 0, 0, 6, singles=2)
    chunks = bank_module.Chunks(cast, plan, 0, 0, 9, SHAPE.image_side, SHAPE.grid)
    encode = lambda pixels: pixels.float().mean((1, 2, 3))[:, None, None].expand(-1, TOKENS, 2)  # noqa: E731
    fresh, again = (bank_module.build_bank(chunks, encode, 0, tmp_path / "bank.safetensors") for _ in range(2))
    assert torch.equal(fresh.features, again.features)
    assert [view.index for view in fresh.scenes] == [view.index for view in again.scenes]
    assert [(view.host, view.measured) for view in fresh.scenes] == [(v.host, v.measured) for v in again.scenes]
    assert [(look.noun, look.aspect) for look in fresh.looks] == [(look.noun, look.aspect) for look in again.looks]
    assert len(fresh.singles) == len(again.singles) == 2
    for one, other in zip(fresh.scenes, again.scenes, strict=True):
        assert [s.member for s in one.sightings] == [s.member for s in other.sightings]
        assert all(
            np.allclose(a.cover, b.cover, atol=1e-3) for a, b in zip(one.sightings, other.sightings, strict=True)
        )


def test_several_references_have_as_many_rows_each_as_one_where_there_is_room(bank, tokenizer):
    def longest(length):
        memories = [
            Counter(picture for place, picture, _ in lesson.rows if lesson.pictures[place] < 0)
            for lesson in lessons_of(bank, tokenizer, 60, size=1, length=length)
        ]
        return max(memory.total() for memory in memories if len(memory) > 1)

    assert longest(700) > MOST_ROWS
    assert longest(TOKENS + QUESTIONS + 24) <= 24


def test_a_kept_bank_is_not_taken_for_another(tmp_path):
    cast = Cast([*drawn.assets(), *drawn.photos()], "train")
    encode = lambda pixels: pixels.float().mean((1, 2, 3))[:, None, None].expand(-1, TOKENS, 2)  # noqa: E731
    one, other = (
        bank_module.Chunks(
            cast, bank_module.plan_bank(cast, seed, 0, 4), seed, 0, 2, side=SHAPE.image_side, grid=SHAPE.grid
        )
        for seed in (0, 1)
    )
    bank_module.build_bank(one, encode, 0, tmp_path / "bank.safetensors")
    with pytest.raises(ValueError, match=r"holds seed 0.* needs seed 1"):
        bank_module.build_bank(other, encode, 0, tmp_path / "bank.safetensors")


def test_before_any_training_rows_know_their_names_and_pictures_find_their_memories(model, tokenizer):
    """Rows are written directly: every subject has a direction of its own in the identity part."""
    torch.manual_seed(1)
    words, subjects, names = Words(tokenizer), torch.randn(3, beginnings.ALIKE), ("Bo", "Ada", "Zak's cup")
    lesson = Lesson(words)
    lesson.write((*words.opening, *words.encode(GUARD)))
    for number, name in enumerate(names):
        lesson.introduce(name, [(number, range(8))])
    with lesson.branch("picture"):
        lesson.write(words.encode(THE_PICTURE))
        places = lesson.show([(3, range(9))])
        shown = [1, 1, 2, 2, 0, 0, 3, 3, 0]  # of nobody, three tokens
        lesson.owners += list(zip(places, shown, strict=True))
        for number, name in enumerate(names, 1):
            lesson.owned[words.name(name)] = [place for place, who in zip(places, shown, strict=True) if who == number]
            lesson.ask(Exchange(f"Is {name} in the picture?", "Yes"))
    rows = torch.zeros(4, 9, 256)
    for number in range(3):
        rows[number, :, SEEN] = subjects[number] + 0.4 * torch.randn(9, beginnings.ALIKE)
    strangers = [subjects[which - 1] if which else torch.randn(beginnings.ALIKE) for which in shown]
    rows[3, :, SEEN] = torch.stack(strangers) + 0.4 * torch.randn(9, beginnings.ALIKE)
    rows *= beginnings.IDENTITY_SIZE / rows.norm(dim=-1, keepdim=True)
    rows[..., beginnings.ROW] = beginnings.ROW_MARK
    batch = collate([lesson])
    with torch.no_grad():
        thoughts = think(model, batch, rows[batch.rows[:, 2], batch.rows[:, 3]])
        assert owner_scores(model, thoughts, batch).argmax(1).tolist() == shown
        for hop in (OPENING_TO_NAME, ROW_TO_OPENING):
            assert (-surprises(thoughts.looks, batch)[hop]).exp().mean() > 0.8
        assert (-surprises(thoughts.looks, batch)[QUESTION_TO_PICTURE]).exp().mean() > 0.6


def looking(words, model, shown, rows):
    """Let the fresh model look at one picture [token width] of which some tokens are shown."""
    lesson = Lesson(words)
    lesson.write((*words.opening, *words.encode(f"{GUARD}{THE_PICTURE}")))
    with lesson.branch("picture"):
        places = lesson.show([(0, shown)], TOKENS)
        lesson.ask(Exchange(AREA, "50"))
    batch = collate([lesson])
    with torch.no_grad():
        return places, think(model, batch, rows[batch.rows[:, 3]]).states, batch


@pytest.mark.parametrize("shown", [range(TOKENS), (0, 2, 3, 5, 7, 8, 13, 14)])
def test_before_any_training_rows_know_on_which_side_of_the_picture_they_stand(model, tokenizer, shown):
    """They count the places to their opening delimiter, though some tokens of the picture are not shown."""
    rows = torch.zeros(TOKENS, 256)
    rows[:, SEEN], rows[:, beginnings.ROW] = 1.0, beginnings.ROW_MARK
    places, states, _ = looking(Words(tokenizer), model, shown, rows)
    sides = states[2][0, places, beginnings.ACROSS]
    assert ((sides > 0) == torch.tensor([token % SHAPE.grid >= SHAPE.grid // 2 for token in shown])).all()
    assert sides.abs().min() > 0.3


def test_before_any_training_an_answer_knows_how_much_the_main_subject_covers(model, tokenizer):
    covered = []
    for share in (2, 5, 9, 14):
        rows = torch.zeros(TOKENS, 256)
        rows[:, SEEN], rows[:, beginnings.ROW], rows[:, beginnings.SUBJECT] = 1.0, beginnings.ROW_MARK, -2.0
        rows[:share, beginnings.SUBJECT] = 2.0
        _, states, batch = looking(Words(tokenizer), model, range(TOKENS), rows)
        covered.append(states[-1][0, batch.targets[0, 1], beginnings.COVERED].item())
    assert covered == sorted(covered)
    assert covered[-1] - covered[0] > 0.5


def test_a_batch_counts_only_the_pictures_it_uses(bank, tokenizer):
    batch = collate(lessons_of(bank, tokenizer, 2))
    pictures, local = used(batch)
    assert torch.equal(pictures[local.rows[:, 2]], batch.rows[:, 2])
