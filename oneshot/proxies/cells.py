"""Architectures of a run: sampled, all of NAS-Bench-201, or from a file."""

from pathlib import Path

from nasbench.cell import CELLS, Cell
from nasbench.errors import one_line
from oneshot.errors import ConfigError, GenotypeError, OneShotError
from oneshot.proxies.settings import ALL, ProxySettings
from oneshot.score.ranking import sample_cells
from oneshot.spaces.architectures import Architecture


def read_architectures(settings: ProxySettings) -> list[Architecture]:
    """Return the architectures of a run, all from the same space.

    Raises
    ------
    ConfigError
        If the number of cells is out of range, or if the file cannot be read.
    GenotypeError
        If a line is not an architecture, occurs twice or has another space than the first.
    """
    if settings.cells == ALL:
        return [Architecture("nb201", Cell.from_index(index)) for index in range(CELLS)]
    if settings.count is not None:
        if not 1 <= settings.count <= CELLS:
            raise ConfigError(f"cells must be 1 to {CELLS:,}, all or a file, got {settings.cells}")
        return [Architecture("nb201", cell) for cell in sample_cells(settings.count, settings.seed)]
    return _read_file(Path(settings.cells))


def _read_file(path: Path) -> list[Architecture]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ConfigError(f"cells must be a number, all or a file; there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the architectures in {path}: {one_line(error)}") from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    places: dict[Architecture, int] = {}
    for number, line in numbered:
        if not line or line.startswith("#"):
            continue
        try:
            architecture = Architecture.parse(line, next(iter(places)).space if places else None)
        except OneShotError as error:
            raise GenotypeError(f"{path}, line {number}: {one_line(error)}") from None
        if architecture in places:
            raise GenotypeError(f"{path}, line {number} is the same as line {places[architecture]}")
        places[architecture] = number
    if not places:
        raise ConfigError(f"{path} has no architectures; write one per line")
    return list(places)
