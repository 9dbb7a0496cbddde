"""`ego check-library`, views added for what they add, and views taken out, as they are typed."""

from tests.command import Run
from tests.test_cli import PICTURES, WORDS, ego, knows_bo, library_with_bo, settings_folder  # noqa: F401  (fixtures)


def test_a_library_is_checked_and_mended(knows_bo: Run) -> None:  # noqa: F811
    [bo] = knows_bo("check-library", "--json").document
    assert (bo["name"], bo["views"], bo["precision"]) == ("Bo", 1, None)
    wrong = PICTURES / "nanas-teapot-1.jpg"
    added = knows_bo("introduce", "Bo", PICTURES / "bo-2.jpg", wrong, "--add-view", "--best-views", "1", "--json")
    assert len(added.document["views"]) == 2, added.err
    chosen = added.document["views"][1]["image"]
    shown = knows_bo("introduce", "Teapot", wrong, PICTURES / "nanas-teapot-2.jpg", "--keywords", WORDS, "--json")
    assert chosen == shown.document["views"][0]["image"], "the photo of something else differs most"
    checked = {one["name"]: one for one in knows_bo("check-library", "--json").document}
    assert [name for name, _ in checked["Bo"]["mistaken_for"]] == ["Teapot"]
    assert "confused with Teapot" in " ".join(checked["Bo"]["advice"])
    said = knows_bo("check-library").out
    assert "Bo is taken for Teapot: " in said
    assert knows_bo("concepts", "remove-view", "Bo", "1").out == "Bo has 1 views now.\n"
    assert knows_bo("concepts", "remove-view", "Bo", "0").code == 2
    assert knows_bo("concepts", "remove-view", "Bo", "7").code == 2


def test_nothing_to_check(ego: Run) -> None:  # noqa: F811
    done = ego("check-library", "--json")
    assert (done.code, done.document) == (0, [])
    assert "ego introduce" in done.err
