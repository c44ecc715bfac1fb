"""The instruments of a run; implemented natively."""

from .._native import Instruments as Instruments
