"""The parts that a retraining is put together from: its architecture, its images, its network."""

from dataclasses import asdict
from typing import NamedTuple

import torch

from oneshot.errors import ConfigError
from oneshot.retrain.benchmark import lacking, open_table
from oneshot.retrain.feed import Feed
from oneshot.retrain.pipelines import pipeline_of
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.task import Training
from oneshot.retrain.weights import RETRAINING, recorded
from oneshot.search.assemble import check_sides
from oneshot.search.record import agree, same_images
from oneshot.search.settings import Places
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import space_of
from oneshot.training.folder import read_config
from oneshot.training.sync_norm import synchronize


class Job(NamedTuple):
    """What is to be trained, on what."""

    architecture: Architecture
    settings: RetrainSettings  # complete
    places: Places
    feed: Feed
    table: object  # an NB201 that has the like, or None
    notes: tuple = ()  # lines about what is not as it would be by default


def new_job(architecture, settings, places, group):
    """The Job of an architecture, of any kind that `Architecture.parse` takes."""
    group.device(places.device)  # an error, if it is not there
    found = Architecture.parse(architecture, settings.space)
    of_space = settings.of_space(found.space)
    table = open_table(of_space, places.store)
    feed = _feed_of(of_space, places)
    complete, notes = settings.completed(found.space, feed.size, found.value)
    _check(complete, feed, group)
    with torch.random.fork_rng([]):
        _network(found, complete, feed)  # an error, before there is a folder
    return _compared(Job(found, complete, places, feed, table, tuple(notes)))


def job_of(path, architecture, settings, places, group):
    """The Job of the run in a folder, if these are its: an architecture or None, dicts of settings."""
    record = read_config(path, RETRAINING)
    found, recorded_settings, recorded_places = recorded(record, path)
    if architecture is not None and Architecture.parse(architecture).record != found.record:
        raise ConfigError(f"the architecture is not the run's, {found.record['text']}")
    agree(settings, asdict(recorded_settings))
    if recorded_settings.local_bn and record["processes"] != group.size:
        raise ConfigError(
            f"{path} was begun with --local-bn by {record['processes']} processes, which it depends on; got"
            f" {group.size}"
        )
    asked = recorded_places.updated(**places)
    group.device(asked.device)
    table = open_table(recorded_settings, asked.store, path)
    feed = _feed_of(recorded_settings, asked)
    same_images(feed, record, recorded_settings, path)
    _check(recorded_settings, feed, group)
    return _compared(Job(found, recorded_settings, asked, feed, table))


def _compared(job):
    """Return a Job with a note on what its table lacks, if anything."""
    note = job.table and lacking(job.table, job)
    return job._replace(notes=(*job.notes, note)) if note else job


def training_of(job, group, device):
    """A retraining before its first step, by the random numbers of its seed."""
    settings, feed = job.settings, job.feed
    torch.default_generator.manual_seed(settings.seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(settings.seed)
    network = _network(job.architecture, settings, feed)
    network.to(device, memory_format=torch.channels_last)
    if group.size > 1 and not settings.local_bn:
        synchronize(network, group)
    group.spread([*network.parameters(), *network.buffers()])
    if settings.compile:
        network.compile()
    pipeline = pipeline_of(settings.space, settings.dataset)
    loaders = (
        feed.train(settings.batch, pipeline.augment, settings.cutout, device, group.part),
        feed.test(settings.batch, device, group.part),
    )
    return Training(network, settings, pipeline.nesterov, feed, loaders, group)


def _network(architecture, settings, feed):
    """The network of an Architecture, with new weights, as a parsed Graph."""
    return space_of(settings.space).network(
        architecture.value,
        feed.classes,
        settings.channels,
        settings.cells,
        auxiliary=settings.auxiliary_weight > 0,
    )


def _feed_of(settings, places):
    """The images of a retraining; ConfigError unless its network can take them."""
    feed = Feed(
        settings.dataset, settings.split, settings.seed, settings.split_list, places.folder, places.download
    )
    check_sides(settings.space, settings.dataset, feed.size)
    return feed


def _check(settings, feed, group):
    """ConfigError unless each batch has images for each process."""
    if feed.train_count < 2:
        raise ConfigError(f"a network needs two training images or more, got {feed.train_count}")
    if settings.batch > feed.train_count:
        raise ConfigError(
            f"a batch of {settings.batch} is more than the training images of {settings.dataset};"
            f" --batch {feed.train_count} would do"
        )
    least = 2 * group.size if settings.local_bn else group.size
    last = feed.train_count % settings.batch
    if group.size > 1:
        for name, count in (("a batch", settings.batch), ("the last batch of an epoch", last)):
            if count < least and count > 1:
                raise ConfigError(
                    f"{name} has {count} images, which are too few for {group.size} processes; another"
                    " --batch may do"
                )
        if settings.compile and not settings.local_bn:
            raise ConfigError(
                "--compile cannot normalize by the whole batch of several processes; --local-bn would do"
            )
