"""Holds exported ONNX models against transformers: python check_export.py CHECKPOINT EXPORT [EXPORT ...]

Each export is checked by `onnx.checker` (full check) and run through ONNX Runtime on the CPU in f32 and f16, standard or fused,
with logits of all rows or of those wanted: past 0 and more, batches of 1 and 3, padding at the left, holes in the middle of
the past, rows that see nothing, and generation step by step. The largest difference of logits and of keys and values is
printed; exit status 1 if one is above the limit (f32: 1e-4, f16: 0.05, for logits of a few tens).
"""
import json, os, sys
import numpy as np, onnx, onnxruntime as ort, torch
from transformers import AutoConfig, AutoModelForCausalLM

RNG = np.random.default_rng(0)


class Reference:
    """transformers, eager attention, with a 4-dimensional mask that is causal by position, with holes anywhere."""

    def __init__(self, path):
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
        config = self.model.config
        window = getattr(config, "sliding_window", None)
        if getattr(config, "use_sliding_window", True) is False:
            window = None
        self.window = window
        # Families with layers of both kinds take a mask for each kind; the others one.
        kinds = set(getattr(config, "layer_types", None) or [])
        self.kinds = kinds if config.model_type in ("gemma2", "gemma3_text", "qwen2", "qwen3") else None

    def masks(self, mask, new):
        total = mask.shape[1]
        keys, queries = np.arange(total)[None, :], (total - new + np.arange(new))[:, None]
        seen = (keys <= queries)[None] & (mask[:, None, :] != 0)
        # A window counts what is no padding.
        counted = np.cumsum(mask, 1)
        near = seen & (counted[:, None, :] > counted[:, -new:, None] - (self.window or total))
        full, near = (torch.tensor(np.where(seen, 0.0, -1e9)[:, None].astype(np.float32)) for seen in (seen, near))
        if self.kinds is None:
            return near
        return {"full_attention": full, "sliding_attention": near}

    def __call__(self, ids, mask, positions, past):
        from transformers import DynamicCache
        batch, new = ids.shape
        cache = DynamicCache()
        if past[0][0].shape[2]:
            for layer, (key, value) in enumerate(past):
                cache.update(torch.tensor(key), torch.tensor(value), layer)
        with torch.no_grad():
            out = self.model(input_ids=torch.tensor(ids), attention_mask=self.masks(mask, new), position_ids=torch.tensor(positions),
                             past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        layers = [(layer.keys.numpy(), layer.values.numpy()) for layer in cache.layers]
        return out.logits.numpy(), layers


class Export:
    def __init__(self, path, threads=2):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: i for i in self.session.get_inputs()}
        self.outputs = [o.name for o in self.session.get_outputs()]
        self.f16 = self.inputs["past_key_values.0.key"].type == "tensor(float16)"
        self.wanted = "logits_rows" in self.inputs
        self.layers = sum(name.endswith(".key") for name in self.inputs)

    def __call__(self, ids, mask, positions, past, rows=None):
        feed = {"input_ids": ids, "attention_mask": mask}
        if "position_ids" in self.inputs:
            feed["position_ids"] = positions
        kind = np.float16 if self.f16 else np.float32
        for layer, (key, value) in enumerate(past):
            feed[f"past_key_values.{layer}.key"] = key.astype(kind)
            feed[f"past_key_values.{layer}.value"] = value.astype(kind)
        if self.wanted:
            feed["logits_rows"] = rows
        out = dict(zip(self.outputs, self.session.run(None, feed)))
        layers = [(out[f"present.{l}.key"], out[f"present.{l}.value"]) for l in range(self.layers)]
        return out["logits"], layers


def empty(config, batch):
    heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    zero = np.zeros((batch, getattr(config, "num_key_value_heads", None) or heads, 0, head), np.float32)
    return [(zero, zero)] * config.num_hidden_layers


def positions_of(mask, new):
    return np.maximum(np.cumsum(mask, 1) - 1, 0)[:, -new:]


def cases(config, reference):
    vocabulary = config.vocab_size
    draw = lambda batch, length: RNG.integers(0, vocabulary, (batch, length))
    for batch in (1, 3):
        ids = draw(batch, 17)
        mask = np.ones((batch, 17), np.int64)
        yield f"batch {batch}, no past", ids, mask, positions_of(mask, 17), empty(config, batch)
        _, past = reference(ids, mask, positions_of(mask, 17), empty(config, batch))
        for new in (1, 5):
            mask = np.ones((batch, 17 + new), np.int64)
            yield f"batch {batch}, past 17, new {new}", draw(batch, new), mask, positions_of(mask, new), past
    # Padding at the left, of every sequence another length, with a past and without.
    mask = np.ones((3, 20), np.int64)
    mask[0, :7] = 0
    mask[2, :15] = 0
    ids = draw(3, 20)
    yield "padding left, no past", ids, mask, positions_of(mask, 20), empty(config, 3)
    _, past = reference(ids, mask, positions_of(mask, 20), empty(config, 3))
    longer = np.concatenate([mask, np.ones((3, 4), np.int64)], 1)
    yield "padding left, past 20", draw(3, 4), longer, positions_of(longer, 4), past
    # Holes in the middle of the past, and padding at the right of the new tokens.
    holes = longer.copy()
    holes[1, 3:9] = 0
    holes[0, 12] = 0
    holes[2, -1] = 0
    yield "holes in the past, padding right", draw(3, 4), holes, positions_of(holes, 4), past
    # Positions that do not follow from the mask.
    odd = RNG.integers(0, config.max_position_embeddings, (3, 4))
    yield "positions of their own", draw(3, 4), holes, odd, past
    # A sequence of nothing but padding, beside one with tokens.
    nothing = np.ones((2, 6), np.int64)
    nothing[1] = 0
    yield "a sequence of padding alone", draw(2, 6), nothing, positions_of(nothing, 6), empty(config, 2)


def compare(export, reference, config):
    worst = {}
    top = 0
    for name, ids, mask, positions, past in cases(config, reference):
        expected, layers = reference(ids, mask, positions, past)
        new = ids.shape[1]
        rows_seen = np.flatnonzero(mask[:, -new:].reshape(-1))
        tokens_seen = mask != 0
        if export.wanted:
            for rows in (rows_seen, rows_seen[::3], rows_seen[-1:], rows_seen[:0]):
                logits, present = export(ids, mask, positions, past, rows.astype(np.int64))
                assert logits.shape == (len(rows), config.vocab_size), logits.shape
                difference = np.abs(logits.astype(np.float32) - expected.reshape(-1, config.vocab_size)[rows])
                worst[name] = max(worst.get(name, 0), difference.max(initial=0))
        else:
            logits, present = export(ids, mask, positions, past)
            assert logits.shape == expected.shape, (logits.shape, expected.shape)
            assert np.isfinite(logits).all(), f"{name}: logits that are not finite"
            flat = logits.astype(np.float32).reshape(-1, config.vocab_size)[rows_seen]
            difference = np.abs(flat - expected.reshape(-1, config.vocab_size)[rows_seen])
            worst[name] = difference.max(initial=0)
        top = max(top, np.abs(expected).max())
        for (key, value), (k, v) in zip(present, layers):
            for a, b in ((key, k), (value, v)):
                assert a.shape == b.shape, (a.shape, b.shape)
                assert np.isfinite(a).all(), f"{name}: keys or values that are not finite"
                a, b = (x.transpose(0, 2, 1, 3)[tokens_seen].astype(np.float32) for x in (a, b))
                worst[name + " kv"] = max(worst.get(name + " kv", 0), np.abs(a - b).max(initial=0))
    return worst, top


def main():
    checkpoint, exports = sys.argv[1], sys.argv[2:]
    config = AutoConfig.from_pretrained(checkpoint)
    reference = Reference(checkpoint)
    failed = False
    for path in exports:
        path = os.path.join(path, "model.onnx") if os.path.isdir(path) else path
        onnx.checker.check_model(path, full_check=True)
        export = Export(path)
        worst, top = compare(export, reference, config)
        limit = 0.05 if export.f16 else 1e-4
        bad = {name: float(value) for name, value in worst.items() if not value < limit}
        failed |= bool(bad)
        logits = max(v for n, v in worst.items() if not n.endswith(" kv"))
        kv = max(v for n, v in worst.items() if n.endswith(" kv"))
        print(f"{'FAILED' if bad else 'ok    '} {path}: logits {logits:.2e} (of {top:.0f}), keys and values {kv:.2e}", bad or "")
    sys.exit(failed)


main()
