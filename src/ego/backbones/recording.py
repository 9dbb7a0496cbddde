"""What of a prompt is to be recorded -> a Recorder for the attention probe."""

from ego.backbones.attention_probe import Recorder
from ego.backbones.base import Record
from ego.backbones.capabilities import Capabilities
from ego.backbones.chat_tokens import ChatTokens
from ego.errors import BackboneError
from ego.prompt import Prompt, Text


def recorder_of(
    record: Record,
    prompt: Prompt,
    chat: ChatTokens,
    can: Capabilities,
    modules: dict[int, int],
    *,
    first: int,
    seen: int,
) -> Recorder:
    """Prepare to record rows to the visual tokens of one part.

    Args:
        record: Layers and part.
        prompt: What is asked.
        chat: The same in tokens.
        can: What the model can do.
        modules: `id(module)` of the attention modules -> layer.
        first: First token whose row is wanted.
        seen: Tokens in the cache before the run.

    Raises:
        BackboneError: If a layer has no attention map, or the part holds no visual tokens.
    """
    foreign = [layer for layer in record.layers if layer not in can.attention_layers]
    if foreign or not record.layers:
        raise BackboneError(
            f"layers {foreign or 'none'} cannot be recorded; layers with an attention map are "
            f"{list(can.attention_layers)}"
        )
    visual_parts = [index for index, part in enumerate(prompt.parts) if not isinstance(part, Text)]
    if record.part not in visual_parts:
        raise BackboneError(f"part {record.part} holds no visual tokens; parts {visual_parts} do")
    columns = chat.visuals[visual_parts.index(record.part)].positions
    return Recorder(modules, layers=record.layers, columns=columns, from_position=first, seen=seen)
