"""Exports checkpoints by Hugging Face's Optimum, with keys and values: onnx_optimum.py OUT CHECKPOINT ...

Each goes to OUT/NAME, where NAME is that of the checkpoint's directory. One line is printed for each: its name, and what kept
Optimum from exporting it, if anything did.
"""

import json
import logging
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

from optimum.exporters.onnx import main_export


def older_configuration(config):
    """The names that transformers 4 has for the rotations, beside those of transformers 5."""
    rope = config.get("rope_parameters") or {}
    full = rope.get("full_attention", rope)
    if "rope_theta" in full:
        config.setdefault("rope_theta", full["rope_theta"])
    if "rope_theta" in rope.get("sliding_attention", {}):
        config.setdefault("rope_local_base_freq", rope["sliding_attention"]["rope_theta"])
    if "partial_rotary_factor" in full:
        name = "rotary_pct" if config["model_type"] == "gpt_neox" else "partial_rotary_factor"
        config.setdefault(name, full["partial_rotary_factor"])
    if "rope_theta" in config and config["model_type"] == "gpt_neox":
        config.setdefault("rotary_emb_base", config["rope_theta"])
    return config


def export(checkpoint, out):
    with tempfile.TemporaryDirectory() as copy:
        copy = Path(copy)
        for file in checkpoint.iterdir():
            if file.suffix in (".json", ".safetensors"):
                shutil.copy(file, copy / file.name)
        config = older_configuration(json.loads((copy / "config.json").read_text()))
        (copy / "config.json").write_text(json.dumps(config))
        main_export(str(copy), str(out), task="text-generation-with-past", device="cpu", do_validation=False)


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    out = Path(sys.argv[1])
    for checkpoint in map(Path, sys.argv[2:]):
        try:
            export(checkpoint, out / checkpoint.name)
            reason = ""
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split()) or "unknown"
        print(checkpoint.name, reason, sep="\t", flush=True)


if __name__ == "__main__":
    main()
