"""Every role, as small as it can be, by the Python package."""

import os
import sys
import time

from examiner_plugin import (
    Dataset,
    GenerateRequest,
    GenerateResult,
    Gold,
    MetricInfo,
    Model,
    ModelInfo,
    PluginError,
    Recipe,
    RecipeEvent,
    RowsContent,
    RowsFile,
    Sample,
    SampleRef,
    ScoreResult,
    Scorer,
    ScorerInfo,
    Shot,
    Trainer,
    TrainEvent,
    TrainingRow,
    TrainReport,
    Verdict,
    serve,
)


class Adder(Model):
    """Adds the two numbers of a prompt, in one batch with others."""

    def __init__(self, offset: int = 0, weights: str = "", sleep_s: float = 0.0):
        if offset < 0:
            raise ValueError("offset is negative")
        self.offset, self.weights, self.sleep_s = offset, weights, sleep_s

    def info(self):
        return ModelInfo(name="adder", fingerprint=self.weights)

    def generate(self, request):
        print("this goes to the log")
        print("the token is", os.environ.get("EXAMINER_TEST_TOKEN"))
        os.system("echo this, too")
        time.sleep(self.sleep_s)
        one, other = request.prompt.split(" + ")
        return GenerateResult(text=str(int(one) + int(other) + self.offset))

    def score_batch(self, requests):
        for request in requests:
            if request.continuation == " none":
                yield PluginError("no such word", code="bad-input", help="use another")
            elif request.continuation == " break":
                raise KeyError("break")
            else:
                yield ScoreResult(sum=-1.5, is_greedy=True, scored_tokens=1, total_tokens=2, token_logprobs=[-1.5])


class Numbers(Dataset):
    def __init__(self, rows: int = 3):
        self.rows = rows

    def samples(self):
        for number in range(self.rows):
            yield Sample(id=str(number), prompt=f"{number} + {number}", gold=Gold(texts=[str(2 * number)]))

    def few_shot_pool(self):
        yield Shot(prompt="1 + 1", answer=" 2", id="shot")


class SquaredError(Scorer):
    def info(self):
        return ScorerInfo([MetricInfo("exact", bounds=(0, 1)), MetricInfo("mse", False, "corpus")], asks_generate=True)

    def score(self, answered):
        found, right = float(answered.answers[0].text), float(answered.question.sample.gold.texts[0])
        return Verdict({"exact": float(found == right)}, {"mse": [(found - right) ** 2]}, extracted=str(found))

    def corpus(self, metric, statistics):
        return sum(error for (error,) in statistics) / len(statistics)


class Learner(Trainer):
    def __init__(self, dies_at: int = 0):
        self.dies_at = dies_at

    def check(self, from_):
        if from_ == "nowhere":
            raise PluginError("there is nothing to start from", code="not-found")

    def train(self, job, send):
        with open(job.rows, encoding="utf-8") as rows:
            count = len(rows.readlines())
        for step in range(1, count + 1):
            if not send(TrainEvent(step, count, loss=1 / step)):
                raise PluginError("interrupted", code="cancelled")
            mark = os.path.join(job.out, "died")
            if step == self.dies_at and not os.path.exists(mark):
                open(mark, "w").close()
                os._exit(9)
        self.host.flush()
        with open(os.path.join(job.out, "weights"), "w", encoding="utf-8") as weights:
            weights.write("trained")
        return TrainReport(job.out, count, {"from": job.from_ or "scratch"})


class Doubles(Recipe):
    def make(self, job, send):
        file = RowsFile(job.out, "doubles", {"rule": 1, "seed": job.seed})
        found = self.host.find_rows(file)
        if found is not None:
            return found
        requests = [GenerateRequest(f"{n} + {n}", n, sample=SampleRef("doubles", str(n))) for n in range(4)]
        answers, report = self.host.ask_all(job.teacher, requests, os.path.join(job.out, "doubles.answers.jsonl"))
        rows = [TrainingRow(str(n), requests[n].prompt, " " + answers[n].text, {"task": "sum"}) for n in sorted(answers)]
        send(RecipeEvent(len(requests), len(requests), len(rows)))
        print("asked", report.answered, "known", report.known, file=sys.stderr)
        content = RowsContent(rows, errors=report.failed)
        content.report.asked, content.report.kept = len(requests), len(rows)
        return self.host.write_rows(file, content)


serve(Adder, Numbers, SquaredError, Learner, Doubles)
