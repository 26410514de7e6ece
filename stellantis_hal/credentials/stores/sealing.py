"""Tokens as rows of a database: a digest against damage, and encryption by functions of the user."""

from __future__ import annotations

from collections.abc import Callable

from stellantis_hal.credentials.stores.file_format import parse_tokens, serialize_tokens
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.hal.redaction import mask_repr

__all__ = ["Seal", "Transform"]

Transform = Callable[[bytes], bytes]


class Seal:
    """Turns a token into the content of a row, and back.

    The content names its key: a row that was copied to another account is refused.

    Args:
        encrypt: called with the content before it is stored; None: it is stored as it is.
        decrypt: its reverse; it must raise for content that was not made by ``encrypt`` with this secret.

    Raises:
        ValueError: only one of both was passed.
    """

    def __init__(self, encrypt: Transform | None, decrypt: Transform | None) -> None:
        if (encrypt is None) is not (decrypt is None):
            raise ValueError("pass both encrypt and decrypt, such as those of cryptography.fernet.Fernet, or none")
        self._encrypt = encrypt
        self._decrypt = decrypt

    def seal(self, key: str, token: Token) -> bytes:
        """Return the content of a row.

        Raises:
            TokenStoreError: ``encrypt`` raised, or returned something else than bytes.
        """
        content = serialize_tokens({key: token})
        try:
            return content if self._encrypt is None else _bytes_of(self._encrypt(content))
        except Exception as error:  # the user's code may raise anything
            raise TokenStoreError(
                f"encrypt raised {type(error).__name__} for account {mask_repr(key)}; see __cause__", key=key
            ) from error

    def open(self, key: str, content: bytes, place: str) -> Token:
        """Return the token of a row.

        Raises:
            TokenStoreError: the row is damaged, of another account, or was encrypted with another secret.
        """
        where = f"the row of account {mask_repr(key)} in {place}"
        try:
            plain = content if self._decrypt is None else _bytes_of(self._decrypt(content))
        except Exception as error:  # the user's code may raise anything
            raise TokenStoreError(
                f"{where} cannot be decrypted ({type(error).__name__}; see __cause__): was it written with another "
                "secret, or without encryption?",
                key=key,
            ) from error
        try:
            tokens = parse_tokens(plain, place=where)
        except TokenStoreError as error:
            error.key = key
            raise
        if list(tokens) != [key]:
            raise TokenStoreError(f"{where} is of another account: restore it from a backup, or log in again", key=key)
        return tokens[key]


def _bytes_of(value: object) -> bytes:
    """Return what a function of the user returned, as bytes.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"it returned {type(value).__name__}, not bytes: pass a plain function from bytes to bytes")
