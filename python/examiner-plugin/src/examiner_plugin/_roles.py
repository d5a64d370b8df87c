"""The roles, as classes to derive from. A class needs the methods of its role alone; all others have a default."""

from __future__ import annotations

from typing import Any, Callable, ClassVar, Dict, Iterable, List, Optional, Union

from ._errors import PluginError
from ._host import Host
from ._types import (
    Answered,
    DatasetInfo,
    GenerateAsk,
    GenerateRequest,
    GenerateResult,
    ModelInfo,
    Question,
    RecipeEvent,
    RecipeInfo,
    RecipeJob,
    RecipeReport,
    Sample,
    ScoreAsk,
    ScoreRequest,
    ScoreResult,
    ScorerInfo,
    Shot,
    TrainEvent,
    TrainJob,
    TrainReport,
    Verdict,
)


class Role:
    """What all roles have. The keyword arguments of `__init__` are the options that a suite may give; their annotations and defaults
    become the schema that options are checked against."""

    #: The kind of role.
    kind: ClassVar[str] = ""
    #: The JSON Schema of the options, where that of `__init__` does not say enough.
    options_schema: ClassVar[Optional[Dict[str, Any]]] = None
    #: The way to Examiner; it is there before `__init__` is called.
    host: Host

    def close(self) -> None:
        """Called when there are no more calls."""


class Model(Role):
    """A language model: `score`, `generate` or both. Where many requests are cheaper together, `score_batch` and `generate_batch`."""

    kind = "model"

    def info(self) -> ModelInfo:
        """What the model is."""
        return ModelInfo()

    def score(self, request: ScoreRequest) -> ScoreResult:
        """The log-likelihood of a text."""
        raise PluginError("this model cannot score log-likelihoods", code="unsupported")

    def generate(self, request: GenerateRequest) -> GenerateResult:
        """A text that goes on from a prompt."""
        raise PluginError("this model cannot generate text", code="unsupported")

    def score_batch(self, requests: List[ScoreRequest]) -> Iterable[Union[ScoreResult, PluginError]]:
        """A result, or why there is none, for each request, in their order. A generator's results are sent, and kept by Examiner, as
        they come. An exception is the error of all requests that have no result yet."""
        raise NotImplementedError

    def generate_batch(self, requests: List[GenerateRequest]) -> Iterable[Union[GenerateResult, PluginError]]:
        """As `score_batch`, for texts."""
        raise NotImplementedError


class Dataset(Role):
    """A set of questions."""

    kind = "dataset"

    def info(self) -> DatasetInfo:
        """What the dataset is."""
        return DatasetInfo()

    def samples(self) -> Iterable[Sample]:
        """Every sample, in the same order at each call."""
        raise NotImplementedError

    def few_shot_pool(self) -> Iterable[Shot]:
        """The rows that few-shot examples are taken from."""
        return []

    def training_samples(self, form: str) -> Iterable[Sample]:
        """Every sample as a model is to learn it, in one of the forms of `DatasetInfo.forms`."""
        if form == "answers":
            return self.samples()
        raise PluginError(f"expected the form `answers`, found `{form}`", code="bad-options")


class Scorer(Role):
    """Turns questions into requests, and answers into metrics."""

    kind = "scorer"

    def info(self) -> ScorerInfo:
        """What the scorer reports."""
        raise NotImplementedError

    def requests(self, question: Question) -> List[Union[ScoreAsk, GenerateAsk]]:
        """What to ask for a question: here, a free answer."""
        return [GenerateAsk(question.context, question.sampling, question.turns)]

    def score(self, answered: Answered) -> Verdict:
        """The judgement of a question whose asks have all been answered."""
        raise NotImplementedError

    def corpus(self, metric: str, statistics: List[List[float]]) -> float:
        """The value of a metric with the aggregation `corpus`, from the statistics of some samples. It is also called with samples that
        are drawn with repetition, and needs a value for every draw."""
        raise PluginError(f"this scorer has no corpus metric `{metric}`", code="unsupported")


class Trainer(Role):
    """Teaches a model."""

    kind = "trainer"

    def check(self, from_: Optional[str]) -> None:
        """Raises an error if it cannot train from there, as far as that can be told without weights."""

    def train(self, job: TrainJob, send: Callable[[TrainEvent], bool]) -> TrainReport:
        """Trains, and leaves a checkpoint directory. `send` takes an event for each step, and says whether to go on."""
        raise NotImplementedError


class Recipe(Role):
    """Makes training data by asking a model."""

    kind = "recipe"

    def info(self) -> RecipeInfo:
        """What is known before anybody is asked."""
        return RecipeInfo()

    def make(self, job: RecipeJob, send: Callable[[RecipeEvent], bool]) -> RecipeReport:
        """Writes the rows with `self.host.write_rows`, and returns its report. `send` takes an event now and then, and says whether to go
        on."""
        raise NotImplementedError
