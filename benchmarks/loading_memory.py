"""Peak memory of the host while a large checkpoint is loaded, as a share of its size.

    python benchmarks/loading_memory.py [--gigabytes 2]

Writes an InternVL with random weights in bfloat16 and files of half a gigabyte, and loads it in a process of its own
for each target: into the memory of the host, and with the decoder elsewhere (on an accelerator where there is one, else
on a disk). What is counted is the largest resident memory of the process beyond what it had before, pages of the files
that the system mapped for it included. Linux only.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

SHARD = "500MB"
WIDTH, VOCABULARY = 1024, 32_000
BYTES, GIGABYTE = 2, 1e9
LAYER_PARAMETERS = 3 * WIDTH * 4 * WIDTH + 4 * WIDTH**2  # of a layer of the decoder
TARGETS = ("host", "elsewhere")


def write(folder: Path, gigabytes: float) -> float:
    """Write a checkpoint of about so many gigabytes; return how many it has."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from tests.backbones import tiny  # noqa: PLC0415

    tiny.save("internvl3", folder)
    (folder / "model.safetensors").unlink()
    config = tiny.internvl("internvl3")
    text = config.text_config
    text.hidden_size, text.intermediate_size, text.vocab_size = WIDTH, 4 * WIDTH, VOCABULARY
    text.num_attention_heads = text.num_key_value_heads = WIDTH // 64
    text.num_hidden_layers = round((gigabytes * GIGABYTE / BYTES - 2 * VOCABULARY * WIDTH) / LAYER_PARAMETERS)
    text.layer_types = ["full_attention"] * text.num_hidden_layers
    model = transformers.AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    model.generation_config.eos_token_id = tiny.token("internvl3", "<|im_end|>")
    model.save_pretrained(folder, max_shard_size=SHARD)
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / GIGABYTE


def resident(what: str) -> float:
    """Read from the system how much memory this process has ("VmRSS"), or had at most ("VmHWM"), GB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024 / GIGABYTE


def load(folder: str, target: str) -> None:
    """Load a checkpoint and print how much more memory that took at most, GB."""
    import torch  # noqa: PLC0415

    from ego.backbones import load_backbone  # noqa: PLC0415

    load_backbone("mini")  # everything that a first load brings in
    before = resident("VmRSS")
    if target == "host":
        load_backbone(folder, device="cpu", dtype="bfloat16")
    elif torch.cuda.is_available():
        load_backbone(folder, device="cuda", dtype="bfloat16")
    else:
        whole = dict.fromkeys(("model.vision_tower", "model.multi_modal_projector", "lm_head"), "cpu")
        load_backbone(folder, device_map={**whole, "model.language_model": "disk"}, dtype="bfloat16", self_check=False)
    print(resident("VmHWM") - before)


def main() -> None:
    """Print one line for each target."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gigabytes", type=float, default=2.0)
    options.add_argument("--load", nargs=2, metavar=("FOLDER", "TARGET"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    if chosen.load:
        load(*chosen.load)
        return
    with tempfile.TemporaryDirectory() as folder:
        size = write(Path(folder), chosen.gigabytes)
        print("| target | checkpoint, GB | host memory at most, GB | share |")
        print("|---|---|---|---|")
        for target in TARGETS:
            command = [sys.executable, __file__, "--load", folder, target]
            made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            more = float(made.stdout.split()[-1])
            print(f"| {target} | {size:.2f} | {more:.2f} | {more / size:.2f} |", flush=True)


if __name__ == "__main__":
    main()
