"""A model that speaks the protocol by itself, and breaks it as its option `fault` says, at the request whose prompt is `at`.

It needs Python's own library alone.
"""

import json
import os
import sys
import time


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def at_start(fault):
    if fault == "start-exit":
        sys.exit(3)
    if fault == "start-print":
        print("Loading the weights ...", flush=True)
    if fault == "start-silent":
        time.sleep(60)


def at_request(fault, call, request):
    number = request["id"]
    if fault == "exit":
        sys.exit(7)
    if fault == "kill":
        os.kill(os.getpid(), 9)
    if fault == "print":
        print("a progress bar: 3/10", flush=True)
    if fault == "cut":
        sys.stdout.write('{"type":"item","call":1,"value":{"id"')
        sys.stdout.flush()
        os._exit(0)
    if fault == "long":
        for _ in range(65):
            sys.stdout.write("x" * (1 << 20))
        send({})
    if fault == "silent":
        time.sleep(60)
    if fault == "unknown":
        send(item(call, 999, "x"))
    if fault == "twice":
        send(item(call, number, "x"))
    if fault == "call":
        send(item(call + 1, number, "x"))
    if fault == "misfit":
        send({"type": "item", "call": call, "value": {"id": number, "result": {"Ok": {"answer": "x"}}}})
    if fault == "hello":
        send({"type": "hello", "protocol": 1, "roles": ["model"]})
    if fault == "kind":
        send({"type": "answer", "call": call})
    if fault == "nan":
        sys.stdout.write('{"type":"item","call":%d,"value":{"id":%d,"result":{"Ok":{"text":NaN}}}}\n' % (call, number))
        sys.stdout.flush()


def item(call, number, text):
    return {"type": "item", "call": call, "value": {"id": number, "result": {"Ok": {"text": text, "finish": "end-of-text"}}}}


def main():
    hello = json.loads(sys.stdin.readline())
    options = hello["options"]
    fault, at = options.get("fault"), options.get("at", "3")
    print(f"fault: {fault}", file=sys.stderr, flush=True)
    at_start(fault)
    send(
        {
            "type": "hello",
            "protocol": 2 if fault == "protocol" else 1,
            "roles": ["dataset"] if fault == "role" else ["model"],
            "options": {
                "type": "object",
                "properties": {"fault": {"type": "string"}, "at": {"type": "string"}},
                "additionalProperties": False,
            },
            "info": {"name": "faulty", "fingerprint": "1", "can_generate": True, "from_the_future": 1},
        }
    )
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] != "call":
            continue
        call = message["call"]
        if fault == "error":
            error = {"code": "quota", "message": "the account is empty", "help": "fill it"}
            send({"type": "return", "call": call, "error": error})
            continue
        for request in message["payload"]:
            if request["prompt"] == at:
                print(f"request {at} is at hand", file=sys.stderr, flush=True)
                at_request(fault, call, request)
            send(item(call, request["id"], "answer to " + request["prompt"]))
        send({"type": "return", "call": call, "value": None})


main()
