"""Typed reading of bytes: msgspec decodes them into msgspec structs, of which models are made; extra ``speed``.

It stands before the tolerant reader, and leaves to it what it refuses: anything that is not as it should be. Fields
that often are not are read by lines of the tolerant reader here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final
from weakref import WeakKeyDictionary

from stellantis_hal.hal.fast_frozen_init import mutable_twin
from stellantis_hal.structuring.future_limit import FutureLimit
from stellantis_hal.structuring.generated_msgspec_structs import (
    GeneratedMsgspecStruct,
    NoMsgspecStructError,
    doubtful_fields,
    learn_unknown_keys,
    msgspec_struct,
)
from stellantis_hal.structuring.model_reader_codegen import GeneratedCode
from stellantis_hal.structuring.problems import Problem, ProblemList
from stellantis_hal.structuring.struct_to_model_codegen import MsgspecModelReader, generate_msgspec_reader
from stellantis_hal.structuring.typed_resource import ClockHolder

__all__ = ["MsgspecReader", "msgspec_reader"]

_WARM: Final = 32
"""Bodies of a class that are read before structs are made of it: that costs as much as it saves in some hundred."""

_MOST_PAUSED: Final = 64
_MOST_MAKINGS: Final = 16
"""How often the structs of a class are made, each time with the unknown keys that were learned since."""

_MOST_DOUBTED: Final = 8
"""Fields of a class that are read tolerantly: each of them costs a multiple."""
_BODIES_IN_DOUBT: Final = 3
"""Bodies with problems after which the fields that had them are doubted."""
_BODIES_OF_TRUST: Final = 128
"""Bodies in a row without a problem after which no field is doubted any more."""
_NO_FIELDS: Final[frozenset[str]] = frozenset()
_LEFT: Final = (None, None)  # a body is left to the tolerant reader
_KEY: Final = re.compile(r"\$\.([^.\[]+)")  # the first of a path

_HAS_MSGSPEC: Final = find_spec("msgspec") is not None

# The functions of the structs that are in use, by struct.
_model_readers: Final[WeakKeyDictionary[Any, MsgspecModelReader]] = WeakKeyDictionary()


class MsgspecReader:
    """Reads the bytes of bodies as one class, as far as they are as they should be.

    After bodies that it refused one after the other, it lets others pass unread: at most 64 for each that it tries.
    After three bodies with problems it doubts the fields that had them, at most eight: these are read tolerantly, so
    that the rest of such bodies is read fast. After 128 bodies without a problem it doubts none.

    Args:
        kind: the class.
        tolerant: returns the code of its tolerant reader.
    """

    def __init__(self, kind: type, tolerant: Callable[[], GeneratedCode]) -> None:
        self._kind = kind
        self.tolerant: Callable[[], GeneratedCode] = tolerant
        self._left = _WARM  # bodies that pass unread
        self._refused = 0
        self._decode: Any = None
        self._struct: GeneratedMsgspecStruct | None = None
        self._read: MsgspecModelReader | None = None
        self._refusals: tuple[type[Exception], ...] = ()
        self._is_unfit = False
        self._makings = 0
        self._has_unknown = False
        self._noted: dict[str, None] = {}  # fields of bodies with problems
        self._strikes = 0
        self._suspects = _NO_FIELDS
        self.doubted: frozenset[str] = _NO_FIELDS
        self._trusted = 0
        self.is_curious: bool = False

    @property
    def is_reading(self) -> bool:
        """Whether it read the latest body, and will look at the next one."""
        return not self._left and not self._refused

    def prepare(self) -> bool:
        """Make the structs now, and forget doubts; return whether the class can be read by them."""
        self._left = self._refused = self._makings = self._strikes = 0
        self._suspects = self.doubted = _NO_FIELDS
        return self._make()

    def resume(self) -> None:
        """Let no body pass unread because of those before it."""
        self._left = 0

    def read(self, content: Any, horizon: FutureLimit, clock: ClockHolder | None) -> tuple[Any, ProblemList | None]:
        """Return the model of a body, and the problems of fields that were doubted; None where there are none.

        The model is None where the tolerant reader has to read the body.

        Args:
            content: the body, a buffer of JSON.
            horizon: the latest instant that can have been measured.
            clock: the clock that the model keeps.
        """
        if self._left:
            self._left -= 1
            return _LEFT
        if self._read is None and not self._make():
            return _LEFT
        assert self._read is not None  # noqa: S101 - it was made
        try:
            if not self.doubted:
                model, problems = self._read(self._decode(content), horizon, clock), None
            else:
                problems = ProblemList(horizon, clock)
                model = self._read(self._decode(content), horizon, clock, problems)
        except self._refusals as error:
            self._refuse(error)
            return _LEFT
        self._refused = 0
        if problems is not None:
            self._trust(problems)
        return model, problems

    def learn(self, model: Any) -> None:
        """Note the unknown keys and problems of a body that was refused, so that they are no reason from now on.

        Args:
            model: what the tolerant reader has read it as.
        """
        self.is_curious = False
        if self._has_unknown:
            learn_unknown_keys(model)
        if model.problems:
            self._note(model.problems)
        if self._makings < _MOST_MAKINGS and msgspec_struct(self._kind, doubted=self.doubted) is not self._struct:
            self._read = None
            self._refused = self._left = 0

    def _note(self, problems: tuple[Problem, ...]) -> None:
        """Note the fields that have problems; doubt them after some bodies."""
        fields = doubtful_fields(self._kind)
        keys = [match[1] for problem in problems if (match := _KEY.match(problem.path))]
        found = [name for key in keys if (name := fields.get(key)) is not None and name not in self.doubted]
        if not found:
            return
        self._noted.update(dict.fromkeys(found))
        self._strikes += 1
        if self._strikes >= _BODIES_IN_DOUBT and self._makings < _MOST_MAKINGS:
            new = [name for name in self._noted if name not in self._suspects]
            self._suspects |= frozenset(new[: _MOST_DOUBTED - len(self._suspects)])
            self.doubted, self._trusted = self._suspects, 0
            self._noted.clear()
            self._strikes = 0

    def _trust(self, problems: ProblemList) -> None:
        """Doubt no field any more after many bodies without a problem."""
        self._trusted = 0 if problems else self._trusted + 1
        if self._trusted >= _BODIES_OF_TRUST:
            self.doubted, self._read = _NO_FIELDS, None

    def _refuse(self, error: Exception) -> None:
        self._refused += 1
        if self._refused > 2:
            self._left = min(2 ** (self._refused - 2), _MOST_PAUSED)
        self.is_curious = True
        self._has_unknown = "unknown field" in str(error)

    def _make(self) -> bool:
        if self._is_unfit:
            return False
        msgspec = import_module("msgspec")
        try:
            self._struct = msgspec_struct(self._kind, doubted=self.doubted)
        except NoMsgspecStructError:
            self._is_unfit = True
            return False
        self._decode = msgspec.json.Decoder(self._struct.type).decode
        self._refusals = (msgspec.MsgspecError, ArithmeticError, AttributeError, RecursionError, TypeError, ValueError)
        self._makings += self._struct.type not in _model_readers
        tolerant = self.tolerant() if self.doubted else None
        self._read = _model_reader(self._kind, self._struct, tolerant)
        return True


_msgspec_readers: Final[dict[type, MsgspecReader]] = {}


def msgspec_reader(kind: type, tolerant: Callable[[], GeneratedCode]) -> MsgspecReader | None:
    """Return the reader of a class, which all converters share; None without msgspec.

    Args:
        kind: the class.
        tolerant: returns the code of its tolerant reader, which is the same by all converters.
    """
    if not _HAS_MSGSPEC:
        return None
    reader = _msgspec_readers.get(kind)
    return _msgspec_readers.setdefault(kind, MsgspecReader(kind, tolerant)) if reader is None else reader


def _model_reader(
    kind: type, struct: GeneratedMsgspecStruct, tolerant: GeneratedCode | None = None
) -> MsgspecModelReader:
    read = _model_readers.get(struct.type)
    if read is None:
        parts = {name: _model_reader(kinds, part) for name, (kinds, part) in struct.parts.items()}
        read = _model_readers[struct.type] = generate_msgspec_reader(kind, struct, parts, mutable_twin(kind), tolerant)
    return read
