"""A model of a few lines that needs nothing: it answers with its prompt, and finds every continuation equally likely.

    models:
      polite: { plugin: process, command: [python3, echo.py], options: { prefix: "You said: " } }
"""

from examiner_plugin import GenerateResult, Model, ScoreResult, serve


class Echo(Model):
    def __init__(self, prefix: str = ""):
        self.prefix = prefix

    def generate(self, request):
        return GenerateResult(text=self.prefix + request.prompt)

    def score(self, request):
        words = max(1, len(request.continuation.split()))
        return ScoreResult(sum=-float(words), is_greedy=False, scored_tokens=words, total_tokens=words + 1)


if __name__ == "__main__":
    serve(Echo)
