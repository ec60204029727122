"""Searches of one's own, which processes of a comparison import: slow ones, and ones that break."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from blackbox.rs import RandomSearch
from nasbench.runs.settings import Settings, option


@dataclass(frozen=True)
class OddConfig(Settings):
    wait: float = option(0.0, "seconds that each step takes")
    fail: int = option(-1, "the step at which it fails")
    flag: str = option("", "a file: while it exists, failing is an end of the process")


class Odd(RandomSearch):
    """Random search that takes its time, or fails."""

    name = "odd search"
    config_class = OddConfig

    def ask(self, pending=0):
        time.sleep(self.config.wait)
        if len(self.history) == self.config.fail:
            if not self.config.flag:
                raise ArithmeticError("it was to fail")
            if Path(self.config.flag).exists():
                os.kill(os.getpid(), signal.SIGKILL)
        return super().ask(pending)
