"""Cost against size, one line for each way."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ego.bench.growth import Growth

RESOLUTION = 120  # dots per inch


def draw(measured: Growth, path: Path) -> Path:
    """Draw a bench into a picture file."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    sizes = [point.size for point in measured.points]
    for way in measured.points[0].ways:
        axes.plot(sizes, [point.seconds(way.name) for point in measured.points], "o-", label=way.name)
    axes.set(xscale="log", yscale="log", xlabel=measured.grows, ylabel=f"seconds, median of {measured.rounds}")
    axes.set_title(f"ego bench {measured.bench}: {measured.model}", fontsize=9)
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(path, dpi=RESOLUTION)
    return path
