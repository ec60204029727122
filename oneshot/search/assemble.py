"""The parts that a search is put together from: its images, its supernet, and where it stood."""

from contextlib import contextmanager

import torch

from nasbench.errors import said
from oneshot.errors import ConfigError, RunFolderError
from oneshot.methods.registry import method_of
from oneshot.search.task import Training
from oneshot.spaces.registry import space_of
from oneshot.training.images import Feed
from oneshot.training.memory import is_out_of_memory


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


def restore(training, space, state, path):
    """Put a Training of a Space where a checkpoint was.

    Returns (position in the log, architecture if concluded, seconds that took).
    """
    with restoring(path):
        training.load_state_dict(state["training"])
        concluded = state["architecture"]
        architecture = None if concluded is None else space.read(concluded)
        return int(state["log"]), architecture, float(state["concluding"])


@contextmanager
def restoring(path):
    """Turn what does not fit in a checkpoint into a RunFolderError that names it."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunFolderError(
            f"{path}/checkpoint.pt is not of this run, or of another version: {said(error)}"
        ) from None


def feed_of(settings, config, places):
    """The images of a search; ConfigError unless its network and its batches can take them."""
    feed = Feed(settings.dataset, settings.seed, settings.split_list, places.folder, places.download)
    check_sides(settings.space, settings.dataset, feed.size)
    for count in (len(feed.train_indices), len(feed.val_indices)):
        if count < 2:
            raise ConfigError(f"each half of {settings.dataset} needs two images or more, got {count}")
        if config.batch > count:
            raise ConfigError(
                f"a batch of {config.batch} is more than a half of {settings.dataset} has;"
                f" --batch {count} would do"
            )
    return feed


def check_sides(space, dataset, size):
    """ConfigError unless images of this height and width can be halved as often as a space's network does."""
    height, width = size
    least = 2 ** space_of(space).halvings
    if height % least or width % least:
        raise ConfigError(
            f"{space} halves images, so their sides are to be multiples of {least}; those of {dataset} are"
            f" {width}x{height}"
        )


@contextmanager
def memory_of(device):
    """Turn a device without room left into a MemoryError that says what would do."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(f"on {device}; a smaller --batch or --channels, or --amp, may do") from None
        raise
