"""Plays a role until Examiner has no more calls."""

from __future__ import annotations

import json
import os
import sys
import threading
from queue import SimpleQueue
from typing import Any, Dict, List, Optional, Type

from . import _methods, _streams
from ._errors import PluginError
from ._host import Host
from ._json import line
from ._roles import Role
from ._schema import options_schema
from ._streams import Streams

#: The version of the protocol.
PROTOCOL = 1


def serve(*roles: Type[Role]) -> None:
    """Plays whichever of these classes Examiner asks for, at most one of each kind. Returns when there are no more calls."""
    if _streams.streams is None:
        print(f"`{sys.argv[0]}` is a role of Examiner, which starts it: name it under `command` in a suite", file=sys.stderr)
        raise SystemExit(2)
    Server(_streams.streams, list(roles)).run()


class Server:
    """One role, and the calls that are made on it, one after the other."""

    def __init__(self, streams: Streams, roles: List[Type[Role]]):
        self._streams = streams
        self._roles = roles
        self._host = Host(streams)
        self._calls: SimpleQueue[Optional[Dict[str, Any]]] = SimpleQueue()
        #: The call under way, and whether its results are no longer wanted.
        self._under_way: Optional[int] = None
        self._stopped = False

    def run(self) -> None:
        """Greets, opens the role, and answers calls."""
        first = self._streams.incoming.readline()
        if not first:
            return
        hello = json.loads(first)
        # From now on answers to the role's own calls may come.
        self._under_way = 0
        threading.Thread(target=self._listen, name="examiner calls", daemon=True).start()
        role = self._open(hello)
        if role is None:
            return
        while True:
            call = self._calls.get()
            if call is None:
                break
            self._answer(role, call)
        role.close()

    def _open(self, hello: Dict[str, Any]) -> Optional[Role]:
        reply: Dict[str, Any] = {"type": "hello", "protocol": PROTOCOL, "roles": [role.kind for role in self._roles]}
        role = None
        wanted = next((role for role in self._roles if role.kind == hello.get("role")), None)
        try:
            if hello.get("protocol") != PROTOCOL:
                raise PluginError(f"expected version {PROTOCOL} of the protocol, found {hello.get('protocol')}", code="protocol")
            if wanted is not None:
                reply["options"] = options_schema(wanted)
                self._host.files = hello.get("files", [])
                role = wanted.__new__(wanted)
                role.host = self._host
                role.__init__(**hello.get("options", {}))  # type: ignore[misc]
                reply["info"] = _methods.info(role)
        except Exception as error:  # noqa: BLE001
            reply["error"] = _methods.failed(error)
            role = None
        # From here on the end of the input is no surprise.
        self._under_way = None
        self._streams.send(reply)
        return role

    def _answer(self, role: Role, call: Dict[str, Any]) -> None:
        number = call["call"]
        self._stopped = False
        self._under_way = number

        def send(item: Any) -> bool:
            self._streams.send({"type": "item", "call": number, "value": item})
            return not (self._stopped or self._host.is_cancelled())

        ended: Dict[str, Any] = {"type": "return", "call": number}
        try:
            ended["value"] = _methods.call(role, call["method"], call.get("payload"), send)
            data = line(ended)
        except Exception as error:  # noqa: BLE001
            data = line({"type": "return", "call": number, "error": _methods.failed(error)})
        # From here on the end of the input is no surprise.
        self._under_way = None
        self._streams.send_line(data)

    def _listen(self) -> None:
        """Reads what Examiner sends, until it closes its end."""
        for data in self._streams.incoming:
            message = json.loads(data)
            kind = message["type"]
            if kind == "call":
                self._calls.put(message)
            elif kind in ("item", "return"):
                self._host._receive(message)
            elif kind == "stop":
                self._stopped = self._stopped or message["call"] == self._under_way
            elif kind == "cancel":
                self._host._cancelled.set()
        if self._under_way is not None:
            # Examiner is gone, and the role may be busy for hours.
            os._exit(1)
        self._calls.put(None)
