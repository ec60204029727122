"""The parts that a search is put together from: its images, its supernet, and where it stood."""

from contextlib import contextmanager

import torch

from nasbench.cell import Cell
from nasbench.errors import NASBenchError
from oneshot.errors import ConfigError, RunFolderError
from oneshot.optimizers.registry import method_of
from oneshot.run.feed import Feed
from oneshot.run.training import Training
from oneshot.spaces.registry import space_of


def training_of(settings, config, feed, device):
    """A search before its first step, by the random numbers of its seed."""
    torch.default_generator.manual_seed(settings.seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(settings.seed)
    space = space_of(settings.space)
    optimizer = method_of(settings.method)(config, amp=settings.amp)
    optimizer.adapt_search_space(space.build(feed.classes, settings.channels, settings.cells), device=device)
    if settings.compile:
        optimizer.compile()
    train, val = feed.halves(config.batch, device)
    return Training(optimizer, train, val, space.edges(optimizer.graph))


def restore(training, state, path):
    """Put a Training where a checkpoint was; (position in the log, cell if concluded, seconds that took)."""
    try:
        training.load_state_dict(state["training"])
        cell = state["cell"]
        return int(state["log"]), None if cell is None else Cell.from_string(cell), float(state["concluding"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, NASBenchError) as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        reason = " ".join(line.strip() for line in said.splitlines()[:2])
        raise RunFolderError(
            f"{path}/checkpoint.pt is not of this run, or of another version: {reason}"
        ) from None


def feed_of(settings, config, places):
    """The images of a search; ConfigError unless its network and its batches can take them."""
    feed = Feed(settings.dataset, settings.seed, settings.split_list, places.folder, places.download)
    height, width = feed.size
    least = 2 ** space_of(settings.space).halvings
    if height % least or width % least:
        raise ConfigError(
            f"{settings.space} halves images, so their sides are to be multiples of {least}; those of"
            f" {settings.dataset} are {width}x{height}"
        )
    for count in (len(feed.train_indices), len(feed.val_indices)):
        if count < 2:
            raise ConfigError(f"each half of {settings.dataset} needs two images or more, got {count}")
        if config.batch > count:
            raise ConfigError(
                f"a batch of {config.batch} is more than a half of {settings.dataset} has;"
                f" --batch {count} would do"
            )
    return feed


@contextmanager
def memory_of(device):
    """Turn a device without room left into a MemoryError that says what would do."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(f"on {device}; a smaller --batch or --channels, or --amp, may do") from None
        raise
