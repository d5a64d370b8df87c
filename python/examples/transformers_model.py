"""A checkpoint that Hugging Face's transformers runs: log-likelihoods and generated answers.

    models:
      gpt2: { plugin: process, command: [python3, transformers_model.py], files: [./my-gpt2] }

The first of `files` is the checkpoint: a directory, or `hf://org/name`, which Examiner downloads. Its content is part of the model's
fingerprint, so that results of other weights are never taken for its own. It needs `torch` and `transformers`, and answers one request
after the other: it is written to be read.
"""

import torch
import transformers
from examiner_plugin import GenerateResult, Model, ModelInfo, PluginError, ScoreResult, serve


class Transformers(Model):
    def __init__(self, device: str = "cpu", dtype: str = "float32"):
        if not self.host.files:
            raise PluginError("`files` names no checkpoint", code="bad-options", help="write `files: [./my-gpt2]`")
        checkpoint = self.host.files[0]
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=getattr(torch, dtype))
        self.model = model.to(device).eval()
        self.device = device
        self.context_length = self.model.config.max_position_embeddings

    def info(self):
        return ModelInfo(
            name=self.model.config.model_type,
            # The checkpoint and the options are in it already.
            fingerprint=f"transformers {transformers.__version__}, torch {torch.__version__}",
            context_length=self.context_length,
            vocabulary=self.model.config.vocab_size,
            details={"device": self.device, "dtype": str(self.model.dtype)},
        )

    # The rules are those of lm-evaluation-harness.
    def split(self, request):
        """The tokens of a request, and the place of the first one that is scored."""
        context, continuation = request.context, request.continuation
        if not continuation:
            raise PluginError("the continuation is empty, so there is nothing to score", code="bad-input")
        if request.span == "all":
            return self.tokenizer.encode(context + continuation, add_special_tokens=False), 1
        # Most tokenizers join a space to the word after it: white space at the end of the context is scored with the continuation.
        stripped = context.rstrip()
        continuation = context[len(stripped) :] + continuation
        # The text is tokenized as a whole, as the model would read it; its first tokens are those of the context.
        whole = self.tokenizer.encode(stripped + continuation)
        context_tokens = self.tokenizer.encode(stripped) if stripped else []
        if not context_tokens:
            # The first token needs something to stand after.
            whole = [self.beginning(), *self.tokenizer.encode(continuation, add_special_tokens=False)]
            return whole, 1
        if len(whole) <= len(context_tokens):
            raise PluginError("the tokenizer joins the continuation with the end of the context", code="bad-input")
        return whole, len(context_tokens)

    def beginning(self):
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return token
        raise PluginError("the context is empty, and the tokenizer has no token to begin with", code="unsupported")

    @torch.inference_mode()
    def score(self, request):
        tokens, first = self.split(request)
        total = len(tokens)
        if len(tokens) - first > self.context_length and request.span != "all":
            raise PluginError(f"the continuation is longer than the context of {self.context_length}", code="bad-input")
        # The last token is a target alone, never an input.
        truncated = max(0, total - (self.context_length + 1))
        tokens, first = tokens[truncated:], max(1, first - truncated)
        if len(tokens) < 2:
            raise PluginError("expected at least 2 tokens", code="bad-input")
        inputs = torch.tensor([tokens[:-1]], device=self.device)
        logits = self.model(inputs).logits[0, first - 1 :].float()
        targets = torch.tensor(tokens[first:], device=self.device)
        logprobs = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None])[:, 0]
        return ScoreResult(
            sum=logprobs.double().sum().item(),
            is_greedy=bool((logits.argmax(dim=-1) == targets).all()),
            scored_tokens=len(targets),
            total_tokens=total,
            token_logprobs=logprobs.tolist(),
            tokens=targets.tolist(),
            truncated_tokens=truncated,
        )

    @torch.inference_mode()
    def generate(self, request):
        sampling = request.sampling
        prompt = self.tokenizer.encode(request.prompt) or [self.beginning()]
        # A prompt that fits stays whole; of one that does not, the end is kept, with room for the answer.
        keep = max(self.context_length - sampling.max_new_tokens, self.context_length // 2)
        truncated = len(prompt) - keep if len(prompt) > self.context_length else 0
        prompt = prompt[truncated:]
        room = min(sampling.max_new_tokens, self.context_length + 1 - len(prompt))
        inputs = torch.tensor([prompt], device=self.device)
        settings = {"do_sample": False}
        if sampling.temperature > 0:
            # Each answer has random numbers of its own, whatever was asked before it.
            torch.manual_seed(hash_of(sampling.seed, request.sample.id, request.sample.repeat))
            settings = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_k": sampling.top_k,
                "top_p": sampling.top_p,
            }
        stop = [text for text in sampling.stop if text]
        output = self.model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            max_new_tokens=room,
            repetition_penalty=sampling.repetition_penalty,
            pad_token_id=self.beginning(),
            stopping_criteria=[StopAt(stop, self.tokenizer, len(prompt))] if stop else None,
            **settings,
        )
        tokens = output[0, len(prompt) :].tolist()
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        finish = "end-of-text"
        if tokens and tokens[-1] != self.tokenizer.eos_token_id:
            finish = "length" if room == sampling.max_new_tokens else "context-length"
        ends = [text.find(end) for end in stop if end in text]
        if ends:
            text, finish = text[: min(ends)], "stop-string"
        return GenerateResult(text, finish, tokens, len(prompt), len(tokens), truncated)


class StopAt(transformers.StoppingCriteria):
    """Ends an answer that has one of some texts."""

    def __init__(self, texts, tokenizer, prompt):
        self.texts, self.tokenizer, self.prompt = texts, tokenizer, prompt

    def __call__(self, tokens, scores, **_):
        answer = self.tokenizer.decode(tokens[0, self.prompt :], skip_special_tokens=True)
        return torch.tensor([any(text in answer for text in self.texts)], device=tokens.device)


def hash_of(seed, sample, repeat):
    """A number that depends on all three, the same in every process."""
    import hashlib

    return int.from_bytes(hashlib.sha256(f"{seed}/{sample}/{repeat}".encode()).digest()[:8], "little") >> 1


if __name__ == "__main__":
    serve(Transformers)
