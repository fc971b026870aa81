"""AWS Signature Version 4 in request headers, for one Region and service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Proven by AWS's published test suite, see tests/unit/test_sigv4.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["Credentials", "Prepared", "Signer", "digest"]

_UNRESERVED = frozenset(b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NOTHING = hashlib.sha256(b"").hexdigest()
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class Credentials(NamedTuple):
    """What signs; `token` is the session token of temporary credentials, which is all that Lambda ever has."""

    access_key: str
    secret_key: str
    token: str | None


def digest(body: bytes) -> str:
    """The payload hash: SHA-256 in lower-case hex."""
    return hashlib.sha256(body).hexdigest() if body else _NOTHING


class _Key:
    """An HMAC-SHA256 key (RFC 2104) with its two padded blocks hashed once: half the time of `hmac.digest`."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """`key` is at most 64 bytes."""
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def sign(self, message: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.hexdigest()


class Signer:
    """Signs for one Region and service. Deriving the key takes five hashes, so it is kept for its day.

    `encode_path` is False for S3 alone, whose canonical path is the path as sent; everyone else encodes it once more.
    """

    def __init__(self, region: str, service: str, *, encode_path: bool = True) -> None:
        self._region = region
        self._service = service
        self._encode_path = encode_path
        self._latest = ("", "", "", _Key(b""))  # replaced as one, so threads may share it

    def prepare(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Prepared:
        """All that can be done for a request, and those like it, before its instant and its payload are known.

        `path` and `query` are as sent, encoded once. `headers` are those to sign but for `x-amz-date`, with their names
        in lower case, and `host` among them.
        """
        path = _encoded(path, b"/") if self._encode_path else path
        # Runs of white space count as one space, at the ends as none.
        lines = {name: f"{name}:{' '.join(value.split())}\n" for name, value in headers.items()}
        names = sorted([*headers, "x-amz-date"])
        date = names.index("x-amz-date")
        before, after = ("".join([lines[name] for name in part]) for part in (names[:date], names[date + 1 :]))
        signed = ";".join(names)
        return Prepared(
            self.key,
            f"{method}\n{path}\n{_canonical_query(query)}\n{before}x-amz-date:",
            f"\n{after}\n{signed}\n",
            f", SignedHeaders={signed}, Signature=",
        )

    def key(self, secret: str, day: str) -> tuple[str, _Key]:
        """Scope and signing key of a day, yyyymmdd."""
        known_secret, known_day, scope, key = self._latest
        if day != known_day or secret != known_secret:
            scope = f"{day}/{self._region}/{self._service}/aws4_request"
            derived = f"AWS4{secret}".encode()
            for part in scope.split("/"):
                derived = hmac.digest(derived, part.encode(), "sha256")
            key = _Key(derived)
            self._latest = secret, day, scope, key
        return scope, key


class Prepared:
    """A request that lacks only its instant and payload. It may be signed again and again."""

    __slots__ = ("_after", "_before", "_key", "_signed")

    def __init__(self, key: Callable[[str, str], tuple[str, _Key]], before: str, after: str, signed: str) -> None:
        self._key = key
        self._before = before
        self._after = after
        self._signed = signed

    def authorization(self, stamp: str, payload: str, credentials: Credentials) -> str:
        """The value of the header `Authorization`.

        `stamp` is the value of `x-amz-date`, yyyymmddThhmmssZ; `payload` is `digest(body)`.
        """
        scope, key = self._key(credentials.secret_key, stamp[:8])
        canonical = hashlib.sha256(f"{self._before}{stamp}{self._after}{payload}".encode()).hexdigest()
        signature = key.sign(f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}".encode())
        return f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}{self._signed}{signature}"


def _canonical_query(query: str) -> str:
    """Sorted by encoded name, then by encoded value; a name without a value gets `=`."""
    pairs = [_encoded(part, b"%=").partition("=") for part in query.split("&") if part]
    return "&".join([f"{name}={value}" for name, _, value in sorted(pairs)])


def _encoded(text: str, kept: bytes) -> str:
    """Percent-encode all but unreserved characters (RFC 3986) and those of `kept`."""
    safe = _UNRESERVED.union(kept)
    return "".join([chr(byte) if byte in safe else f"%{byte:02X}" for byte in text.encode()])
