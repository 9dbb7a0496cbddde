"""`ego models`: the families of models, what each supports and what it needs."""

from typing import TYPE_CHECKING, Any

from ego.cli.options import JsonOption
from ego.cli.output import Output

if TYPE_CHECKING:
    from ego.backbones.families import Checkpoint, Family


FOOTNOTE = (
    "GB: weights in bfloat16, 2 bytes per parameter; arithmetic, not a measurement. Activations and the cache of the "
    "prompt come on top. mini, the embedded model, is of the first family."
)


def models(*, as_json: JsonOption = False) -> None:
    """List the families of models, what each supports, and the memory that example checkpoints need."""
    from ego.backbones.families import UNKNOWN, families

    table = [line for family in (*families(), UNKNOWN) for line in _lines(family)]
    Output(as_json=as_json).result([_describe(family) for family in (*families(), UNKNOWN)], *table, FOOTNOTE)


def _lines(family: "Family") -> list[str]:
    return [
        f"{family.name} (heat-map: {'yes' if family.geometry else 'no'})",
        f"  {family.notes}",
        *(f"  {checkpoint.model_id:<46} {checkpoint.weights_gb:5.1f} GB" for checkpoint in family.checkpoints),
        "",
    ]


def _describe(family: "Family") -> dict[str, Any]:
    return {
        "family": family.name,
        "model_types": list(family.model_types),
        "heatmap": family.geometry is not None,
        "limits_visual_tokens": family.limit is not None,
        "checkpoints": [_describe_checkpoint(checkpoint) for checkpoint in family.checkpoints],
        "notes": family.notes,
    }


def _describe_checkpoint(checkpoint: "Checkpoint") -> dict[str, Any]:
    return {"model": checkpoint.model_id, "weights_gb": checkpoint.weights_gb}
