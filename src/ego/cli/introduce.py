"""`ego introduce`: remember a concept from photos."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ego.cli.introduce_many import Spread, introduce_manifest
from ego.cli.opening import open_personalizer, open_store
from ego.cli.options import (
    MANY,
    BatchOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    ModelOption,
    RayAddressOption,
    RayOption,
    WorkersOption,
)
from ego.cli.output import Output
from ego.cli.paths import require_files
from ego.cli.settings import Settings, resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.concept import Concept, Region
    from ego.config import EgoConfig
    from ego.memory import ConceptMemory, ViewRecord
    from ego.memory_header import MemoryHeader

LARGE_SHARE = 0.25  # of context_budget; a memory beyond it is worth a word
_SUBJECT = "Where the subject is"


class MaskSpace(StrEnum):
    """What a mask is of."""

    displayed = "displayed"
    stored = "stored"


def introduce(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What you call it, for example Bo.", show_default=False)
    ] = "",
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGE", help="One or a few photos of it, or a short video.", show_default=False),
    ] = None,
    *,
    category: Annotated[str, typer.Option(help="What it is, for example dog; for your own overview.")] = "",
    notes: Annotated[str, typer.Option(help="Free text; for your own overview.")] = "",
    keywords: Annotated[
        str, typer.Option(help="Words that replace the model's own description.", rich_help_panel=_SUBJECT)
    ] = "",
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X0,Y0,X1,Y1",
            help="Pixels around the subject, one box per image, in the picture as displayed; replaces the description.",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Mask of the picture as displayed, one per image: not black on the subject (any value, any label), or "
            "transparent around it.",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    mask_space: Annotated[
        MaskSpace | None,
        typer.Option(
            help="What the masks are of where a photo is turned by its EXIF orientation.",
            show_default="found by the mask's shape; asked for where both fit",
            rich_help_panel=_SUBJECT,
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a concept of that name.")] = False,
    add_view: Annotated[bool, typer.Option("--add-view", help="Add the photos to a remembered concept.")] = False,
    thumbnail: Annotated[bool, typer.Option("--thumbnail", help="Store a small picture beside the memory.")] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Introduce all concepts of a file instead: one JSON object a line with name, images and, if wanted, "
            "category, notes, keywords, boxes. The same command again goes on where it was stopped.",
            rich_help_panel=MANY,
        ),
    ] = None,
    batch: BatchOption = 8,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
    workers: WorkersOption = None,
    keep_views: Annotated[
        int | None,
        typer.Option(
            "--best-views",
            min=1,
            help="Of many photos, keep the views that differ most, with --add-view also from what is known.",
            show_default="all",
        ),
    ] = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remember a concept from one or a few photos. Nothing is stored before all is done."""
    if manifest is not None:
        single = (name, images, category, notes, keywords, box, mask, add_view)
        if any(single):
            raise InputError("--manifest says it all; leave NAME, IMAGE and what describes a single concept out")
        settings, spread = resolve(model, library, device), Spread(ray, ray_address, workers, batch)
        introduce_manifest(manifest, settings, spread, Output(as_json=as_json), replace=replace, thumbnail=thumbnail)
        return
    if ray or ray_address or workers:
        raise InputError("--ray is for many concepts; give them in a file with --manifest")
    if not name or not images:
        raise InputError("give a NAME and at least one IMAGE, or many concepts with --manifest FILE")
    from ego.concept import Concept

    if replace and add_view:
        raise InputError("--replace and --add-view contradict each other; give one of them")
    if add_view and (category or notes or thumbnail):
        raise InputError("--add-view changes neither category nor notes nor thumbnail; leave them out")
    output = Output(as_json=as_json)
    regions = _regions(box or (), mask or (), mask_space)
    require_files(images)
    concept = Concept(name, images, category=category, notes=notes, keywords=keywords, regions=regions)
    settings = resolve(model, library, device)
    if settings.server is not None:
        _remember_there(settings.server, concept, output, replace, add_view, thumbnail)
        return
    memory = _remember(concept, settings, output, replace, add_view, thumbnail, keep_views)
    output.result(describe_memory(memory), *_for_people(memory))


def describe_memory(memory: "ConceptMemory") -> dict[str, Any]:
    """Tell what a memory is and how it came about, as plain values."""
    return describe_story(memory) | {"thumbnail": memory.thumbnail is not None}


def describe_story(story: "ConceptMemory | MemoryHeader") -> dict[str, Any]:
    """Tell the same as far as the header of its file knows it."""
    return {
        "name": story.name,
        "category": story.category,
        "notes": story.notes,
        "tokens": sum(len(view.kept) for view in story.views),
        "model": story.fingerprint.model_id,
        "created": story.created,
        "views": [_describe_view(view) for view in story.views],
    }


def _describe_view(view: "ViewRecord") -> dict[str, Any]:
    return view.model_dump(mode="json", exclude={"boxes", "importance"})


def _remember(
    concept: "Concept",
    settings: Settings,
    output: Output,
    replace: bool,
    add_view: bool,
    thumbnail: bool,
    keep_views: int | None,
) -> "ConceptMemory":
    from ego.view_likeness import pointed_out

    if not (replace or add_view):
        open_store(settings, may_be_new=True).require_free(concept.name)  # before minutes are spent on a large model
    personal = open_personalizer(settings, output, may_be_new=not add_view, thumbnails=thumbnail or None)
    with output.working(f"introducing {concept.name}: {len(concept.images)} reference image(s)"):
        if add_view:
            return personal.add_view(
                concept.name, concept.images, keywords=concept.keywords, regions=concept.regions, most=keep_views
            )
        memory = personal.build(concept)
    memory = _affordable(memory, personal.config, output, keep_views)
    personal.store.add(memory, replace=replace, stored_type=personal.config.stored_type)
    return pointed_out(personal.store.get(memory.name))


def _affordable(
    memory: "ConceptMemory", config: "EgoConfig", output: Output, keep_views: int | None
) -> "ConceptMemory":
    """Say what a large memory costs in every prompt, and keep the best views if that is wanted."""
    from ego.best_views import best_views

    if keep_views is not None:
        return best_views(memory, keep_views)
    tokens, views = len(memory.tokens), len(memory.views)
    most = int(LARGE_SHARE * config.context_budget)
    if tokens <= most or views == 1:
        return memory
    enough = max(1, views * most // tokens)
    output.note(
        f"{memory.name} takes {tokens} tokens of every prompt, of {config.context_budget} for all concepts together "
        f"(context_budget): the others have less room, and are told apart less well; --best-views {enough} keeps the "
        f"{enough} of {views} views that differ most"
    )
    if output.can_ask and output.confirmed(f"Keep the {enough} best views only?"):
        return best_views(memory, enough)
    return memory


def _remember_there(
    server: str, concept: "Concept", output: Output, replace: bool, add_view: bool, thumbnail: bool
) -> None:
    from ego.client.remote import connect

    personal = connect(server)
    with output.working(f"introducing {concept.name} at {server}"):
        if add_view:
            made = personal.add_view(concept.name, concept.images, keywords=concept.keywords)
        else:
            made = personal.introduce(concept, replace=replace, thumbnail=thumbnail)
    told = made.described
    lines = [f"view {number}: {view['size_rule']}" for number, view in enumerate(told["views"])]
    output.result(told, f"{made.name} is remembered in {told['tokens']} visual tokens.", *lines)


def _for_people(memory: "ConceptMemory") -> list[str]:
    lines = [f"{memory.name} is remembered in {len(memory.tokens)} visual tokens."]
    for number, view in enumerate(memory.views):
        lines.append(f"view {number}: {len(view.kept)} of {view.candidates} tokens in {view.seconds:.1f} s")
        lines.append(f"  {view.size_rule}")
        if view.description:
            lines.append(f"  {view.description_by}: {view.description}")
    return lines


def _regions(
    boxes: "list[str] | tuple[()]", masks: "list[Path] | tuple[()]", space: MaskSpace | None
) -> "list[Region]":
    from ego.concept import Region
    from ego.media.masks import read_mask

    if boxes and masks:
        raise InputError("give boxes or masks, not both")
    return [Region(box=_box(text)) for text in boxes] or [
        Region(mask=read_mask(path), space=None if space is None else space.value) for path in masks
    ]


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"box {text!r} is not four numbers; write left,top,right,bottom in pixels") from error
    return left, top, right, bottom
