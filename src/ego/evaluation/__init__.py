"""Measure personalization methods, ours and others', under one protocol.

A data set becomes a `manifest` (datasets/), a `method` answers its samples (methods/), `runner` writes one record per
answer, `metrics` score the records with confidence intervals and `report` puts them side by side.
"""

from importlib.util import find_spec

from ego.errors import ConfigError

EXTRA = ("jinja2", "matplotlib", "pycocotools", "scipy", "sklearn")


def require_extra() -> None:
    """Say at once what a run would miss at its end.

    Raises:
        ConfigError: If packages of the extra `eval` are not installed.
    """
    if missing := [name for name in EXTRA if find_spec(name) is None]:
        raise ConfigError(f"evaluation needs {', '.join(missing)}; install them with: pip install 'ego-vlm[eval]'")
