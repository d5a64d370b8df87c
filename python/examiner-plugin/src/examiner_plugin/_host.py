"""What a role can ask of Examiner."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ._errors import PluginError
from ._json import decode, encode
from ._streams import Streams
from ._types import (
    AskReport,
    GenerateRequest,
    GenerateResult,
    RecipeReport,
    RowsContent,
    RowsFile,
    Sample,
    ScoreRequest,
    ScoreResult,
)


class Host:
    """A role's way to Examiner: `self.host`. Its methods may be called from any thread, while a method of the role is under way or the role
    is being made."""

    def __init__(self, streams: Streams, files: Optional[List[str]] = None):
        #: Where the option `files` of the suite leads, as absolute paths.
        self.files: List[str] = files or []
        self._streams = streams
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._calls = 0
        self._replies: Dict[int, SimpleQueue[Dict[str, Any]]] = {}

    def info(self, message: str) -> None:
        """A message worth a line in the log."""
        self._streams.send({"type": "log", "level": "info", "message": message})

    def warn(self, message: str) -> None:
        """A message that the user should see."""
        self._streams.send({"type": "log", "level": "warn", "message": message})

    def progress(self, task: str, done: int, total: Optional[int], unit: str) -> None:
        """Reports the progress of a long task."""
        self._streams.send({"type": "progress", "task": task, "done": done, "total": total, "unit": unit})

    def is_cancelled(self) -> bool:
        """Whether the user wants to stop. Less than a second later this process is ended."""
        return self._cancelled.is_set()

    def scratch_dir(self) -> str:
        """A directory for files that nobody needs later."""
        return self._call("scratch-dir")

    def fetch(self, uri: str) -> str:
        """The local path of a file: a path as it is, `hf://org/name/file` and `https://...` downloaded once, checked and kept."""
        return self._call("fetch", uri)

    def fetch_repository(self, uri: str, patterns: List[str]) -> str:
        """The local directory of `hf://org/name` or `hf://datasets/org/name` with the files that a pattern fits: `*.json`."""
        return self._call("fetch-repository", [uri, patterns])

    def flush(self) -> None:
        """Returns once every event that was sent is on disk. A trainer calls it before it writes a checkpoint."""
        self._call("flush")

    def ask_all(
        self, model: str, requests: List[GenerateRequest], answers: str
    ) -> Tuple[Dict[int, GenerateResult], AskReport]:
        """Asks a model of the suite. An answer is stored in the file `answers` and never asked for again. Returns the answers by the ids of
        their requests, without those that there are none to, and what was counted."""
        if len({request.id for request in requests}) != len(requests):
            raise PluginError("expected an id of its own for each request", code="bad-input")
        found: Dict[int, GenerateResult] = {}

        def take(response: Any) -> None:
            if "Ok" in response["result"]:
                found[response["id"]] = decode(GenerateResult, response["result"]["Ok"])

        ask = {"model": model, "answers": answers, "requests": encode(requests)}
        return found, decode(AskReport, self._call("ask-all", ask, take))

    def find_rows(self, file: RowsFile) -> Optional[RecipeReport]:
        """What was reported of rows that were written with the same inputs, if they are all there and as they were."""
        report = self._call("find-rows", encode(file))
        return None if report is None else decode(RecipeReport, report)

    def write_rows(self, file: RowsFile, content: RowsContent) -> RecipeReport:
        """Writes rows and counts, each file as a whole or not at all. Files of other inputs are moved aside."""
        return decode(RecipeReport, self._call("write-rows", [encode(file), encode(content)]))

    def generate(self, model: str, requests: List[GenerateRequest]) -> List[GenerateResult]:
        """The answers of a model of the suite, in the order of the requests. They are stored nowhere: `ask_all` is for many."""
        return self._ask(model, "generate", requests, GenerateResult)

    def score(self, model: str, requests: List[ScoreRequest]) -> List[ScoreResult]:
        """The log-likelihoods of a model of the suite, in the order of the requests."""
        return self._ask(model, "score", requests, ScoreResult)

    def samples(self, dataset: str) -> Iterator[Sample]:
        """Every sample of a dataset of the suite."""
        samples: List[Sample] = []
        self._role("dataset", dataset, "samples", None, lambda item: samples.append(decode(Sample, item)))
        return iter(samples)

    def _ask(self, model: str, method: str, requests: List[Any], kind: Any) -> List[Any]:
        results: List[Any] = [PluginError("the model gave no answer", code="protocol") for _ in requests]

        def take(response: Any) -> None:
            result = response["result"]
            ok = "Ok" in result
            results[response["id"]] = decode(kind, result["Ok"]) if ok else PluginError.from_json(result["Err"])

        numbered = [{**encode(request), "id": number} for number, request in enumerate(requests)]
        self._role("model", model, method, numbered, take)
        for result in results:
            if isinstance(result, PluginError):
                raise result
        return results

    def _role(self, kind: str, name: str, method: str, payload: Any, take: Callable[[Any], None]) -> Any:
        role = {"role": {"kind": kind, "name": name}, "method": method, "payload": payload}
        return self._call("role", role, take)

    def _call(self, method: str, payload: Any = None, take: Optional[Callable[[Any], None]] = None) -> Any:
        replies: SimpleQueue[Dict[str, Any]] = SimpleQueue()
        with self._lock:
            self._calls += 1
            call = self._calls
            self._replies[call] = replies
        self._streams.send({"type": "call", "call": call, "method": method, "payload": payload})
        while True:
            reply = replies.get()
            if reply["type"] == "item":
                if take is not None:
                    take(reply["value"])
                continue
            with self._lock:
                del self._replies[call]
            if "error" in reply:
                raise PluginError.from_json(reply["error"])
            return reply.get("value")

    def _receive(self, reply: Dict[str, Any]) -> None:
        """Gives an answer to whoever waits for it."""
        with self._lock:
            replies = self._replies.get(reply["call"])
        if replies is not None:
            replies.put(reply)
