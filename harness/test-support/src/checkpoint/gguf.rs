//! The GGUF format, version 3.

/// The bytes of a GGUF file with the smallest Llama that has every part: one layer, a width of 4, all tensors in 32 bits.
pub fn gguf() -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let number =
        |key: &str, value: u32| [text(key), 4_u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat();
    let items = [
        [text("general.architecture"), 8_u32.to_le_bytes().to_vec(), text("llama")].concat(),
        number("llama.embedding_length", 4),
        number("llama.attention.head_count", 2),
        number("llama.attention.head_count_kv", 1),
        number("llama.feed_forward_length", 8),
        number("llama.block_count", 1),
        number("llama.context_length", 16),
        number("tokenizer.ggml.eos_token_id", 0),
    ];
    // The fastest axis stands first.
    let tensors: [(&str, &[u64]); 12] = [
        ("token_embd.weight", &[4, 258]),
        ("output_norm.weight", &[4]),
        ("rope_freqs.weight", &[1]),
        ("blk.0.attn_norm.weight", &[4]),
        ("blk.0.attn_q.weight", &[4, 4]),
        ("blk.0.attn_k.weight", &[4, 2]),
        ("blk.0.attn_v.weight", &[4, 2]),
        ("blk.0.attn_output.weight", &[4, 4]),
        ("blk.0.ffn_norm.weight", &[4]),
        ("blk.0.ffn_gate.weight", &[4, 8]),
        ("blk.0.ffn_up.weight", &[4, 8]),
        ("blk.0.ffn_down.weight", &[8, 4]),
    ];
    let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((items.len() as u64).to_le_bytes());
    file.extend(items.concat());
    let mut offset = 0_u64;
    for (name, shape) in tensors {
        file.extend(text(name));
        file.extend((shape.len() as u32).to_le_bytes());
        file.extend(shape.iter().flat_map(|size| size.to_le_bytes()));
        file.extend(0_u32.to_le_bytes());
        file.extend(offset.to_le_bytes());
        offset += (4 * shape.iter().product::<u64>()).next_multiple_of(32);
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend((0..offset / 4).flat_map(|_| 1_f32.to_le_bytes()));
    file
}
