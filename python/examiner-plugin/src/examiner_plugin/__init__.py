"""Play a role of Examiner in Python.

A role is a class: `Model`, `Dataset`, `Scorer`, `Trainer` or `Recipe`. Its keyword arguments are the options that a suite may give, and
`serve` plays it:

    from examiner_plugin import GenerateResult, Model, serve

    class Echo(Model):
        def generate(self, request):
            return GenerateResult(text=request.prompt)

    serve(Echo)

What is printed goes to the log of the role's stage. An exception becomes the error of the request that it was raised for, or of the whole
call, with its traceback in the log.
"""

from . import _streams

# Before anything else can print: from now on stdout is stderr, where the program is a role of Examiner.
_streams.take_over()

from ._errors import PluginError  # noqa: E402
from ._host import Host  # noqa: E402
from ._roles import Dataset, Model, Recipe, Scorer, Trainer  # noqa: E402
from ._serve import serve  # noqa: E402
from ._types import (  # noqa: E402
    Answered,
    AskReport,
    DatasetInfo,
    Divergence,
    GenerateAsk,
    GenerateRequest,
    GenerateResult,
    Gold,
    MetricInfo,
    ModelInfo,
    Question,
    RecipeEvent,
    RecipeInfo,
    RecipeJob,
    RecipeReport,
    RowsContent,
    RowsFile,
    Sample,
    SampleRef,
    Sampling,
    ScoreAsk,
    ScoreRequest,
    ScoreResult,
    ScorerInfo,
    Shot,
    TaskYield,
    TrainEvent,
    TrainingRow,
    TrainJob,
    TrainReport,
    Turn,
    Verdict,
)

__all__ = [
    "Answered",
    "AskReport",
    "Dataset",
    "DatasetInfo",
    "Divergence",
    "GenerateAsk",
    "GenerateRequest",
    "GenerateResult",
    "Gold",
    "Host",
    "MetricInfo",
    "Model",
    "ModelInfo",
    "PluginError",
    "Question",
    "Recipe",
    "RecipeEvent",
    "RecipeInfo",
    "RecipeJob",
    "RecipeReport",
    "RowsContent",
    "RowsFile",
    "Sample",
    "SampleRef",
    "Sampling",
    "ScoreAsk",
    "ScoreRequest",
    "ScoreResult",
    "Scorer",
    "ScorerInfo",
    "Shot",
    "TaskYield",
    "TrainEvent",
    "TrainJob",
    "TrainReport",
    "Trainer",
    "TrainingRow",
    "Turn",
    "Verdict",
    "serve",
]
