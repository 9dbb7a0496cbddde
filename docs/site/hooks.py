"""For the site: bring in the pages that stand beside what they describe, and point links at them."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
BROUGHT_IN = {"model-card.md": "src/ego/backbones/mini/MODEL_CARD.md", "recipe.md": "training/mini/README.md"}
KINDS = ("sh gpu", "python gpu", "toml settings")  # how the tests tell code blocks apart


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere."""
    for name, source in BROUGHT_IN.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to those pages, and name code blocks by their language alone."""
    for name, source in BROUGHT_IN.items():
        markdown = markdown.replace(f"](../{source})", f"]({name})")
    for kind in KINDS:
        markdown = markdown.replace(f"```{kind}\n", f"```{kind.split()[0]}\n")
    return markdown
