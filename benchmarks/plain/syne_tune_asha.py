"""ASHA on Syne Tune's own simulator, on a random table (`python FILE WORKERS CELLS`; needs Syne Tune).

Prints seconds, number of rung results and version. In Syne Tune, a trial reports after every epoch.
"""

import itertools
import logging
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pandas as pd
import syne_tune
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular
from syne_tune.blackbox_repository.simulated_tabular_backend import UserBlackboxBackend
from syne_tune.config_space import choice, randint
from syne_tune.optimizer.baselines import ASHA

EPOCHS = 200
RUNGS = (2, 6, 18, 54, 162, 200)


def table() -> tuple[dict[str, Any], BlackboxTabular]:  # Syne Tune's own domains
    """Return accuracies and seconds of all cells of five operations on six edges at all epochs."""
    rng = np.random.default_rng(0)
    names = [f"edge{edge}" for edge in range(6)]
    cells = pd.DataFrame(list(itertools.product(range(5), repeat=6)), columns=names)
    part = np.arange(1, EPOCHS + 1) / EPOCHS
    accuracy = rng.uniform(50, 90, (len(cells), 1)) * part**0.2
    accuracy += rng.normal(0, 1, accuracy.shape) * (1 - part) ** 2
    seconds = rng.uniform(5, 20, (len(cells), 1)) * np.arange(1, EPOCHS + 1)
    space = {name: choice(list(range(5))) for name in names}
    values = np.stack([accuracy, seconds], axis=-1)[:, None]
    names = ["accuracy", "elapsed"]
    return space, BlackboxTabular(cells, space, {"epoch": randint(1, EPOCHS)}, values, objectives_names=names)


def main() -> None:
    workers, cells = map(int, sys.argv[1:])
    logging.disable(logging.CRITICAL)
    space, blackbox = table()
    start = time.perf_counter()
    scheduler = ASHA(
        space, "accuracy", do_minimize=False, time_attr="epoch", max_t=EPOCHS, grace_period=2, random_seed=0
    )
    tuner = Tuner(
        UserBlackboxBackend(blackbox, elapsed_time_attr="elapsed", seed=0),
        scheduler,
        StoppingCriterion(max_num_trials_started=cells),
        n_workers=workers,
        sleep_time=0,
        callbacks=[SimulatorCallback()],
        save_tuner=False,
        trial_backend_path=tempfile.mkdtemp(),
    )
    tuner.run()
    seconds = time.perf_counter() - start
    epochs = [row["epoch"] for row in tuner.tuning_status.trial_rows.values() if "epoch" in row]
    print("\n", seconds, sum(sum(epoch >= rung for rung in RUNGS) for epoch in epochs), syne_tune.__version__)


if __name__ == "__main__":
    main()
