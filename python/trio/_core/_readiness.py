"""Waiting for file descriptors, by way of the run's replaceable I/O object."""

from .._native import (
    notify_closing as notify_closing,
    wait_readable as wait_readable,
    wait_writable as wait_writable,
)
