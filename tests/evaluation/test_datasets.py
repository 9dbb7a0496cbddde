"""Every loader on a miniature tree that holds the traps of its data set."""

import json
from pathlib import Path

import pytest

from ego.errors import DatasetError
from ego.evaluation.datasets import DATASETS, load_dataset
from ego.evaluation.datasets.samples import inline_options, questions, with_keys
from ego.evaluation.datasets.saved_manifest import load_manifest
from ego.evaluation.datasets.this_is_my_img import display_name
from ego.evaluation.datasets.yollava import GROUP_OF
from ego.evaluation.manifest import Manifest, Subject, with_neutral_names
from tests.evaluation.trees import images, put_json


def kinds(manifest: Manifest, kind: str) -> list:
    return [sample for sample in manifest.samples if sample.kind == kind]


# -- all of them


@pytest.mark.parametrize("name", DATASETS)
def test_missing_data_says_what_to_get(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"[Dd]ownload|[Mm]ake one folder|give the file"):
        load_dataset(name, tmp_path / "nothing-here")


def test_unknown_data_set_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="yollava"):
        load_dataset("yolava", tmp_path)


# -- Yo'LLaVA


@pytest.fixture
def yollava(tmp_path: Path) -> Path:
    for key in ("bo", "shiba-yellow"):
        images(tmp_path / "train" / key, "10.png", "2.png", "1.png")
        images(tmp_path / "test" / key, "0.png", "1.png")
    images(tmp_path / "train" / "bo" / "negative_example", "n.png")
    return tmp_path


QUESTION = {"question": "What is <sks>?", "options": {"A": "Dog", "B": "Cat"}, "correct_answer": "A"}


def test_yollava_asks_each_concept_once_per_image(yollava: Path) -> None:
    recognition = kinds(load_dataset("yollava", yollava), "recognition")
    assert len(recognition) == 4 * 2
    assert sum(sample.present for sample in recognition) == 4
    assert all(sample.known == (sample.asked,) for sample in recognition)


def test_yollava_references_are_in_natural_order_without_nested_folders(yollava: Path) -> None:
    manifest = load_dataset("yollava", yollava)
    assert manifest.subject("bo").references == ("train/bo/1.png", "train/bo/2.png", "train/bo/10.png")
    assert manifest.notes == ("4 test images, the full data set has 333",)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("spelling", ["<sks>", "sks"])
def test_yollava_questions_in_both_nestings_and_spellings(yollava: Path, nested: bool, spelling: str) -> None:
    entry = QUESTION | {"question": f"What is {spelling}'s kind?"}
    flat = {"./yollava-data/test/shiba-yellow/0.png": entry}
    put_json(yollava / "yollava-visual-qa.json", {"shiba-yellow": flat} if nested else flat)
    (sample,) = kinds(load_dataset("yollava", yollava), "choice")
    assert sample.question == "What is <shiba-yellow>'s kind?"
    assert (sample.pictures, sample.options, sample.answer) == (("test/shiba-yellow/0.png",), ("Dog", "Cat"), 0)


def test_yollava_text_questions_spell_options_otherwise_and_have_no_picture(yollava: Path) -> None:
    entry = {"question": "Is sks a dog?", "option": {"A": "Yes", "B": "No"}, "correct_answer": "A"}
    put_json(yollava / "yollava-text-only-qa.json", {"bo": {"0": entry, "1": entry}})
    manifest = load_dataset("yollava", yollava)
    assert [sample.question for sample in manifest.of_task("text")] == ["Is <bo> a dog?"] * 2
    assert manifest.of_task("choice") == ()


def test_yollava_refuses_git_lfs_pointers(yollava: Path) -> None:
    (yollava / "test/bo/0.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(DatasetError, match="git lfs pull"):
        load_dataset("yollava", yollava)


def test_yollava_groups_are_those_of_the_literature() -> None:
    groups = list(GROUP_OF.values())
    assert len(groups) == 40
    assert [groups.count(group) for group in ("person", "building", "cartoon character", "pet")] == [10, 5, 5, 5]


# -- MyVLM


def test_myvlm_keeps_jpeg_and_never_tests_a_reference(tmp_path: Path) -> None:
    names = [f"asian_doll_{number}.jpg" for number in (1, 2, 3, 4, 10)] + ["asian_doll_5.jpeg", "asian_doll_6.JPG"]
    images(tmp_path / "data" / "asian_doll", *names)
    manifest = load_dataset("myvlm", tmp_path)
    subject = manifest.subject("asian_doll")
    assert subject.name == "asian doll"
    assert subject.references[-1] == "asian_doll/asian_doll_5.jpeg"
    tests = {sample.pictures[0] for sample in kinds(manifest, "caption")}
    assert tests == {"asian_doll/asian_doll_6.JPG", "asian_doll/asian_doll_10.jpg"}
    assert not tests & set(subject.references)


def test_myvlm_needs_enough_images_for_a_split(tmp_path: Path) -> None:
    images(tmp_path / "data" / "bull", "bull_1.jpg")
    with pytest.raises(DatasetError, match="'bull' has 1 images"):
        load_dataset("myvlm", tmp_path)


# -- This-is-My-Img


@pytest.fixture
def this_is_my(tmp_path: Path) -> Path:
    single, multi = tmp_path / "Single-concept", tmp_path / "Multi-concept"
    for key in ("Reynards keyboard-keyboard", "Reynards work chair-chair"):
        images(single / "train" / key, "0.png")
        images(single / "test" / "Positive" / key, "0.png")
        for split in ("Negative (Hard)", "Negative (Other)", "Fake"):
            images(single / "test" / split / key, "n.png")
    images(single / "test" / "Positive" / "Reynards keyboard-keyboard", "1_double.png")
    for key in ("Zak-man", "Zaks dog kona-dog", "Gab-woman"):
        images(multi / "train" / key, "0.png")
    for pair in ("Zak_and_Zaks dog kona", "Gab_and_Zak"):
        images(multi / "test" / pair, "0.png")
    return tmp_path


def test_display_names_get_their_apostrophes_back() -> None:
    names = {
        "Zaks dog kona": "Zak's dog Kona",
        "Alexs hat": "Alex's hat",
        "Zak": "Zak",
        "Reynards keyboard": "Reynard's keyboard",
    }
    assert {key: display_name(key) for key in names} == names


def test_negative_splits_hold_only_refusals_of_their_own_concept(this_is_my: Path) -> None:
    recognition = kinds(load_dataset("this-is-my-img-single", this_is_my), "recognition")
    negatives = [sample for sample in recognition if sample.split != "Positive"]
    assert {sample.split for sample in negatives} == {"Negative (Hard)", "Negative (Other)", "Fake"}
    assert len(negatives) == 3 * 2
    assert not any(sample.present for sample in negatives)


def test_double_images_show_both_concepts(this_is_my: Path) -> None:
    recognition = kinds(load_dataset("this-is-my-img-single", this_is_my), "recognition")
    double = [sample for sample in recognition if sample.pictures[0].endswith("_double.png")]
    assert [(sample.asked, sample.present) for sample in double] == [
        ("Reynards keyboard", True),
        ("Reynards work chair", True),
    ]


def test_pairs_are_sets_and_everybody_is_remembered(this_is_my: Path) -> None:
    manifest = load_dataset("this-is-my-img-multi", this_is_my)
    assert set(manifest.sets) == {("Zak", "Zaks dog kona"), ("Gab", "Zak")}
    sample = kinds(manifest, "recognition")[0]
    assert sample.known == ("Gab", "Zak", "Zaks dog kona")


def test_questions_about_pairs_choices_and_open_ones(this_is_my: Path) -> None:
    entry = {
        "question": "Where are <sks>?",
        "answer": "B",
        "gpt_answer": "in the park",
        "options": {"A": "x", "B": "y"},
    }
    open_entry = {"question": "Where is <sks>?", "answer": "in the park"}
    questions = {"Zak_Zaks dog kona": {"../test/Zak_and_Zaks dog kona/0.png": entry}}
    put_json(this_is_my / "Multi-concept/VQA/a.json", questions)
    put_json(this_is_my / "Multi-concept/VQA/b.json", {"Zak": {"../test/Gab_and_Zak/0.png": open_entry}})
    manifest = load_dataset("this-is-my-img-multi", this_is_my)
    (choice,), (both_ways, said) = kinds(manifest, "choice"), kinds(manifest, "open")
    assert (choice.question, choice.answer) == ("Where are <Zak> and <Zaks dog kona>?", 1)
    assert (both_ways.question, both_ways.answer) == (choice.question, "in the park")
    place = "a/Zak_Zaks dog kona/../test/Zak_and_Zaks dog kona/0.png"
    assert (choice.id, both_ways.id) == (f"choice/{place}", f"open/{place}")
    assert (said.answer, said.pictures) == ("in the park", ("test/Gab_and_Zak/0.png",))
    assert manifest.in_words(choice.question) == "Where are Zak and Zak's dog Kona?"


# -- RAP


@pytest.fixture
def rap(tmp_path: Path) -> Path:
    concepts = {
        f"<{key}>": {"name": key, "image": f"db/{key}.png", "info": f"<{key}> is small.", "category": "dog"}
        for key in ("bo", "H")
    }
    put_json(tmp_path / "database.json", {"concept_dict": concepts, "path_to_concept": {}})
    images(tmp_path, "db/bo.png", "db/H.png", "t/bo.png", "m/1.png", "m/2.png")
    return tmp_path


def test_rap_scores_by_correct_answer_and_drops_duplicates(rap: Path) -> None:
    row = {"image": "t/bo.png", "question": "?", "concept": "<bo>", "type": "positive", "correct_answer": True}
    mislabelled = row | {"type": "negative"}
    other = row | {"concept": "H", "type": "negative", "correct_answer": False}
    put_json(rap / "recognition_test.json", [row, mislabelled, other])
    samples = kinds(load_dataset("rap", rap), "recognition")
    assert [(sample.asked, sample.present) for sample in samples] == [("bo", True), ("H", False)]


def test_rap_lists_of_several_concepts(rap: Path) -> None:
    put_json(rap / "two.json", {"m/1.png": ["<bo>", "H"], "m/2.png": ["H"]})
    manifest = load_dataset("rap", rap)
    assert [sample.present for sample in kinds(manifest, "caption")] == [("bo", "H"), ("H",)]
    assert [sample.present for sample in kinds(manifest, "recognition")] == [True, True, False, True]
    assert all(sample.known == ("bo", "H") for sample in manifest.samples)


def test_rap_reads_its_repository_whose_images_are_named_from_its_root(tmp_path: Path) -> None:
    concept = {"name": "bo", "image": "example_database/bo.png", "info": "<bo> is a dog.", "category": "dog"}
    row = {"image": "benchmark_data/yollava-data/test/bo/4.png", "concept": "bo", "correct_answer": True}
    put_json(tmp_path / "example_database/database.json", {"concept_dict": {"<bo>": concept}})
    put_json(tmp_path / "eval/recognition_test.json", [row])
    put_json(tmp_path / "eval/yollava-visual-qa.json", {"bo": {row["image"]: QUESTION}})
    put_json(tmp_path / "eval/two.json", {"two/1.png": ["<bo>"]})
    images(tmp_path, concept["image"], row["image"], "eval/two/1.png")
    manifest = load_dataset("rap", tmp_path)
    assert manifest.subject("bo").references == ("example_database/bo.png",)
    single, multi = kinds(manifest, "recognition")
    assert (single.pictures, multi.pictures) == ((row["image"],), ("eval/two/1.png",))


def test_rap_finds_images_named_from_the_repository_beside_a_database(tmp_path: Path) -> None:
    folder = tmp_path / "example_database"
    concept = {"name": "bo", "image": "example_database/bo.png"}
    put_json(folder / "database.json", {"concept_dict": {"<bo>": concept}})
    put_json(folder / "one.json", {"benchmark_data/4.png": ["bo"]})
    images(tmp_path, "example_database/bo.png", "benchmark_data/4.png")
    manifest = load_dataset("rap", folder)
    assert manifest.subject("bo").references == ("bo.png",)
    assert kinds(manifest, "caption")[0].pictures == ("../benchmark_data/4.png",)


def test_rap_refuses_names_the_database_lacks(rap: Path) -> None:
    put_json(rap / "two.json", {"m/1.png": ["<nobody>"]})
    with pytest.raises(DatasetError, match="nobody"):
        load_dataset("rap", rap)


# -- MC-LLaVA


@pytest.fixture
def mc_llava(tmp_path: Path) -> Path:
    part = tmp_path / "two_concept"
    for key in ("Anna", "L"):
        images(part / "concept/train" / key, "0.png", "0_mask.png")
        images(part / "concept/test" / key, "0.png")
        where = f"x/{key}/0.png"
        choice = {"Human": "Who is that?\nA. Anna B. L C. a cat", "AI": "A" if key == "Anna" else "B."}
        put_json(part / "concept/test" / key / "choice.json", {where: choice})
        put_json(part / "concept/test" / key / "vqa.json", {where: {"Human": "What does <L> do?", "AI": "Anna runs."}})
        text = {"question": "Who runs? A. Anna B. L", "answer": "A"}
        put_json(part / "concept/test" / key / "qa.json", [text])
    images(part / "multi/Anna_L", "0.png", "1.png")
    pairs = [{"Human": f"Who {number}? A. Anna B. L", "AI": "A"} for number in range(3)]
    put_json(part / "multi/Anna_L/choice.json", {"y/0.png": pairs})
    put_json(
        part / "multi/Anna_L/position.json",
        {"y/0.png": {"Anna": "left", "L": None}, "y/1.png": {"Anna": "a", "L": "b"}},
    )
    return tmp_path


def test_mc_llava_query_types_and_both_forms_of_entries(mc_llava: Path) -> None:
    choices = [sample for sample in kinds(load_dataset("mc-llava", mc_llava), "choice") if sample.pictures]
    assert [sample.split for sample in choices] == ["si_sq", "si_sq", "mi_sq", "mi_sq", "mi_mq"]
    assert choices[0].options == ("<Anna>", "<L>", "a cat")
    assert (choices[1].question, choices[1].answer) == ("Who is that?", 1)


def test_mc_llava_trusts_the_files_not_the_readme(mc_llava: Path) -> None:
    manifest = load_dataset("mc-llava", mc_llava)
    assert len(manifest.of_task("text")) == 2
    said = manifest.of_task("open")[0]
    assert (said.question, said.answer) == ("What does <L> do?", "<Anna> runs.")


def test_mc_llava_absent_means_null_position_and_masks_are_no_references(mc_llava: Path) -> None:
    manifest = load_dataset("mc-llava", mc_llava)
    assert manifest.subject("Anna").references == ("two_concept/concept/train/Anna/0.png",)
    multi = [sample for sample in kinds(manifest, "caption") if sample.split == "mi"]
    assert [sample.present for sample in multi] == [("Anna",), ("Anna", "L")]
    joint = [sample for sample in kinds(manifest, "recognition") if sample.split == "si_sq" and not sample.present]
    assert len(joint) == 2  # m * (m - 1) images of the scene's other characters


def test_mc_llava_scene_needs_its_characters(mc_llava: Path) -> None:
    images(mc_llava / "two_concept/multi/Anna_Nobody", "0.png")
    with pytest.raises(DatasetError, match="Nobody"):
        load_dataset("mc-llava", mc_llava)


# -- This-is-My video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    rows = [
        "segment_id,is_anchor,instance_name,video_id,channel_id,start_time,end_time,query",
        "s1,True,Zak's dog,v1,c,0,3,dog",
        "s2,False,Zak's dog,v1,c,3,6,dog",
        "s3,False,Zak's dog,v2,c,0,3,dog",
        "s4,True,Gab's cup,v3,c,0,3,cup",
        "s5,False,Gab's cup,v4,c,0,3,cup",
        "s6,False,Gab's cup,v1,c,9,12,cup",
    ]
    (tmp_path / "segments.csv").write_text("\n".join(rows))
    put_json(tmp_path / "this-is-my_test-set.json", {"s1": ["s2", "s3"], "s4": ["s5", "s6"]})
    for clip in ("train_segment/s1", "train_segment/s2", "eval_segment/s3", "train_segment/s4", "eval_segment/s5"):
        (tmp_path / clip).parent.mkdir(exist_ok=True)
        (tmp_path / f"{clip}.mp4").write_bytes(b"x")
    return tmp_path


def test_video_splits_by_video_not_by_segment(video: Path) -> None:
    manifest = load_dataset("this-is-my-video", video)
    assert manifest.subject("Zak's dog").references == ("train_segment/s1.mp4", "train_segment/s2.mp4")
    asked = {(sample.video, sample.asked): sample.present for sample in manifest.samples}
    assert asked[("eval_segment/s3.mp4", "Zak's dog")]
    assert not asked[("eval_segment/s3.mp4", "Gab's cup")]
    assert not any("s6" in clip for clip, _ in asked)  # from an anchor's video


def test_video_counts_missing_clips_and_needs_both_kinds(video: Path) -> None:
    (video / "eval_segment/s5.mp4").unlink()
    manifest = load_dataset("this-is-my-video", video)
    assert [subject.key for subject in manifest.subjects] == ["Zak's dog"]
    assert "1 of 2 instances" in manifest.notes[0]
    (video / "eval_segment/s3.mp4").unlink()
    with pytest.raises(DatasetError, match="no instance"):
        load_dataset("this-is-my-video", video)


def test_video_questions_of_the_user(video: Path) -> None:
    put_json(video / "video-qa.json", {"Zak's dog": {"s3": {"question": "What does <sks> do?", "answer": "runs"}}})
    manifest = load_dataset("this-is-my-video", video)
    said = [sample for sample in manifest.of_task("video") if sample.kind == "open"]
    assert [(sample.video, sample.known) for sample in said] == [("eval_segment/s3.mp4", ("Zak's dog", "Gab's cup"))]


# -- a plain folder


def test_plain_folder_with_facts_and_pictures_of_two_concepts(tmp_path: Path) -> None:
    for key in ("a/cat", "b/cat", "b/dog"):
        images(tmp_path / key / "refs", "0.png")
        images(tmp_path / key / "tests", "0.png")
    facts = [{"id": "a/cat", "class": "cat", "group": "pets", "description": "a grey cat"}]
    several = [{"image": "photos/b/dog/tests/0.png", "concepts": ["b/dog", "a/cat"]}]
    put_json(tmp_path / "concepts.json", {"concepts": facts, "natural_multi_concept_images": several})
    put_json(tmp_path / "questions.json", {"a/cat": {"a/cat/tests/0.png": QUESTION}})
    manifest = load_dataset("folder", tmp_path)
    assert [subject.name for subject in manifest.subjects] == ["a cat", "b cat", "dog"]
    assert manifest.subject("a/cat").info == "a grey cat"
    assert sum(sample.present for sample in kinds(manifest, "recognition")) == 4
    assert len(kinds(manifest, "choice")) == 1


def test_plain_folder_without_references(tmp_path: Path) -> None:
    (tmp_path / "cat" / "refs").mkdir(parents=True)
    with pytest.raises(DatasetError, match="concepts with no reference image: cat"):
        load_dataset("folder", tmp_path)


def test_real_photos(data: Path) -> None:
    manifest = load_dataset("folder", data / "concepts")
    assert len(manifest.subjects) == 45
    assert len(kinds(manifest, "recognition")) == 45 * len(kinds(manifest, "caption"))


# -- the manifest itself


def test_manifest_survives_saving_and_renaming(yollava: Path, tmp_path: Path) -> None:
    put_json(yollava / "yollava-visual-qa.json", {"bo": {"yollava-data/test/bo/0.png": QUESTION}})
    manifest = load_dataset("yollava", yollava)
    manifest.save(tmp_path / "manifest.json")
    assert load_manifest(tmp_path / "manifest.json") == manifest
    neutral = with_neutral_names(manifest)
    assert [subject.name for subject in neutral.subjects] == ["Aero", "Vex"]
    assert neutral.in_words("What is <bo>?") == "What is Aero?"
    assert neutral.samples == manifest.samples


def test_manifest_is_found_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(tmp_path / "photos/cat", "refs/0.png", "tests/0.png")
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    load_dataset("folder", Path("photos")).save(Path("results/manifest.json"))
    assert json.loads(Path("results/manifest.json").read_text())["root"] == "../photos"
    monkeypatch.chdir(tmp_path / "results")
    for path in (Path("manifest.json"), Path("../results/manifest.json"), tmp_path / "results/manifest.json"):
        assert Path(load_dataset("manifest", path).root) == tmp_path / "photos"


def test_manifest_moves_together_with_its_images(tmp_path: Path) -> None:
    images(tmp_path / "here/cat", "refs/0.png", "tests/0.png")
    load_dataset("folder", tmp_path / "here").save(tmp_path / "here/manifest.json")
    (tmp_path / "here").rename(tmp_path / "there")
    assert Path(load_dataset("manifest", tmp_path / "there/manifest.json").root) == tmp_path / "there"


def test_manifest_on_another_drive_keeps_an_absolute_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr("ego.evaluation.manifest.os.path.relpath", refuse)
    Manifest(dataset="d", root=str(tmp_path), subjects=(), samples=()).save(tmp_path / "manifest.json")
    assert json.loads((tmp_path / "manifest.json").read_text())["root"] == str(tmp_path)


def test_neutral_names_leave_no_old_name_in_the_information() -> None:
    subjects = (
        Subject(key="bo", name="bo", references=(), info="<bo> is a dog. Bo chases <cat-cup> and <the cup>."),
        Subject(key="cat-cup", name="the cup", references=(), info="A cat-cup with a cat-cup-like ear; <cat-cup>."),
        Subject(key="x/cat", name="cat", references=(), info="A grey cat, like <x/cat> and <cat>."),
    )
    neutral = with_neutral_names(Manifest(dataset="d", root=".", subjects=subjects, samples=()))
    assert [subject.info for subject in neutral.subjects] == [
        "Aero is a dog. Aero chases Vex and Vex.",
        "A Vex with a cat-cup-like ear; Vex.",
        "A grey cat, like Echo and Echo.",  # "a grey cat" says what it is, not who
    ]


def test_manifest_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(DatasetError, match="not a manifest"):
        load_dataset("manifest", tmp_path / "manifest.json")


def test_of_two_concepts_of_one_key_the_first_counts(tmp_path: Path) -> None:
    images(tmp_path / "cat", "refs/0.png", "tests/0.png")
    twice = load_dataset("folder", tmp_path)
    broken = twice.model_copy(update={"subjects": twice.subjects * 2})
    broken.save(tmp_path / "manifest.json")
    read = load_dataset("manifest", tmp_path / "manifest.json")
    assert read.subjects == twice.subjects
    assert "1 left out, entries whose key appears twice: cat" in read.notes


# -- texts


def test_names_of_one_letter_need_their_brackets() -> None:
    assert with_keys("Is A near <L>? Ann or Anna?", ["A", "L", "Ann", "Anna"]) == "Is A near <L>? <Ann> or <Anna>?"


def test_an_entry_is_asked_by_options_openly_or_both_ways() -> None:
    def read(entry: dict) -> list[tuple[str, object]]:
        samples = questions(entry, "1", "bo", pictures=("0.png",), known=("bo",))
        return [(sample.id, sample.answer) for sample in samples]

    assert read(QUESTION) == [("choice/1", 0)]
    assert read(QUESTION | {"gpt_answer": "<sks> is a dog"}) == [("choice/1", 0), ("open/1", "<bo> is a dog")]
    assert read({"question": "?", "answer": "grass"}) == [("open/1", "grass")]
    assert read({"question": "?", "answer": "grass", "gpt_answer": "on grass"}) == [("open/1", "on grass")]
    with pytest.raises(DatasetError, match="'C' is none of the options"):
        read(QUESTION | {"correct_answer": "C"})


def test_options_inside_a_question() -> None:
    assert inline_options("Dr. No? (A) yes (B) no") == ("Dr. No?", ("yes", "no"))
    with pytest.raises(DatasetError, match="no options"):
        inline_options("Who is it?")
