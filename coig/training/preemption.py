"""Note signals that ask a run to stop, so that it can finish its step and write a checkpoint first."""

from __future__ import annotations

import logging
import signal
from types import FrameType

from coig.config.process import Preempted

log = logging.getLogger(__name__)

# SIGTERM and SIGUSR1 take a machine back; launcher=slurm has SIGUSR2 sent before a job's time ends
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Preemption:
    """Notes signals that ask this process to stop, from `listen` on; Lightning puts the earlier handlers back.

    `received` is the signal that came last; None before any.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def listen(self) -> None:
        """Note the signals from here on."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def stop_if_asked(self) -> None:
        """Raise Preempted, which leaves the run, if a signal came; do nothing if none did."""
        if self.received is not None:
            raise Preempted(self.received)

    def _note(self, number: int, _: FrameType | None) -> None:
        """Note a signal."""
        if self.received is None:
            log.info("%s: stops after this step", signal.Signals(number).name)
        self.received = number
