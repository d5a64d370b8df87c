"""What transformers computes for tiny models that cover the options of every family: writes `references.json` beside this.

Run it with a Python that has `torch` and `transformers` (5 or later): `python plugins/candle/tests/candle/references.py`.
Weights are a function of a tensor's name and the place in it, so that the test makes the same ones anew and none are stored.
"""

import json
from pathlib import Path

import numpy
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

TEXT = "When in the course of human events, it becomes necessary to test: 1, 2, 4, 8; abracadabra!"


def weights(name, shape):
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    h = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint32) + numpy.uint32(seed)
    for shift, factor in [(16, 0x7FEB352D), (15, 0x846CA68B)]:
        h = (h ^ (h >> numpy.uint32(shift))) * numpy.uint32(factor)
    h ^= h >> numpy.uint32(16)
    noise = (h >> numpy.uint32(8)).astype(numpy.float32) / numpy.float32(1 << 23) - numpy.float32(1)
    # All factors are powers of two: the same numbers whatever computes them.
    if name.endswith(".bias"):
        noise *= numpy.float32(0.25)
    elif "norm" in name:
        noise = noise * numpy.float32(0.25) + numpy.float32(1)
    else:
        noise *= numpy.float32(0.5)
    return torch.from_numpy(noise.reshape(shape))


def sizes(layers=2, heads=4, kv_heads=2, width=32, inner=64):
    return {
        "vocab_size": 257, "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "max_position_embeddings": 128,
        "bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256,
    }


CASES = {
    "llama, llama3 rotation, biases, old spelling": {
        "model_type": "llama", **sizes(), "attention_bias": True, "mlp_bias": True, "rope_theta": 1000.0,
        "tie_word_embeddings": False,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 32},
    },
    "llama, linear rotation, one key head, tied": {
        "model_type": "llama", **sizes(kv_heads=1), "tie_word_embeddings": True, "rms_norm_eps": 1e-3,
        "rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": 100.0},
    },
    "llama, dynamic rotation within its context": {
        "model_type": "llama", **sizes(kv_heads=4), "tie_word_embeddings": False,
        "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 500.0},
    },
    "mistral, a window, heads of their own width": {
        "model_type": "mistral", **sizes(), "head_dim": 24, "sliding_window": 7, "rope_theta": 1000.0,
        "tie_word_embeddings": False,
    },
    "qwen2, yarn, a window on the upper layers": {
        "model_type": "qwen2", **sizes(layers=3), "use_sliding_window": True, "sliding_window": 9,
        "max_window_layers": 1, "rope_theta": 100.0, "tie_word_embeddings": True,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    },
    "qwen3, yarn with all its numbers, biases": {
        "model_type": "qwen3", **sizes(), "head_dim": 16, "attention_bias": True, "tie_word_embeddings": False,
        "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
                            "rope_theta": 1000.0, "beta_fast": 8.0, "beta_slow": 0.5, "truncate": False,
                            "mscale": 1.0, "mscale_all_dim": 0.5},
    },
    "phi3, longrope below the original context, half a head, a window": {
        "model_type": "phi3", **sizes(heads=2, kv_heads=1), "max_position_embeddings": 512,
        "original_max_position_embeddings": 128, "sliding_window": 21, "tie_word_embeddings": False,
        "partial_rotary_factor": 0.5, "rope_theta": 100.0,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1, 1.5, 2.5],
                         "long_factor": [1.0, 2.0, 4.0, 8.0]},
    },
    "gemma2, windows, caps": {
        "model_type": "gemma2", **sizes(layers=3), "head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 24,
        "attn_logit_softcapping": 3.0, "final_logit_softcapping": 6.0, "rope_theta": 1000.0,
    },
    "gemma3_text, two rotations, old spelling": {
        "model_type": "gemma3_text", **sizes(layers=3), "head_dim": 16, "sliding_window": 6,
        "sliding_window_pattern": 3, "query_pre_attn_scalar": 16, "rope_theta": 5000.0, "rope_local_base_freq": 100.0,
        "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "final_logit_softcapping": 9.0,
    },
    "olmo2, grouped heads": {
        "model_type": "olmo2", **sizes(), "rope_theta": 1000.0, "tie_word_embeddings": False,
    },
    "granite, all factors": {
        "model_type": "granite", **sizes(), "embedding_multiplier": 3.0, "attention_multiplier": 0.25,
        "residual_multiplier": 0.5, "logits_scaling": 2.0, "tie_word_embeddings": True, "rope_theta": 1000.0,
    },
    "gpt_neox, one block after the other, old spelling": {
        "model_type": "gpt_neox", **sizes(), "use_parallel_residual": False, "rotary_pct": 0.5,
        "rotary_emb_base": 100, "hidden_act": "gelu", "tie_word_embeddings": False,
    },
    "gpt_neox, side by side, no bias in attention": {
        "model_type": "gpt_neox", **sizes(), "attention_bias": False, "hidden_act": "gelu_new",
        "rope_parameters": {"rope_type": "default", "rope_theta": 100.0, "partial_rotary_factor": 0.25},
        "tie_word_embeddings": False,
    },
}


def reference(config):
    kwargs = json.loads(json.dumps(config))
    made = AutoConfig.for_model(kwargs.pop("model_type"), **kwargs)
    model = AutoModelForCausalLM.from_config(made, attn_implementation="eager").eval().float()
    # Files of this family call the head otherwise than the code does.
    head = "embed_out.weight" if config["model_type"] == "gpt_neox" else "lm_head.weight"
    names = {name: head if name == "lm_head.weight" else name for name in model.state_dict()}
    if made.tie_word_embeddings:
        del names["lm_head.weight"]
    shapes = {saved: list(model.state_dict()[name].shape) for name, saved in names.items()}
    state = {name: weights(saved, shapes[saved]) for name, saved in names.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name == "lm_head.weight" for name in missing), (missing, unexpected)
    model.tie_weights()
    ids = torch.tensor([list(TEXT.encode())])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0].double()
    logprobs = torch.log_softmax(logits, -1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
    return {"config": config, "tensors": shapes, "logprobs": [round(x, 6) for x in logprobs.tolist()]}


def main():
    cases = {name: reference(config) for name, config in CASES.items()}
    file = {"transformers": transformers.__version__, "text": TEXT, "cases": cases}
    text = json.dumps(file, separators=(",", ":")).replace('"config"', '\n"config"')
    Path(__file__).with_name("references.json").write_text(text + "\n")
    for name, case in cases.items():
        print(f"{sum(case['logprobs']):12.4f}  {name}")


main()
