"""The training recipe is not a package: its modules stand in one folder and import each other by name."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training" / "mini"))
pytest.importorskip("cv2", reason="the training recipe renders with OpenCV: pip install 'ego-vlm[train]'")
pytest.importorskip("efficientnet_lite_pytorch", reason="stage C has a teacher: pip install 'ego-vlm[train]'")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder: the recipe changes seldom, and its tests take long."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.thorough)
