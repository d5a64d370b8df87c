"""A role that is served, spoken to over pipes."""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import unittest

from examiner_plugin import Dataset, GenerateResult, Model, PluginError, Recipe, RecipeReport, Sample, ScoreResult
from examiner_plugin._serve import Server
from examiner_plugin._streams import Streams


class Talk:
    """Serves classes in a thread."""

    def __init__(self, *roles):
        to_role, self._to_role = os.pipe()
        self._from_role, from_role = os.pipe()
        self.out = os.fdopen(self._to_role, "wb", 0)
        self.lines = os.fdopen(self._from_role, "rb")
        incoming, outgoing = os.fdopen(to_role, "rb"), os.fdopen(from_role, "wb")

        def run():
            with incoming, outgoing:
                Server(Streams(incoming, outgoing), list(roles)).run()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.out.close()
        self.thread.join(10)
        self.lines.close()

    def say(self, **message):
        self.out.write(json.dumps(message).encode() + b"\n")

    def hear(self):
        return json.loads(self.lines.readline())

    def hello(self, role, **more):
        self.say(type="hello", role=role, **{"protocol": 1, "options": {}, **more})
        return self.hear()

    def call(self, method, payload=None, call=1):
        """What is streamed, and how the call ends."""
        self.say(type="call", call=call, method=method, payload=payload)
        items = []
        while True:
            message = self.hear()
            if message["type"] == "return":
                return items, message
            items.append(message["value"])


class Picky(Model):
    def __init__(self, word: str = "no"):
        self.word = word

    def generate(self, request):
        if request.prompt == self.word:
            raise PluginError("refused", code="bad-input")
        return GenerateResult(request.prompt.upper())

    def score(self, request):
        if request.continuation == "nan":
            return ScoreResult(float("nan"), False, 1, 2)


class Serving(unittest.TestCase):
    def test_a_role_says_what_it_is_and_can(self):
        with Talk(Picky, Dataset) as talk:
            hello = talk.hello("model")
            self.assertEqual(hello["roles"], ["model", "dataset"])
            self.assertEqual((hello["info"]["can_score"], hello["info"]["can_generate"]), (True, True))
            self.assertEqual(list(hello["options"]["properties"]), ["word"])

    def test_each_request_is_answered_or_is_an_error(self):
        with Talk(Picky) as talk:
            talk.hello("model", options={"word": "b"})
            items, end = talk.call("generate", [{"id": 4, "prompt": "a"}, {"id": 2, "prompt": "b"}, {"id": 7, "prompt": "c"}])
            self.assertEqual([item["id"] for item in items], [4, 2, 7])
            self.assertEqual(items[0]["result"]["Ok"]["text"], "A")
            self.assertEqual(items[1]["result"]["Err"], {"code": "bad-input", "message": "refused"})
            self.assertEqual(end, {"type": "return", "call": 1, "value": None})

    def test_a_number_that_is_none_and_a_missing_result_are_errors_of_their_requests(self):
        log = io.StringIO()
        with contextlib.redirect_stderr(log), Talk(Picky) as talk:
            talk.hello("model")
            requests = [{"id": 0, "context": "", "continuation": "nan"}, {"id": 1, "context": "", "continuation": "x"}]
            items, _ = talk.call("score", requests)
        messages = [item["result"]["Err"]["message"] for item in items]
        self.assertIn("ValueError: Out of range float values", messages[0])
        self.assertEqual(messages[1], "TypeError: expected a result, found None: is a `return` missing?")
        self.assertIn("Traceback", log.getvalue())

    def test_a_batch_of_another_length_is_an_error(self):
        for count in (1, 3):

            class Batch(Model):
                def generate_batch(self, requests):
                    return [GenerateResult("x")] * count

            with Talk(Batch) as talk:
                talk.hello("model")
                items, end = talk.call("generate", [{"id": 0, "prompt": "a"}, {"id": 1, "prompt": "b"}])
                self.assertEqual(len(items), min(count, 2))
                self.assertEqual(end["error"]["code"], "protocol")

    def test_nothing_is_sent_after_a_stop(self):
        started, go_on = threading.Event(), threading.Event()

        class Endless(Dataset):
            def samples(self):
                for number in range(10_000):
                    if number == 1:
                        started.set()
                        go_on.wait(10)
                    yield Sample(str(number), "q")

        with Talk(Endless) as talk:
            talk.hello("dataset")
            talk.say(type="call", call=5, method="samples", payload=None)
            started.wait(10)
            talk.say(type="stop", call=5)
            # An answer to nobody is passed over, and shows that the line before it was read.
            talk.say(type="cancel")
            go_on.set()
            kinds = []
            while not kinds or kinds[-1] != "return":
                kinds.append(talk.hear()["type"])
        self.assertLess(len(kinds), 10_000)

    def test_another_version_and_an_exception_are_errors_of_the_greeting(self):
        with Talk(Picky) as talk:
            hello = talk.hello("model", protocol=2)
            self.assertEqual((hello["protocol"], hello["error"]["code"]), (1, "protocol"))
        with contextlib.redirect_stderr(io.StringIO()), Talk(Picky) as talk:
            hello = talk.hello("model", options={"unknown": 1})
            self.assertIn("unexpected keyword argument 'unknown'", hello["error"]["message"])
            self.assertEqual(list(hello["options"]["properties"]), ["word"])
        with Talk(Picky) as talk:
            self.assertNotIn("info", talk.hello("trainer"))

    def test_a_role_asks_examiner(self):
        class Asking(Recipe):
            def make(self, job, send):
                path = self.host.fetch("rows")
                try:
                    self.host.flush()
                except PluginError as error:
                    return RecipeReport(rows=path, details={"error": error.message, "files": self.host.files})

        with Talk(Asking) as talk:
            talk.hello("recipe", files=["/data"])
            talk.say(type="call", call=9, method="make", payload={"teacher": "t", "out": "o", "seed": 1})
            fetch = talk.hear()
            self.assertEqual((fetch["method"], fetch["payload"]), ("fetch", "rows"))
            talk.say(type="return", call=fetch["call"], value="/x/rows")
            flush = talk.hear()
            talk.say(type="return", call=flush["call"], error={"code": "io", "message": "full", "causes": ["disk"]})
            report = talk.hear()["value"]
        self.assertEqual((report["rows"], report["details"]), ("/x/rows", {"error": "full: disk", "files": ["/data"]}))


class Processes(unittest.TestCase):
    """What only a process of its own shows."""

    def start(self, body, stdin=b""):
        text = "from examiner_plugin import *\n" + body
        environment = {**os.environ, "EXAMINER_PROTOCOL": "1"}
        return subprocess.run([sys.executable, "-c", text], input=stdin, env=environment, capture_output=True, timeout=60)

    def test_what_is_printed_goes_to_stderr(self):
        body = (
            "import os, sys\n"
            "print('by print'); sys.stdout.write('by write\\n'); os.write(1, b'by descriptor\\n'); os.system('echo by a child')\n"
            "print(repr(sys.stdin.read()))\n"
            "import time; time.sleep(0.2)\n"
        )
        ended = self.start(body, b'{"type":"hello"}\n')
        self.assertEqual(ended.stdout, b'{"type":"heartbeat"}\n')
        for words in (b"by print", b"by write", b"by descriptor", b"by a child", b"''"):
            self.assertIn(words, ended.stderr)

    def test_a_busy_role_ends_when_examiner_is_gone(self):
        body = (
            "import time\n"
            "class Slow(Model):\n"
            "    def generate(self, request):\n"
            "        time.sleep(50)\n"
            "serve(Slow)\n"
        )
        hello = b'{"type":"hello","protocol":1,"role":"model","options":{}}\n'
        call = b'{"type":"call","call":1,"method":"generate","payload":[{"id":0,"prompt":"p"}]}\n'
        process = subprocess.Popen(
            [sys.executable, "-c", "from examiner_plugin import *\n" + body],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "EXAMINER_PROTOCOL": "1"},
        )
        with process:
            process.stdin.write(hello + call)
            process.stdin.flush()
            while json.loads(process.stdout.readline())["type"] != "hello":
                pass
            # The call is under way before the end of the input is seen.
            threading.Event().wait(0.5)
            process.stdin.close()
            self.assertEqual(process.wait(20), 1)

    def test_a_program_that_is_started_by_hand_says_what_it_is(self):
        environment = {name: value for name, value in os.environ.items() if name != "EXAMINER_PROTOCOL"}
        text = "from examiner_plugin import *\nserve(Model)"
        ended = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, timeout=60)
        self.assertEqual(ended.returncode, 2)
        self.assertIn(b"is a role of Examiner, which starts it", ended.stderr)


if __name__ == "__main__":
    unittest.main()
