"""The training recipe is not a package: its modules stand in one folder and import each other by name."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training" / "mini"))
pytest.importorskip("cv2", reason="the training recipe renders with OpenCV: pip install 'ego-vlm[train]'")
pytest.importorskip("efficientnet_lite_pytorch", reason="stage C has a teacher: pip install 'ego-vlm[train]'")
