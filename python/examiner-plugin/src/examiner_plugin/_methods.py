"""The methods of the roles as Examiner calls them: payload in, result out, streamed results to `send`, all in JSON."""

from __future__ import annotations

import traceback
from typing import Any, Callable, Dict, List, Union

from ._errors import PluginError
from ._json import decode, encode
from ._roles import Dataset, Model, Recipe, Scorer, Trainer
from ._types import (
    Answered,
    GenerateRequest,
    Question,
    RecipeJob,
    ScoreRequest,
    TrainJob,
)

#: Takes a result, and says whether more is wanted.
Send = Callable[[Any], bool]


def overrides(role: Any, base: type, method: str) -> bool:
    """Whether a role has a method of its own."""
    return getattr(type(role), method) is not getattr(base, method)


def info(role: Any) -> Any:
    """What a role says of itself."""
    if isinstance(role, Trainer):
        return None
    found = role.info()
    if isinstance(role, Model):
        for field, methods in (("can_score", ("score", "score_batch")), ("can_generate", ("generate", "generate_batch"))):
            if getattr(found, field) is None:
                setattr(found, field, any(overrides(role, Model, method) for method in methods))
    return encode(found)


def call(role: Any, method: str, payload: Any, send: Send) -> Any:
    """Carries out a method, and returns its result."""
    known = _METHODS.get((role.kind, method))
    if known is None:
        raise PluginError(f"this role has no method `{method}`", code="unsupported")
    return known(role, payload, send)


def failed(error: Exception) -> Dict[str, Any]:
    """The error that an exception becomes. Its traceback is in the log, unless it was raised to be shown."""
    if not isinstance(error, PluginError):
        traceback.print_exception(type(error), error, error.__traceback__)
    return PluginError.of(error).to_json()


def _answer(one: str, kind: Any) -> Callable[[Model, Any, Send], None]:
    """The method that answers a batch of requests, by the role's method for one or for many."""
    many = f"{one}_batch"

    def answer(role: Model, payload: Any, send: Send) -> None:
        requests = [decode(kind, request) for request in payload]
        if overrides(role, Model, many):
            _answer_together(requests, getattr(role, many), send)
        else:
            _answer_each(requests, getattr(role, one), send)

    return answer


def _answer_each(requests: List[Any], work: Callable[[Any], Any], send: Send) -> None:
    for request in requests:
        try:
            wanted = send(_response(request, work(request)))
        except Exception as error:  # noqa: BLE001
            wanted = send({"id": request.id, "result": {"Err": failed(error)}})
        if not wanted:
            return


def _answer_together(requests: List[Any], work: Callable[[List[Any]], Any], send: Send) -> None:
    done = 0
    for result in work(requests):
        if done == len(requests):
            raise PluginError(f"a batch of {done} requests got more results than that", code="protocol")
        wanted = send(_response(requests[done], result))
        done += 1
        if not wanted:
            return
    if done < len(requests):
        raise PluginError(f"a batch of {len(requests)} requests got {done} results", code="protocol")


def _response(request: Any, result: Union[Any, PluginError]) -> Dict[str, Any]:
    if isinstance(result, PluginError):
        return {"id": request.id, "result": {"Err": result.to_json()}}
    if result is None:
        raise TypeError("expected a result, found None: is a `return` missing?")
    return {"id": request.id, "result": {"Ok": encode(result)}}


def _stream(items: Any, send: Send) -> None:
    for item in items:
        if not send(encode(item)):
            return


def _requests(role: Scorer, payload: Any, send: Send) -> Any:
    return [encode(list(role.requests(decode(Question, question)))) for question in payload]


def _verdicts(role: Scorer, payload: Any, send: Send) -> Any:
    return [encode(role.score(decode(Answered, answered))) for answered in payload]


def _events(send: Send) -> Callable[[Any], bool]:
    return lambda event: send(encode(event))


def _samples(role: Dataset, payload: Any, send: Send) -> None:
    _stream(role.samples(), send)


def _training_samples(role: Dataset, payload: Any, send: Send) -> None:
    _stream(role.training_samples(payload), send)


def _few_shot_pool(role: Dataset, payload: Any, send: Send) -> Any:
    return encode(list(role.few_shot_pool()))


def _corpus(role: Scorer, payload: Any, send: Send) -> Any:
    return float(role.corpus(*payload))


def _check(role: Trainer, payload: Any, send: Send) -> None:
    role.check(payload)


def _train(role: Trainer, payload: Any, send: Send) -> Any:
    return encode(role.train(decode(TrainJob, payload), _events(send)))


def _make(role: Recipe, payload: Any, send: Send) -> Any:
    return encode(role.make(decode(RecipeJob, payload), _events(send)))


_METHODS: Dict[Any, Callable[[Any, Any, Send], Any]] = {
    ("model", "score"): _answer("score", ScoreRequest),
    ("model", "generate"): _answer("generate", GenerateRequest),
    ("dataset", "samples"): _samples,
    ("dataset", "training-samples"): _training_samples,
    ("dataset", "few-shot-pool"): _few_shot_pool,
    ("scorer", "requests"): _requests,
    ("scorer", "verdicts"): _verdicts,
    ("scorer", "corpus"): _corpus,
    ("trainer", "check"): _check,
    ("trainer", "train"): _train,
    ("recipe", "make"): _make,
}
