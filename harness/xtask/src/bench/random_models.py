"""A model of a family with random weights, about 100 million parameters in 12 layers of width 768, for
`cargo xtask bench models`.

Arguments: the family (`model_type`), a directory, the number of tokens.
"""

import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

family, directory, vocabulary = sys.argv[1], sys.argv[2], int(sys.argv[3])
grouped = {"num_key_value_heads": 4}
experts = {**grouped, "moe_intermediate_size": 512, "num_experts": 6, "num_experts_per_tok": 2}
special = {
    "gpt2": {"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024},
    "gpt_neox": {"intermediate_size": 3072},
    "qwen3": {**grouped, "head_dim": 64},
    "gemma2": {**grouped, "head_dim": 64, "query_pre_attn_scalar": 64},
    "gemma3_text": {**grouped, "head_dim": 64, "query_pre_attn_scalar": 64},
    "phi3": {**grouped, "pad_token_id": 0},
    "falcon": {"ffn_hidden_size": 3072},
    "mixtral": {**grouped, "intermediate_size": 512, "num_local_experts": 6, "num_experts_per_tok": 2},
    "qwen2_moe": {**experts, "shared_expert_intermediate_size": 1024},
    "qwen3_moe": {**experts, "head_dim": 64},
    "deepseek_v2": {
        "num_key_value_heads": 12, "moe_intermediate_size": 512, "n_routed_experts": 4, "n_shared_experts": 1,
        "num_experts_per_tok": 2, "q_lora_rank": None, "kv_lora_rank": 128, "qk_rope_head_dim": 32,
        "qk_nope_head_dim": 64, "v_head_dim": 64,
    },
    "gemma": {**grouped, "head_dim": 64, "pad_token_id": 0},
    "glm4": {**grouped, "head_dim": 64, "pad_token_id": 0},
    "phi": {"intermediate_size": 3072},
    "stablelm": {"num_key_value_heads": 12},
    "starcoder2": {**grouped, "intermediate_size": 3072},
    "mamba": {"num_hidden_layers": 24, "intermediate_size": 1536},
}.get(family, grouped)
config = AutoConfig.for_model(
    family,
    vocab_size=vocabulary,
    bos_token_id=0,
    eos_token_id=0,
    **(
        {}
        if family == "gpt2"
        else {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 2048,
            "max_position_embeddings": 1024,
        }
    )
    | special,
)
torch.manual_seed(1)
model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
model.generation_config.pad_token_id = 0
model.save_pretrained(directory)
print(sum(parameter.numel() for parameter in model.parameters()))
