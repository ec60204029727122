"""A run's log for TensorBoard."""

from oneshot.errors import ConfigError, MissingDependencyError

_LEFT_OUT = ("epoch", "arch", "index", "seconds")


def check():
    """MissingDependencyError unless TensorBoard's files can be written."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise MissingDependencyError("--tensorboard needs tensorboard: pip install tensorboard") from None


def check_asked(tensorboard, out):
    """Where a log for TensorBoard is asked for, ConfigError without a folder, and what `check` has to say."""
    if tensorboard:
        if out is None:
            raise ConfigError("--tensorboard writes to the run's folder; --out names it")
        check()


class Board:
    """Writes the numbers of each row of a log to a folder that TensorBoard shows.

    `epoch`: after which they begin; what an earlier process wrote beyond it is not shown.
    """

    def __init__(self, path, epoch):
        check()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(path), purge_step=epoch + 1)

    def add(self, row):
        for name, value in row.items():
            if name not in _LEFT_OUT and value is not None:
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def close(self):
        self._writer.close()
