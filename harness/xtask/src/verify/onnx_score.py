"""Log-likelihoods by Python's ONNX Runtime: onnx_score.py MODEL DIRECTORY ROWS RESULTS

MODEL is the file of a graph, DIRECTORY has its `tokenizer.json` and its configuration; each of ROWS has a `context` and `choices`, and gets a line of RESULTS.
"""

import json
import sys
from pathlib import Path

import numpy as np


class Model:
    """Called with whole sequences, one at a time, without a past."""

    def __init__(self, path, head_size=None):
        import onnxruntime

        self.head_size = head_size
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.inputs = {value.name: value for value in self.session.get_inputs()}

    def logprobs(self, tokens):
        ids = np.array([tokens], np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(len(tokens))[None]}
        fed = {name: value for name, value in fed.items() if name in self.inputs}
        for name, value in self.inputs.items():
            if name.startswith("past_key_values."):
                number = np.float16 if "float16" in value.type else np.float32
                # A graph may leave the width of a head to its configuration.
                width = value.shape[3] if isinstance(value.shape[3], int) else self.head_size
                fed[name] = np.zeros((1, value.shape[1], 0, width), number)
        logits = self.session.run(["logits"], fed)[0][0].astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def head_size(directory):
    if (directory / "genai_config.json").exists():
        return json.loads((directory / "genai_config.json").read_text())["model"]["decoder"]["head_size"]
    config = json.loads((directory / "config.json").read_text())
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def main(path, directory, rows, results):
    from tokenizers import Tokenizer

    directory = Path(directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    model = Model(path, head_size(directory))
    with open(results, "w") as out:
        for row in map(json.loads, open(rows)):
            sums = []
            for choice in row["choices"]:
                context, whole = encode(row["context"]), encode(row["context"] + choice)
                assert whole[: len(context)] == context, (context, whole)
                # Nothing is asked after the last token, and where a graph rounds by the range of a call, that token would count.
                logprobs = model.logprobs(whole[:-1])
                sums.append(float(sum(logprobs[at - 1, whole[at]] for at in range(len(context), len(whole)))))
            out.write(json.dumps({"loglikelihoods": sums}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
