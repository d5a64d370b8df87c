"""What Hugging Face's transformers computes for tiny checkpoints, and the tokenizer that they share. Written beside this file:

- `tokenizer.json`: a byte-level BPE, trained on the text below.
- `families/NAME.json`: a checkpoint of every family that the plugin `candle` runs, twenty scored continuations and twenty
  greedy answers.
- `options.json`: checkpoints that cover the options of every family, and the log-probabilities of one text in bytes;
  `cases` are of families described in the plugin, `adapted` of those that `candle-transformers` computes.

Run it with a Python that has `torch`, `tokenizers`, `safetensors` and `transformers` (5 or later):
`python harness/test-support/ground-truth/make.py`. Weights are a function of a tensor's name and the index in it, which
`src/ground_truth.rs` computes too, so that none are stored. Models run in 32-bit floats, log-softmax in 64.
"""

import json
import tempfile
from pathlib import Path

import numpy
import safetensors.torch
import tokenizers
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).parent

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
    elif "norm" in name or ".ln_" in name:
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
    "llama, a partial rotation, which it does not read": {
        "model_type": "llama", **sizes(), "partial_rotary_factor": 0.5, "rope_theta": 1000.0, "tie_word_embeddings": False,
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
    "qwen2, a window on all layers": {
        "model_type": "qwen2", **sizes(), "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 0,
        "rope_theta": 100.0, "tie_word_embeddings": False,
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
    "falcon, groups of heads, two norms, biases": {
        "model_type": "falcon", **sizes(), "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True,
        "rope_theta": 1000.0, "ffn_hidden_size": 48, "tie_word_embeddings": False,
    },
    "falcon, groups of heads, one norm": {
        "model_type": "falcon", **sizes(), "new_decoder_architecture": True, "num_kv_heads": 1,
        "num_ln_in_parallel_attn": 1, "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
    },
    "falcon, one block after the other, all heads of keys": {
        "model_type": "falcon", **sizes(), "multi_query": False, "parallel_attn": False, "activation": "gelu_new",
    },
}


ADAPTED_CASES = {
    "mixtral, tied head, one head of keys": {
        "model_type": "mixtral", **sizes(kv_heads=1), "num_local_experts": 3, "num_experts_per_tok": 2,
        "tie_word_embeddings": True, "rope_theta": 1000.0, "sliding_window": None,
    },
    "mixtral, no base of the rotation": {
        "model_type": "mixtral", **sizes(), "num_local_experts": 4, "num_experts_per_tok": 1, "sliding_window": 4096,
    },
    "qwen2_moe, experts in every other layer, weights that add up to one": {
        "model_type": "qwen2_moe", **sizes(layers=3), "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40,
        "num_experts": 4, "num_experts_per_tok": 2, "decoder_sparse_step": 2, "norm_topk_prob": True,
        "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 1, "rope_theta": 1000.0,
        "tie_word_embeddings": True,
    },
    "qwen3_moe, biases, experts in every other layer": {
        "model_type": "qwen3_moe", **sizes(layers=3), "head_dim": 16, "moe_intermediate_size": 24, "num_experts": 4,
        "num_experts_per_tok": 3, "decoder_sparse_step": 2, "norm_topk_prob": False, "attention_bias": True,
        "sliding_window": 8, "use_sliding_window": False, "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
    },
    "qwen3_moe, no width of a head": {
        "model_type": "qwen3_moe", **sizes(), "moe_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2,
        "norm_topk_prob": True, "rope_theta": 1000.0,
    },
    "deepseek_v2, yarn, low rank of queries": {
        "model_type": "deepseek_v2", **sizes(layers=3, kv_heads=4), "moe_intermediate_size": 24, "n_routed_experts": 4,
        "n_shared_experts": 2, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "q_lora_rank": 24,
        "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12, "v_head_dim": 10,
        "routed_scaling_factor": 1.5, "topk_method": "greedy", "norm_topk_prob": False, "rope_theta": 1000.0,
        "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 8,
                         "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.5},
    },
    "deepseek_v2, biases, tied head": {
        "model_type": "deepseek_v2", **sizes(kv_heads=4), "moe_intermediate_size": 24, "n_routed_experts": 3,
        "n_shared_experts": 1, "num_experts_per_tok": 1, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 8, "v_head_dim": 8, "attention_bias": True, "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
    },
    "gemma, the older name of its activation, biases": {
        "model_type": "gemma", **sizes(kv_heads=1), "head_dim": 16, "hidden_act": "gelu", "attention_bias": True,
        "rope_theta": 1000.0,
    },
    "glm4, as many heads of keys, no biases": {
        "model_type": "glm4", **sizes(kv_heads=4), "head_dim": 16, "attention_bias": False, "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.25},
    },
    "phi, grouped heads, exact activation": {
        "model_type": "phi", **sizes(heads=2), "num_key_value_heads": 1, "hidden_act": "gelu",
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.25},
    },
    "stablelm, biases, tied head": {
        "model_type": "stablelm", **sizes(heads=2, kv_heads=1), "use_qkv_bias": True, "tie_word_embeddings": True,
        "partial_rotary_factor": 0.5, "rope_theta": 1000.0, "use_cache": False,
    },
    "starcoder2, no biases, exact activation": {
        "model_type": "starcoder2", **sizes(), "use_bias": False, "hidden_act": "gelu", "rope_theta": 1000.0,
        "sliding_window": 4096,
    },
    "mamba, three layers": {
        "model_type": "mamba", "vocab_size": 257, "hidden_size": 40, "num_hidden_layers": 3, "time_step_rank": "auto",
        "bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256,
    },
}


def load_file(config):
    """A model with our weights, by way of a file, and the shapes of its tensors. In memory, transformers holds the weights of
    all experts of a layer in one tensor, files hold one for each."""
    kwargs = json.loads(json.dumps(config))
    made = AutoConfig.for_model(kwargs.pop("model_type"), **kwargs)
    with tempfile.TemporaryDirectory() as directory:
        AutoModelForCausalLM.from_config(made).float().save_pretrained(directory)
        path = Path(directory, "model.safetensors")
        shapes = {name: list(tensor.shape) for name, tensor in sorted(safetensors.torch.load_file(path).items())}
        tensors = {name: weights(name, shape) for name, shape in shapes.items()}
        safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
        Path(directory, "config.json").write_text(json.dumps(config))
        model, found = AutoModelForCausalLM.from_pretrained(
            directory, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
    assert not any(found[key] for key in ["missing_keys", "unexpected_keys", "mismatched_keys"]), found
    return model.eval(), shapes


def load(config):
    """A model with our weights, and the shapes of the tensors that its file would hold."""
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
    return model, shapes


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].double()


def options_case(config, load):
    model, shapes = load(config)
    ids = torch.tensor(list(TEXT.encode()))
    logprobs = torch.log_softmax(logits(model, ids.tolist()), -1)[:-1].gather(1, ids[1:, None])[:, 0]
    return {"config": config, "tensors": shapes, "logprobs": [round(x, 6) for x in logprobs.tolist()]}


# Of our own: what the tokenizer is trained on, and where contexts and prompts come from.
STORY = """\
The harbour master counts the boats every evening. There are twelve boats when the wind is low, and seven when it is high.
Question: If nine boats leave before the rain and four come back after it, how many boats are in the harbour?
Answer: There were twelve boats. Nine left, so three were left. Four came back, so there are 3 + 4 = 7 boats.
Question: The baker sells 18 loaves in the morning and 24 loaves in the evening. How many loaves is that?
Answer: That is 18 + 24 = 42 loaves.
The lamp on the tower turns twice in a minute; it was built by two sisters who had never seen the sea.
"""

CONTEXT_LENGTH = 64
END = 0


def train_tokenizer():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([STORY], trainer)
    assert tokenizer.token_to_id("<|endoftext|>") == END
    return tokenizer


LINES = STORY.splitlines()
# One more is what the model itself says next. Two of them are longer than the models' context; one context is empty; some end in white space.
SCORED = [
    ("", "The harbour"), ("The harbour", " master"), ("The harbour master counts the", " boats every evening."),
    (LINES[1] + "\nAnswer:", " seven"), (LINES[1] + "\nAnswer:", " nine boats"), (LINES[3], "\nAnswer: That is 42 loaves."),
    ("18 + 24 =", " 42"), ("18 + 24 =", " 43"), ("18 + 24 = ", "42"), ("twelve boats  \n", "and seven"),
    ("caf\u00e9 \u2192 ", "\u6f22\u5b57"), ("\u00e9\u00e9\u00e9", "\u00e9"), ("a b c d e f", " g"), ("The", " the The the"),
    (LINES[0] + LINES[1] + LINES[2] + LINES[3], " twice in a minute"), (LINES[5], "\n\n"), ("{\"key\":", " [1, 2, 3]}"),
    ("two sisters who had never", " seen the sea"), (STORY, "The end."),
]
# More than are kept, so that none needs to be kept in which the best two tokens are all but equal.
PROMPTS = [
    "The harbour", "Question:", "Answer: There", LINES[3] + "\nAnswer:", "18 + 24 =", "twelve", "nine ",
    "The baker sells", "The lamp on the tower", "two sisters", "\nThe", "\u00e9", "\u6f22\u5b57", "a b c d", "if (x) {", "seven when it is",
    "Four came back, so", "loaves", "morning and", "There are", "The wind", "0 1 2 3 4 5 6 7 8 9", "sea", "evening.\nThe", "rain",
    "Nine left", "by two", "how many", "in a minute;",
]
ROWS = 20
NEW_TOKENS = 16
CLEAR_GAP = 1e-3


def small(kv_heads=2, **more):
    sizes = {
        "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": kv_heads, "max_position_embeddings": CONTEXT_LENGTH,
        "bos_token_id": END, "eos_token_id": END, "pad_token_id": END,
    }
    return {**sizes, **more}


# As published checkpoints of each family are configured, but small.
FAMILIES = {
    "gpt2": {
        "vocab_size": 320, "n_positions": CONTEXT_LENGTH, "n_embd": 32, "n_layer": 2, "n_head": 4,
        "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": END, "eos_token_id": END,
    },
    "llama": small(tie_word_embeddings=False, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    "mistral": small(tie_word_embeddings=False, sliding_window=16,
                     rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    "qwen2": small(tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
    "qwen3": small(tie_word_embeddings=True, head_dim=16,
                   rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
    "gemma2": small(head_dim=16, sliding_window=16, query_pre_attn_scalar=16, attn_logit_softcapping=50.0,
                    final_logit_softcapping=30.0, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    "gemma3_text": small(head_dim=16, sliding_window=16, query_pre_attn_scalar=16,
                         layer_types=["sliding_attention", "full_attention"],
                         rope_parameters={
                             "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                             "full_attention": {"rope_type": "default", "rope_theta": 1000000.0}}),
    "phi3": small(kv_heads=4, tie_word_embeddings=False,
                  rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    "olmo2": small(kv_heads=4, tie_word_embeddings=False,
                   rope_parameters={"rope_type": "default", "rope_theta": 500000.0}),
    "granite": small(tie_word_embeddings=True, embedding_multiplier=6.0, attention_multiplier=0.125,
                     residual_multiplier=0.22, logits_scaling=4.0,
                     rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    "gpt_neox": small(kv_heads=4, tie_word_embeddings=False, hidden_act="gelu", use_parallel_residual=True,
                      rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25}),
    "falcon": {
        "vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT_LENGTH, "alibi": False, "bias": False, "multi_query": True,
        "new_decoder_architecture": False, "parallel_attn": True, "bos_token_id": END, "eos_token_id": END,
    },
}


# As published checkpoints of each family are configured, but small. `candle-transformers` computes them.
ADAPTED = {
    "mixtral": small(num_local_experts=4, num_experts_per_tok=2, sliding_window=None, rope_theta=1000000.0,
                     tie_word_embeddings=False),
    "qwen2_moe": small(kv_heads=4, moe_intermediate_size=24, shared_expert_intermediate_size=40, num_experts=6,
                       num_experts_per_tok=3, norm_topk_prob=False, decoder_sparse_step=1, use_sliding_window=False,
                       sliding_window=16, max_window_layers=1, rope_theta=1000000.0, tie_word_embeddings=False),
    "qwen3_moe": small(head_dim=16, moe_intermediate_size=24, num_experts=6, num_experts_per_tok=3, norm_topk_prob=True,
                       decoder_sparse_step=1, mlp_only_layers=[], attention_bias=False, use_sliding_window=False,
                       sliding_window=None, rope_theta=1000000.0, rope_scaling=None, tie_word_embeddings=False),
    "deepseek_v2": small(kv_heads=4, moe_intermediate_size=24, n_routed_experts=6, n_shared_experts=2,
                         num_experts_per_tok=3, first_k_dense_replace=1, q_lora_rank=None, kv_lora_rank=16,
                         qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16, routed_scaling_factor=1.0,
                         topk_method="greedy", scoring_func="softmax", norm_topk_prob=False, moe_layer_freq=1, n_group=1,
                         topk_group=1, attention_bias=False, rope_theta=10000,
                         rope_scaling={"type": "yarn", "factor": 40, "original_max_position_embeddings": 32,
                                       "beta_fast": 32, "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707}),
    "gemma": small(kv_heads=1, head_dim=16, hidden_act="gelu_pytorch_tanh", rope_theta=10000.0),
    "glm4": small(head_dim=16, partial_rotary_factor=0.5, attention_bias=True, rope_theta=10000.0,
                  tie_word_embeddings=False),
    "phi": small(kv_heads=4, partial_rotary_factor=0.5, rope_theta=10000.0, rope_scaling=None, qk_layernorm=False,
                 tie_word_embeddings=False),
    "stablelm": small(kv_heads=4, partial_rotary_factor=0.25, rope_theta=10000, use_qkv_bias=False,
                      tie_word_embeddings=False, use_cache=True),
    "starcoder2": small(use_bias=True, rope_theta=10000.0, sliding_window=None),
    "mamba": {
        "vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 16, "conv_kernel": 4, "expand": 2,
        "time_step_rank": 2, "bos_token_id": END, "eos_token_id": END, "pad_token_id": END,
    },
}
# Longest sequence where a configuration names none: as in lm-evaluation-harness.
OPEN_CONTEXT_LENGTH = 2048


def score(model, tokenizer, context_length, context, continuation):
    """The rules of lm-evaluation-harness: white space at the end of the context goes to the continuation, truncation is
    from the left, and an empty context is the token that begins a text."""
    kept = context.rstrip()
    whole = tokenizer.encode(context + continuation).ids
    before = len(tokenizer.encode(kept).ids)
    if not context:
        whole, before = [END] + whole, 1
    targets = whole[before:]
    inputs = whole[:-1][-context_length:]
    rows = torch.log_softmax(logits(model, inputs), -1)[-len(targets):]
    logprobs = rows.gather(1, torch.tensor(targets)[:, None])[:, 0]
    return {
        "context": context, "continuation": continuation, "tokens": targets,
        "logprobs": [round(x, 6) for x in logprobs.tolist()], "sum": round(logprobs.sum().item(), 6),
        "is_greedy": rows.argmax(-1).tolist() == targets,
        "truncated_tokens": max(0, len(whole) - 1 - context_length),
    }


def answer(model, tokenizer, prompt):
    ids = tokenizer.encode(prompt).ids
    new, smallest_gap = [], float("inf")
    assert len(ids) + NEW_TOKENS <= CONTEXT_LENGTH, prompt
    while len(new) < NEW_TOKENS and new[-1:] != [END]:
        best = torch.topk(logits(model, ids + new)[-1], 2)
        new.append(best.indices[0].item())
        smallest_gap = min(smallest_gap, (best.values[0] - best.values[1]).item())
    return {"prompt": prompt, "tokens": new}, smallest_gap


def greedy_pair(tokenizer, answers):
    """A prompt and the beginning of its greedy answer, as a text with the same tokens."""
    for row in answers:
        ids = tokenizer.encode(row["prompt"]).ids
        for count in (3, 2, 1):
            text = tokenizer.decode(row["tokens"][:count])
            if tokenizer.encode(row["prompt"] + text).ids == ids + row["tokens"][:count]:
                return row["prompt"], text
    raise AssertionError("no greedy answer is a text of its own")


def family(name, config, tokenizer, load):
    config = {"model_type": name, **config}
    context_length = OPEN_CONTEXT_LENGTH if name == "mamba" else CONTEXT_LENGTH
    model, shapes = load(config)
    answers = []
    for prompt in PROMPTS:
        row, smallest_gap = answer(model, tokenizer, prompt)
        if smallest_gap > CLEAR_GAP:
            answers.append(row)
        if len(answers) == ROWS:
            break
    scored = [score(model, tokenizer, context_length, *row) for row in [*SCORED, greedy_pair(tokenizer, answers)]]
    assert scored[-1]["is_greedy"]
    assert len(scored) == len(answers) == ROWS, (name, len(scored), len(answers))
    print(f"{sum(row['sum'] for row in scored):12.4f}  {len({tuple(row['tokens']) for row in answers})} answers  {name}")
    parts = [f'"transformers": {json.dumps(transformers.__version__)}', f'"config": {json.dumps(config)}',
             f'"tensors": {json.dumps(shapes)}']
    for key, rows in [("scored", scored), ("answers", answers)]:
        parts.append(f'"{key}": [\n  ' + ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]")
    (HERE / "families" / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main():
    torch.manual_seed(0)
    # Sums have another order, and other last digits, with another number of threads.
    torch.set_num_threads(1)
    tokenizer = train_tokenizer()
    tokenizer.save(str(HERE / "tokenizer.json"), pretty=False)
    for name, config in FAMILIES.items():
        family(name, config, tokenizer, load)
    for name, config in ADAPTED.items():
        family(name, config, tokenizer, load_file)
    cases = {name: options_case(config, load) for name, config in CASES.items()}
    adapted = {name: options_case(config, load_file) for name, config in ADAPTED_CASES.items()}
    file = {"transformers": transformers.__version__, "text": TEXT, "cases": cases, "adapted": adapted}
    text = json.dumps(file, separators=(",", ":")).replace('"config"', '\n"config"')
    (HERE / "options.json").write_text(text + "\n")
    for name, case in [*cases.items(), *adapted.items()]:
        print(f"{sum(case['logprobs']):12.4f}  {name}")


main()
