"""A custom search that processes of a comparison import; it can be slow or fail."""

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
    fail: int = option(-1, "step at which it fails")
    flag: str = option("", "file; if given, the process is killed while it exists instead of failing")


class Odd(RandomSearch):
    """Random search that can be slow or fail."""

    name = "odd search"
    config_class = OddConfig

    def ask(self, pending=0):
        time.sleep(self.config.wait)
        if len(self.history) == self.config.fail:
            if not self.config.flag:
                raise ArithmeticError("intended failure")
            if Path(self.config.flag).exists():
                os.kill(os.getpid(), signal.SIGKILL)
        return super().ask(pending)
