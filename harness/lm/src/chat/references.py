"""Renders the templates in `references/` with transformers, for the tests to compare with.

    pip install transformers jinja2
    python harness/lm/src/chat/references.py

The templates are written in the style of those that model families publish; none is a copy of one. Results go to
`references.json`: for each template and each conversation the text, or the exception that the template raised.
"""

import datetime
import json
import pathlib

import jinja2
import transformers
import transformers.utils.chat_template_utils as rendering
from tokenizers import Tokenizer, models

HERE = pathlib.Path(__file__).parent

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


class FixedDay(datetime.datetime):
    """The day that templates are given."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, tzinfo=tz)


def turn(role, content):
    return {"role": role, "content": content}


CONVERSATIONS = {
    "a question": [turn("user", "What is 7 + 8?")],
    "with a system": [turn("system", "Answer with a number.\n"), turn("user", "What is 7 + 8?")],
    "few-shot": [
        turn("user", "Question: 1 + 1?\nAnswer:"),
        turn("assistant", "2"),
        turn("user", "Question: 2 + 2?\nAnswer:"),
        turn("assistant", "4"),
        turn("user", "Question: 7 + 8?\nAnswer:"),
    ],
    "few-shot with a system": [
        turn("system", "  Do sums: \"quotes\", <tags> & 'more'. "),
        turn("user", "  1 + 1?\n\n"),
        turn("assistant", "\n2 "),
        turn("user", "Where is the café? 漢字 \U0001f642 \\ \t end."),
    ],
    "thoughts in an answer": [
        turn("user", "1 + 1?"),
        turn("assistant", "<think>\nOne and one.\n</think>\n\n2"),
        turn("user", "And 2 + 2?"),
    ],
    "an empty question": [turn("user", "")],
    "out of turn": [turn("user", "One."), turn("user", "Two?")],
    "begins with the assistant": [turn("assistant", "Well?"), turn("user", "Well.")],
    "a late system": [turn("user", "One?"), turn("assistant", "1"), turn("system", "Be brief."), turn("user", "Two?")],
}


def main():
    rendering.datetime = FixedDay  # What `strftime_now` asks.
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **TOKENS)
    rendered = {}
    for path in sorted((HERE / "references").glob("*.jinja")):
        template = path.read_text(encoding="utf-8")
        for name, conversation in CONVERSATIONS.items():
            try:
                text = tokenizer.apply_chat_template(
                    conversation, chat_template=template, tokenize=False, add_generation_prompt=True
                )
                result = {"text": text}
            except jinja2.exceptions.TemplateError as error:
                assert type(error) is jinja2.exceptions.TemplateError, (path, name, error)
                result = {"raised": str(error)}
            rendered.setdefault(path.stem, {})[name] = result
    document = {
        "transformers": transformers.__version__,
        "jinja2": jinja2.__version__,
        "tokens": TOKENS,
        "conversations": CONVERSATIONS,
        "rendered": rendered,
    }
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    (HERE / "references.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
