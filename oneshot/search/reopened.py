"""A run that is opened again to look at what it learned."""

import torch

from oneshot.errors import RunFolderError
from oneshot.search.assemble import feed_of, restore, training_of
from oneshot.search.record import SEARCH, same_images, scorer_of, settings_in
from oneshot.spaces.registry import space_of
from oneshot.training.folder import read_checkpoint, read_config


class Reopened:
    """What a run has learned, from its folder: the method with its trained supernet, and validation batches.

    `optimizer`, `settings`, `config`; `device`; `train_count`, `val_count`: images of each half; `scorer`:
    what the benchmark says of cells, None for another space; `architecture`: what the method concluded, or
    would choose now where the run is not complete (`complete` says which); `concluding`: seconds that took.
    """

    def __init__(self, settings, config, feed, scorer, training, architecture, concluding):
        self.settings, self.config, self.scorer = settings, config, scorer
        self.optimizer, self.device = training.optimizer, training.device
        self.train_count, self.val_count = len(feed.train_indices), len(feed.val_indices)
        self.complete = architecture is not None
        self.concluding = concluding
        self.epoch = training.epoch
        if architecture is None:
            with self.optimizer.as_chosen() as graph:
                architecture = space_of(settings.space).architecture(graph)
        self.architecture = architecture
        self._feed = feed

    def val_loader(self, batch=None):
        """The validation half in batches (images, labels), not augmented; the same each time.

        `batch`: images in each; None: as the search had it.
        """
        return self._feed.evaluation(self.config.batch if batch is None else batch, self.device)


def reopen(path, device="cpu", store=None, folder=None):
    """The run in a folder, as its last checkpoint has it, to look at: a Reopened; nothing is written.

    RunFolderError where there is no checkpoint, or it is damaged; ConfigError where data set or table are
    others now.
    """
    record = read_config(path, SEARCH)
    settings, config, recorded = settings_in(record, path)
    places = recorded.updated(device=device, store=store, folder=folder)
    device = places.torch_device()
    state = read_checkpoint(path)
    if state is None:
        raise RunFolderError(f"{path} has no checkpoint.pt, which each epoch of a search saves")
    scorer = scorer_of(record, settings, places, path)
    feed = feed_of(settings, config, places)
    same_images(feed, record, settings, path)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        training = training_of(settings, config, feed, device)
        _, architecture, concluding = restore(training, space_of(settings.space), state, path)
    return Reopened(settings, config, feed, scorer, training, architecture, concluding)
