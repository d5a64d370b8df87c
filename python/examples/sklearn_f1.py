"""A scorer whose metric is one of the whole dataset: the macro-averaged F1 of scikit-learn over chosen answers.

    datasets:
      reviews:
        plugin: table
        path: reviews.jsonl
        prompt: "Review: {{ text }}\\nSentiment:"
        delimiter: " "
        choices: [negative, positive]
        gold: "{{ label }}"
        scorer: { name: process, label: f1, command: [python3, sklearn_f1.py] }

Each choice is scored as a continuation, and the most likely one is the answer. It needs `scikit-learn`.
"""

from examiner_plugin import MetricInfo, PluginError, ScoreAsk, Scorer, ScorerInfo, Verdict, serve
from sklearn.metrics import f1_score


class F1(Scorer):
    def __init__(self, average: str = "macro"):
        self.average = average

    def info(self):
        accuracy = MetricInfo("accuracy", bounds=(0, 1))
        f1 = MetricInfo("f1", aggregation="corpus")
        return ScorerInfo([f1, accuracy], asks_score=True)

    def requests(self, question):
        sample = question.sample
        if not sample.choices:
            raise PluginError(f"sample `{sample.id}` has no choices", code="bad-input")
        return [ScoreAsk(question.context, sample.delimiter + choice, turns=question.turns) for choice in sample.choices]

    def score(self, answered):
        sample = answered.question.sample
        sums = [answer.sum for answer in answered.answers]
        chosen = sums.index(max(sums))
        right = float(chosen == sample.gold.choice)
        # What `corpus` needs of a sample, as numbers.
        return Verdict({"accuracy": right}, {"f1": [sample.gold.choice, chosen]}, extracted=sample.choices[chosen])

    def corpus(self, metric, statistics):
        right, chosen = zip(*statistics)
        # A class that a draw of the bootstrap lacks counts nothing.
        return f1_score(right, chosen, average=self.average, zero_division=0)


if __name__ == "__main__":
    serve(F1)
