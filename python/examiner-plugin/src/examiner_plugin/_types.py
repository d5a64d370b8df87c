"""What is asked and answered. The fields are those of the Rust crate `examiner-api`, in the same words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

from ._errors import PluginError
from ._json import decode, encode, fields


@dataclass
class Turn:
    """What one of `system`, `user` and `assistant` says in a conversation."""

    role: str
    content: str


@dataclass
class SampleRef:
    """Which sample of which dataset a request belongs to, and which repetition of it, from 0."""

    dataset: str = ""
    id: str = ""
    repeat: int = 0
    metadata: Dict[str, Any] = field(default_factory=dict)


@dataclass
class Sampling:
    """How to choose tokens. A temperature of 0 takes the most probable one."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    stop: List[str] = field(default_factory=list)
    seed: int = 0


@dataclass
class ScoreRequest:
    """Asks for the log-likelihood of `continuation` after `context`, whose trailing white space is scored with the continuation. With the
    span `all`, every token of both after the first is scored, and no beginning-of-text token is added. `rolling` and `{"strided": N}`, for
    texts longer than the context, come to a model alone that says `scores_windows`."""

    context: str
    continuation: str
    id: int = 0
    span: Any = "continuation"
    turns: List[Turn] = field(default_factory=list)
    sample: SampleRef = field(default_factory=SampleRef)


@dataclass
class Divergence:
    """How far a model is from another one, summed over the scored tokens: the Kullback-Leibler divergence from the other one in nats, and
    the number of places at which both have the same most probable token."""

    nats: float
    same_top: int


@dataclass
class ScoreResult:
    """A log-likelihood, in nats. `sum` is the sum of `token_logprobs`; `total_tokens` is the length of the whole sequence before anything
    was cut off; `truncated_tokens` were cut off on the left; `divergence` is there where the model is compared with another one."""

    sum: float
    is_greedy: bool
    scored_tokens: int
    total_tokens: int
    token_logprobs: List[float] = field(default_factory=list)
    tokens: List[int] = field(default_factory=list)
    truncated_tokens: int = 0
    rendered: Optional[str] = None
    divergence: Optional[Divergence] = None


@dataclass
class GenerateRequest:
    """Asks for a text that goes on from `prompt`, or from `turns` where the model reads those and there are any."""

    prompt: str
    id: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    turns: List[Turn] = field(default_factory=list)
    sample: SampleRef = field(default_factory=SampleRef)


@dataclass
class GenerateResult:
    """A text without the stop string that ended it. `finish` is `end-of-text`, `stop-string`, `length` or `context-length`."""

    text: str
    finish: str = "end-of-text"
    tokens: List[int] = field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0
    truncated_tokens: int = 0
    rendered: Optional[str] = None
    reasoning: Optional[str] = None
    reasoning_tokens: Optional[int] = None


@dataclass
class ModelInfo:
    """What a model is. `fingerprint` changes whenever an answer could; Examiner adds the content of the command's files, of `files` and the
    options to it. What it can do is found in the class where it is not said."""

    name: str = ""
    fingerprint: str = ""
    can_score: Optional[bool] = None
    can_generate: Optional[bool] = None
    reads_turns: bool = False
    scores_windows: Optional[bool] = None
    context_length: Optional[int] = None
    vocabulary: Optional[int] = None
    checkpoint: Optional[str] = None
    warnings: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    details: Dict[str, Any] = field(default_factory=dict)


@dataclass
class DatasetInfo:
    """What a dataset is. `scorer` is used where the suite names none."""

    fingerprint: str = ""
    version: str = ""
    rows: Optional[int] = None
    scorer: Optional[str] = None
    scorer_options: Dict[str, Any] = field(default_factory=dict)
    preamble: str = ""
    shot_separator: str = "\n\n"
    sampling: Sampling = field(default_factory=Sampling)
    macro_average: bool = False
    forms: List[str] = field(default_factory=lambda: ["answers"])


@dataclass
class Gold:
    """The right answer: the number of a choice, from 0, or any of some texts."""

    choice: Optional[int] = None
    texts: Optional[List[str]] = None

    def to_json(self) -> Any:
        if self.choice is not None:
            return {"choice": self.choice}
        return "none" if self.texts is None else {"text": self.texts}

    @classmethod
    def from_json(cls, data: Any) -> Gold:
        if not isinstance(data, dict):
            return cls()
        return cls(choice=data.get("choice"), texts=data.get("text"))


@dataclass
class Sample:
    """A question. `choices` are answers without the delimiter; `id` is the same in every run."""

    id: str
    prompt: str
    gold: Gold = field(default_factory=Gold)
    delimiter: str = ""
    choices: List[str] = field(default_factory=list)
    subset: Optional[str] = None
    cluster: Optional[str] = None
    document: Any = None
    metadata: Dict[str, Any] = field(default_factory=dict)


@dataclass
class Shot:
    """An example that stands before a question; its answer has the delimiter."""

    prompt: str
    answer: str
    id: Optional[str] = None


@dataclass
class Question:
    """A sample with its few-shot examples: what a scorer works on."""

    sample: Sample
    context: str
    turns: List[Turn] = field(default_factory=list)
    sampling: Sampling = field(default_factory=Sampling)


@dataclass
class ScoreAsk:
    """A scorer wants the log-likelihood of `continuation` after `context`."""

    context: str
    continuation: str
    span: Any = "continuation"
    turns: List[Turn] = field(default_factory=list)

    def to_json(self) -> Any:
        return {"score": fields(self)}


@dataclass
class GenerateAsk:
    """A scorer wants a text that goes on from `prompt`."""

    prompt: str
    sampling: Sampling = field(default_factory=Sampling)
    turns: List[Turn] = field(default_factory=list)

    def to_json(self) -> Any:
        return {"generate": fields(self)}


@dataclass
class Answered:
    """A question with an answer for each of its asks: a `ScoreResult` or a `GenerateResult`."""

    question: Question
    answers: List[Union[ScoreResult, GenerateResult]]

    @classmethod
    def from_json(cls, data: Any) -> Answered:
        def answer(tagged: Any) -> Union[ScoreResult, GenerateResult]:
            if "score" in tagged:
                return decode(ScoreResult, tagged["score"])
            return decode(GenerateResult, tagged["generate"])

        return cls(decode(Question, data["question"]), [answer(one) for one in data["answers"]])


@dataclass
class Verdict:
    """The judgement of a sample: its value of each metric of the aggregation `mean`, and its statistics for each of `corpus`. `outcome` is
    `scored`, `unanswered` (no answer was found in the text: counts as wrong, with its metrics) or a `PluginError` (never counts as wrong)."""

    metrics: Dict[str, float] = field(default_factory=dict)
    statistics: Dict[str, List[float]] = field(default_factory=dict)
    outcome: Union[str, PluginError] = "scored"
    extracted: Optional[str] = None
    details: Dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> Any:
        found = fields(self)
        if isinstance(self.outcome, PluginError):
            found["outcome"] = {"error": encode(self.outcome)}
        return found


@dataclass
class MetricInfo:
    """A metric. `aggregation` is `mean` or `corpus`; `bounds` are the lowest and highest value of a single sample."""

    name: str
    higher_is_better: bool = True
    aggregation: str = "mean"
    bounds: Optional[Tuple[float, float]] = None


@dataclass
class ScorerInfo:
    """What a scorer reports, the metric that figures show first, and which kinds of answer it asks for."""

    metrics: List[MetricInfo]
    asks_score: bool = False
    asks_generate: bool = False
    fingerprint: str = ""


@dataclass
class TrainingRow:
    """A row to learn from: what is given, and what is learned, with its delimiter."""

    id: str
    prompt: str
    completion: str
    metadata: Dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> Any:
        return {**self.metadata, "id": self.id, "prompt": self.prompt, "completion": self.completion}

    @classmethod
    def from_json(cls, data: Any) -> TrainingRow:
        metadata = {name: value for name, value in data.items() if name not in ("id", "prompt", "completion")}
        return cls(data["id"], data["prompt"], data["completion"], metadata)


@dataclass
class TrainJob:
    """What a trainer is to do: learn `rows`, a file of JSON lines (`TrainingRow`), from the checkpoint `from_` (none to start from scratch),
    and write checkpoints to the directory `out`. An interrupted training goes on from the last checkpoint there whose step is not beyond
    `recorded`."""

    rows: str
    out: str
    seed: int = 0
    from_: Optional[str] = None
    recorded: Optional[int] = None

    @classmethod
    def from_json(cls, data: Any) -> TrainJob:
        return cls(data["rows"], data["out"], data.get("seed", 0), data.get("from"), data.get("recorded"))


@dataclass
class TrainEvent:
    """A step of training. Losses are means in nats per token. The first event of a training that goes on from a checkpoint says so in
    `resumed_after`, the checkpoint's step."""

    step: int
    steps: int = 0
    loss: Optional[float] = None
    validation_loss: Optional[float] = None
    learning_rate: Optional[float] = None
    gradient_norm: Optional[float] = None
    tokens_per_s: Optional[float] = None
    resumed_after: Optional[int] = None


@dataclass
class TrainReport:
    """The checkpoint directory that later stages use, and how many steps were done."""

    checkpoint: str
    steps: int = 0
    details: Dict[str, Any] = field(default_factory=dict)


@dataclass
class RecipeInfo:
    """`fingerprint` changes whenever what is asked or kept could; Examiner adds files and options to it."""

    fingerprint: Optional[str] = None


@dataclass
class RecipeJob:
    """What a recipe is to do: ask the model `teacher`, and publish rows to the directory `out`; at most `limit` questions of each task."""

    teacher: str
    out: str
    seed: int = 0
    limit: Optional[int] = None


@dataclass
class RecipeEvent:
    """How far a recipe has come."""

    done: int
    total: int
    kept: int = 0


@dataclass
class TaskYield:
    """What the questions of a task yielded."""

    task: str
    questions: int = 0
    asked: int = 0
    answered: int = 0
    right: int = 0
    kept: int = 0
    unsolved: int = 0


@dataclass
class RecipeReport:
    """The file of rows, which `Host.write_rows` fills in, and the counts."""

    rows: str = ""
    asked: int = 0
    kept: int = 0
    yields: List[TaskYield] = field(default_factory=list)
    details: Dict[str, Any] = field(default_factory=dict)


@dataclass
class RowsFile:
    """The files of a recipe, whose names begin with `stem`. `inputs` is all that the rows depend on."""

    out: str
    stem: str
    inputs: Any = None


@dataclass
class RowsContent:
    """What `Host.write_rows` writes. `errors` counts questions without an answer, which another try would ask again."""

    rows: List[TrainingRow]
    report: RecipeReport = field(default_factory=RecipeReport)
    unsolved: List[Dict[str, Any]] = field(default_factory=list)
    errors: int = 0


@dataclass
class AskReport:
    """How many questions were answered before, were answered now, and have no answer."""

    known: int = 0
    answered: int = 0
    failed: int = 0
    reasons: Dict[str, int] = field(default_factory=dict)
