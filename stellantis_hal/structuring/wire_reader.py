"""Typed reading of bytes: msgspec decodes them into wire structs, of which models are made; extra ``speed``.

It stands before the tolerant reader, and leaves to it what it refuses: anything that is not as it should be.
"""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final
from weakref import WeakKeyDictionary

from stellantis_hal.structuring.mutable_twin import mutable_twin
from stellantis_hal.structuring.problems import Horizon
from stellantis_hal.structuring.typed_resource import PartClock
from stellantis_hal.structuring.wire_codegen import WireModelReader, generate_wire_reader
from stellantis_hal.structuring.wire_structs import UnfitClassError, WireStruct, learn_unknown_keys, wire_struct

__all__ = ["WireReader", "wire_reader"]

_WARM: Final = 32
"""Bodies of a class that are read before structs are made of it: that costs as much as it saves in some hundred."""

_MOST_PAUSED: Final = 64
_MOST_MAKINGS: Final = 16
"""How often the structs of a class are made, each time with the unknown keys that were learned since."""

_HAS_MSGSPEC: Final = find_spec("msgspec") is not None

# The functions of the structs that are in use, by struct.
_model_readers: Final[WeakKeyDictionary[Any, WireModelReader]] = WeakKeyDictionary()


class WireReader:
    """Reads the bytes of bodies as one class, as far as they are as they should be.

    After bodies that it refused one after the other, it lets others pass unread: at most 64 for each that it tries.

    Args:
        kind: the class.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._left = _WARM  # bodies that pass unread
        self._refused = 0
        self._decode: Any = None
        self._struct: WireStruct | None = None
        self._read: WireModelReader | None = None
        self._refusals: tuple[type[Exception], ...] = ()
        self._is_unfit = False
        self._makings = 0
        self.is_curious: bool = False

    @property
    def is_reading(self) -> bool:
        """Whether it read the latest body, and will look at the next one."""
        return not self._left and not self._refused

    def prepare(self) -> bool:
        """Make the structs now; return whether the class can be read by them."""
        self._left = 0
        return self._make()

    def resume(self) -> None:
        """Let no body pass unread because of those before it."""
        self._left = 0

    def read(self, content: Any, horizon: Horizon, clock: PartClock | None) -> Any:
        """Return the model of a body; None where the tolerant reader has to read it.

        Args:
            content: the body, a buffer of JSON.
            horizon: the latest instant that can have been measured.
            clock: the clock that the model keeps.
        """
        if self._left:
            self._left -= 1
            return None
        if self._read is None and not self._make():
            return None
        assert self._read is not None  # noqa: S101 - it was made
        try:
            model = self._read(self._decode(content), horizon, clock)
        except self._refusals as error:
            self._refuse(error)
            return None
        self._refused = 0
        return model

    def learn(self, model: Any) -> None:
        """Note the unknown keys of the model of a body that was refused, so that they are no reason from now on."""
        self.is_curious = False
        learn_unknown_keys(model)
        if self._makings < _MOST_MAKINGS and wire_struct(self._kind) is not self._struct:
            self._read = None
            self._refused = self._left = 0

    def _refuse(self, error: Exception) -> None:
        self._refused += 1
        if self._refused > 2:
            self._left = min(2 ** (self._refused - 2), _MOST_PAUSED)
        self.is_curious = "unknown field" in str(error)

    def _make(self) -> bool:
        if self._is_unfit:
            return False
        msgspec = import_module("msgspec")
        self._makings += 1
        try:
            self._struct = wire_struct(self._kind)
        except UnfitClassError:
            self._is_unfit = True
            return False
        self._decode = msgspec.json.Decoder(self._struct.type).decode
        self._refusals = (msgspec.MsgspecError, ArithmeticError, AttributeError, RecursionError, TypeError, ValueError)
        self._read = _model_reader(self._kind, self._struct)
        return True


@functools.cache
def wire_reader(kind: type) -> WireReader | None:
    """Return the reader of a class, which all converters share; None without msgspec."""
    return WireReader(kind) if _HAS_MSGSPEC else None


def _model_reader(kind: type, struct: WireStruct) -> WireModelReader:
    read = _model_readers.get(struct.type)
    if read is None:
        parts = {name: _model_reader(kinds, part) for name, (kinds, part) in struct.parts.items()}
        read = _model_readers[struct.type] = generate_wire_reader(kind, struct, parts, mutable_twin(kind))
    return read
