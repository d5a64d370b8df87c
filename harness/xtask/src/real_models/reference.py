"""What transformers and lm-evaluation-harness compute with the checkpoints of `checkpoints.py`.

Usage: reference.py DIRECTORY SHARED. Data of SHARED is put into DIRECTORY/data as suites read it, results into
DIRECTORY/reference, and what is complete into DIRECTORY/references.json. What is there already is left alone.
"""

import json
import math
import sys
from pathlib import Path

import lm_eval
import torch
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer

# Name, and whether answers go through the chat template.
MODELS = [("smollm2", True), ("gemma3", False)]
QUESTIONS, SHOTS = 200, 5
ANSWERS, NEW_TOKENS = 40, 128
STOP = ["Question:", "</s>", "<|im_end|>"]
# Pieces of this many characters, until there are so many tokens.
PIECE, PIECES, PERPLEXITY_TOKENS = 1500, 80, 20_000
TEXTS, TEXT = 2000, 160

# What tokenizers take apart in ways of their own.
UNUSUAL = [
    "", " ", "  ", "   a", "a   ", "\n", "\n\n", "\r\n", "a\r\nb", "\t", "\ta\t\tb", " \n ", "\n \n", "a\n\n\nb", "    four spaces",
    "a\u00a0b", "\u3000全角", "zero\u200bwidth", "don't", "DON'T", "I'll we've you're he'd it's I'm", "'s", "’s", "x'y",
    "1", "12", "123", "1234", "12345678901234567890", "1,234.56", "$3.50", "50%", "3.14159", "1e-5", "0x1F", "²³½",
    "a1b2c3", "C++", "a_b_c", "snake_case_name", "CamelCaseName", "ALLCAPS", "e.g.", "...", "!!!", "?!", "--", "—", "(a)", "[b]",
    "{c}", "<d>", "</d>", "a/b\\c", "#tag", "@name", "user@example.org", "https://example.org/a?b=c&d=e#f", "C:\\Users\\x",
    "😀", "👨‍👩‍👧‍👦", "👍🏽", "🇩🇪", "❤️", "a😀b", "😀😀😀", "✓ ✗ → ←", "∑∫√∞≈≠", "½ ¼", "№", "™©®", "¿Qué?", "naïve café", "e\u0301",
    "Straße", "ŁÓDŹ", "ğüşiöç", "Привет, мир!", "Ελληνικά", "עברית", "العربية", "हिन्दी", "ไทย", "日本語のテキスト", "中文文本", "한국어", "𝔘𝔫𝔦",
    "def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) {\n\ta[i] = i;\n}", "if __name__ == '__main__':\n    main()",
    "SELECT * FROM t WHERE a = 'b';", "{\"key\": [1, 2.5, null, true]}", "<html>\n  <body class=\"x\">&amp;</body>\n</html>",
    "<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "<start_of_turn>user\n",
    "a<|im_end|>b", "<|im_end|> a", "a <eos> b", "<bos>a", "<unused1>", "[INST] a [/INST]", "<repo_name>", "\u0000", "\u0007bell", "\ufeffmark",
    "<0x0A>", "<0xE2>",
]


def read(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def write(path, rows):
    partial = path.with_suffix(".partial")
    with open(partial, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial.rename(path)


def data(directory, shared):
    """The rows that references and suites share."""
    directory.mkdir(exist_ok=True)
    choices = read(shared / "oracle/lm_eval/csqa_flat.jsonl")
    write(directory / "csqa.jsonl", choices[:QUESTIONS])
    write(directory / "csqa-shots.jsonl", choices[-SHOTS:])
    problems = read(shared / "data/gsm8k/test.jsonl")
    write(directory / "gsm8k.jsonl", problems[:ANSWERS])

    train = read(shared / "data/gsm8k/train.jsonl")
    svamp = json.load(open(shared / "data/svamp/SVAMP.json", encoding="utf-8"))
    tasks = sorted((shared / "data/bbh/tasks").glob("*.json"))
    bbh = [row["input"] for task in tasks for row in json.load(open(task, encoding="utf-8"))["examples"][:16]]
    teacher = [json.dumps(row, ensure_ascii=False) for row in read(shared / "data/teacher/code-davinci-002-cot.jsonl")[:400]]
    sources = [
        [row["question"] + "\n" + row["answer"] for row in train],
        [row["question"] + " " + ", ".join(row["choices"]) for row in choices],
        [row["Body"] + " " + row["Question"] for row in svamp],
        bbh,
        teacher,
    ]
    # Texts of one word say nothing, and an empty one has no token to score.
    texts = [text for text in UNUSUAL if text.strip()]
    # A few more, because some are the same.
    share = (TEXTS - len(texts)) // len(sources) + 50
    for source in sources:
        # Each begins somewhere else, also in the midst of a word.
        texts += [text[index % 7 :][:TEXT] for index, text in enumerate(source[:share])]
    rows = [{"text": text} for text in dict.fromkeys(texts) if text.strip()]
    if len(rows) < TEXTS:
        sys.exit(f"there are {len(rows)} different texts; expected {TEXTS}")
    # All sources keep their share: the last ones are no better than others.
    write(directory / "texts.jsonl", [rows[index * len(rows) // TEXTS] for index in range(TEXTS)])
    write(directory / "prose.jsonl", pieces("\n\n".join(sources[0][1000:1500] + bbh)))


def pieces(prose):
    """Halves of pieces, because a suite asks for a prompt and a choice."""
    parts = [prose[at : at + PIECE] for at in range(0, len(prose), PIECE)]
    return [{"first": part[: PIECE // 2], "second": part[PIECE // 2 :]} for part in parts[:PIECES]]


class Reference:
    """A checkpoint, and where its results are."""

    def __init__(self, directory, name):
        self.data, self.out, self.name = directory / "data", directory / "reference", name
        self.tokenizer = AutoTokenizer.from_pretrained(directory / name)
        self.model = AutoModelForCausalLM.from_pretrained(directory / name, dtype=torch.float32).eval()
        self.harness = HFLM(pretrained=self.model, tokenizer=self.tokenizer, batch_size=8)

    def write(self, what, compute):
        path = self.out / f"{self.name}-{what}.jsonl"
        if not path.exists():
            print(f"{self.name}: {what}", flush=True)
            write(path, compute())

    def examine(self, config, shots, chat=False):
        """The samples of a task, in the order of its rows."""
        task = ConfigurableTask(config={"task": "reference", "dataset_path": "json", **config})
        task.set_config("num_fewshot", shots)
        options = {"bootstrap_iters": 0, "log_samples": True, "apply_chat_template": chat}
        results = lm_eval.simple_evaluate(model=self.harness, tasks=[task], num_fewshot=shots, **options)
        return sorted(results["samples"]["reference"], key=lambda sample: sample["doc_id"])

    def choices(self, shots):
        files = {"validation": str(self.data / "csqa.jsonl"), "train": str(self.data / "csqa-shots.jsonl")}
        samples = self.examine(
            {
                "dataset_kwargs": {"data_files": files},
                "output_type": "multiple_choice",
                "validation_split": "validation",
                "fewshot_split": "train",
                "fewshot_config": {"sampler": "first_n"},
                "doc_to_text": "Question: {{question}}\nAnswer:",
                "doc_to_choice": "{{choices}}",
                "doc_to_target": "{{answer}}",
                "metric_list": [{"metric": metric, "aggregation": "mean"} for metric in ("acc", "acc_norm")],
            },
            shots,
        )
        for sample in samples:
            yield {
                "context": sample["arguments"][0][0],
                "loglikelihoods": [response[0] for response in sample["filtered_resps"]],
                "acc": sample["acc"],
                "acc_norm": sample["acc_norm"],
            }

    def answers(self, chat):
        samples = self.examine(
            {
                "dataset_kwargs": {"data_files": {"test": str(self.data / "gsm8k.jsonl")}},
                "output_type": "generate_until",
                "test_split": "test",
                "doc_to_text": "Question: {{question}}\nAnswer:",
                "doc_to_target": "{{answer}}",
                "generation_kwargs": {"until": STOP, "do_sample": False, "max_gen_toks": NEW_TOKENS},
                "metric_list": [{"metric": "exact_match", "aggregation": "mean"}],
            },
            0,
            chat,
        )
        for sample in samples:
            prompt, text = sample["arguments"][0][0], sample["resps"][0][0]
            yield {"prompt": prompt, "text": text, "smallest_gap": self.smallest_gap(prompt, text, chat)}

    def smallest_gap(self, prompt, text, chat):
        """By how much the best logit leads, where it leads by least: below 1e-3 another token is as right."""
        context = self.tokenizer(prompt, add_special_tokens=not chat)["input_ids"]
        answer = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = self.model(torch.tensor([context + answer])).logits[0, len(context) - 1 :]
        best = logits.topk(2).values
        return (best[:, 0] - best[:, 1]).min().item()

    def perplexity(self):
        """Log-likelihoods of pieces; the first token is scored where a beginning-of-text token stands before it."""
        count = 0
        for row in read(self.data / "prose.jsonl"):
            tokens = self.tokenizer(row["first"] + row["second"])["input_ids"]
            with torch.no_grad():
                logprobs = self.model(torch.tensor([tokens])).logits[0, :-1].double().log_softmax(-1)
            scored = logprobs[torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])]
            yield {"sum": scored.sum().item(), "scored_tokens": len(tokens) - 1}
            count += len(tokens) - 1
            if count >= PERPLEXITY_TOKENS:
                return
        sys.exit(f"the prose has {count} tokens; expected {PERPLEXITY_TOKENS}")

    def tokens(self):
        """The tokens of texts. A beginning-of-text token before others is read, not scored."""
        for row in read(self.data / "texts.jsonl"):
            tokens = self.tokenizer(row["text"], add_special_tokens=False)["input_ids"]
            yield {"text": row["text"], "tokens": tokens[len(tokens) > 1 and tokens[0] == self.tokenizer.bos_token_id :]}


def main():
    directory, shared = Path(sys.argv[1]), Path(sys.argv[2])
    if not (directory / "data/prose.jsonl").exists():
        data(directory / "data", shared)
    (directory / "reference").mkdir(exist_ok=True)
    for name, chat in MODELS:
        reference = Reference(directory, name)
        reference.write("tokens", reference.tokens)
        reference.write("csqa-0shot", lambda: reference.choices(0))
        reference.write("csqa-5shot", lambda: reference.choices(SHOTS))
        reference.write("perplexity", reference.perplexity)
        reference.write("gsm8k", lambda: reference.answers(chat))
        if chat:
            reference.write("gsm8k-plain", lambda: reference.answers(False))
        rows = read(directory / f"reference/{name}-perplexity.jsonl")
        mean = sum(row["sum"] for row in rows) / sum(row["scored_tokens"] for row in rows)
        print(f"{name}: perplexity {math.exp(-mean):.4f}", flush=True)
    models = [{"name": name, "chat": chat} for name, chat in MODELS]
    (directory / "references.json").write_text(json.dumps(models))


if __name__ == "__main__":
    main()
