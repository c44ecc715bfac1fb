"""Cookies that prove a DTLS client's address, at no cost of memory.

UDP source addresses are easily forged.  A server that sent its certificates to whoever asks could be
used to flood a third party, and one that kept state for each first message would run out of memory.
So a ClientHello is first answered with a cookie, a few bytes that only the owner of the address can
read, and the client has to repeat its message with the cookie in it (:rfc:`6347`, section 4.2.1).

The cookie is a keyed hash over the client's address, the rest of its message, and the number of the
current period of time.  The server keeps nothing but the key.  A cookie is good in the period when
it was made and in the next one, that is for 30 to 60 seconds: the period bounds how long somebody
can collect cookies at an address that he will lose.

``CookieMint`` belongs to one `DTLSEndpoint` and never changes after construction.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._socket import AddressFormat

PERIOD = 30  # seconds
_KEY_SIZE = 32


class CookieMint:
    """Makes and checks cookies.

    The time is passed in (in seconds, with any origin), so that the tests' clocks work.
    """

    def __init__(self) -> None:
        self._key = os.urandom(_KEY_SIZE)

    def cookie(self, now: float, address: AddressFormat, hello: bytes) -> bytes:
        """Return the 32 byte cookie for ``hello``, a ClientHello without its cookie."""
        return self._cookie(int(now // PERIOD), address, hello)

    def accepts(self, cookie: bytes, now: float, address: AddressFormat, hello: bytes) -> bool:
        period = int(now // PERIOD)
        return any(hmac.compare_digest(cookie, self._cookie(candidate, address, hello)) for candidate in (period, period - 1))

    def _cookie(self, period: int, address: AddressFormat, hello: bytes) -> bytes:
        # The lengths in front make it impossible to shift bytes from one field to its neighbour.
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for field in (str(period).encode(), repr(address).encode(), hello):
            digest.update(len(field).to_bytes(8, "big"))
            digest.update(field)
        return digest.digest()
