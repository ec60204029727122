"""TensorBoard log of a run."""

from collections.abc import Mapping
from pathlib import Path

from nasbench.runs.dependencies import required
from oneshot.errors import ConfigError

_LEFT_OUT = ("epoch", "arch", "index", "seconds")


def check_requested(tensorboard: bool, out: str | Path | None) -> None:
    """Raise an error if a TensorBoard log is requested without a folder or without TensorBoard."""
    if tensorboard:
        if out is None:
            raise ConfigError("--tensorboard writes to the run folder, so it needs --out")
        with required("tensorboard", "--tensorboard", "tensorboard"):
            import tensorboard as _  # noqa: F401


class TensorBoardWriter:
    """A writer of the numbers in each row of a log to a folder for TensorBoard.

    Parameters
    ----------
    path
        The folder.
    epoch
        Number of epochs completed; TensorBoard ignores later epochs that an earlier process wrote.
    """

    def __init__(self, path: str | Path, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(path), purge_step=epoch + 1)

    def add(self, row: Mapping[str, int | float | str | None]) -> None:
        """Write a row of the log."""
        for name, value in row.items():
            if name not in _LEFT_OUT and value is not None:
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
