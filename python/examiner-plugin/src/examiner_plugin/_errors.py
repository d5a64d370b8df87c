"""The one error that crosses to Examiner."""

from __future__ import annotations

from typing import Any, Dict, Optional

_CODES = ((NotImplementedError, "unsupported"), (FileNotFoundError, "not-found"))


class PluginError(Exception):
    """An error with a code, which Examiner decides by: `bad-options`, `bad-input`, `not-found`, `unsupported`, `io`, `network`,
    `authentication`, `quota`, `overloaded`, `timeout`, `numeric`, `cancelled`, `panic`, `protocol` or `other`.

    `message` says what was expected and what was found; `help` says what to try next.
    """

    def __init__(self, message: str, *, code: str = "other", help: Optional[str] = None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.help = help

    def to_json(self) -> Dict[str, Any]:
        error = {"code": self.code, "message": self.message}
        if self.help is not None:
            error["help"] = self.help
        return error

    @classmethod
    def from_json(cls, data: Dict[str, Any]) -> PluginError:
        message = ": ".join([data.get("message", ""), *data.get("causes", [])])
        return cls(message, code=data.get("code", "other"), help=data.get("help"))

    @classmethod
    def of(cls, error: BaseException) -> PluginError:
        """The error that an exception becomes."""
        if isinstance(error, cls):
            return error
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "other")
        return cls(f"{type(error).__name__}: {error}", code=code)
