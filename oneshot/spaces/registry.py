"""The spaces by name, and parsing of architectures of any space."""

import json
from typing import Any, Literal

from nasbench.errors import shown
from oneshot.errors import ConfigError, GenotypeError
from oneshot.spaces.base import Space
from oneshot.spaces.builtin import DARTSSpace, HierarchicalSpace, NASBench201Space
from oneshot.spaces.published import PUBLISHED, published_names
from oneshot.spaces.robust import S1, S2, S3, S4

#: names of the spaces
SpaceName = Literal["nb201", "darts", "hierarchical", "s1", "s2", "s3", "s4"]
# Any: each space has its own class of architectures
SPACES: dict[str, Space[Any]] = {
    space.name: space for space in (NASBench201Space(), DARTSSpace(), HierarchicalSpace(), S1, S2, S3, S4)
}


def get_space(name: SpaceName | str) -> Space[Any]:
    """Return the space of a name.

    >>> get_space("nb201").candidates("0→1")[0]
    'none'

    Parameters
    ----------
    name
        Name of the space, one of `SpaceName`.

    Returns
    -------
    Space
        The space.

    Raises
    ------
    ConfigError
        If the name is unknown; the message lists the names.
    """
    if not isinstance(name, str) or name not in SPACES:
        raise ConfigError(f"unknown space {name!r}; the spaces are {', '.join(SPACES)}")
    return SPACES[name]


def parse_architecture(text: str, space: SpaceName | str | None = None) -> tuple[str, Any]:
    """Return the architecture in a text, in any notation, and the name of its space.

    >>> name, architecture = parse_architecture("DARTS_V2")
    >>> name, architecture.normal[0]
    ('darts', ('sep_conv_3x3', 0))

    Parameters
    ----------
    text
        The `str` of an architecture, a genotype in any notation that `Genotype.from_text` reads, the JSON of
        `Space.to_json`, the index of a cell of NAS-Bench-201, or a name in `PUBLISHED`.
    space
        Name of the space that the architecture must belong to; None for any.

    Returns
    -------
    name : str
        Name of the space.
    architecture
        A Cell, Genotype or Hierarchy.

    Raises
    ------
    GenotypeError
        If the text is not an architecture, or if the architecture belongs to another space.
    ConfigError
        If there is no space of this name.
    """
    name, architecture = _read(text)
    if space is None or name == get_space(space).name:
        return name, architecture
    if isinstance(architecture, get_space(name).architecture_class) and get_space(space).contains(
        architecture
    ):
        return space, architecture
    raise GenotypeError(f"the architecture belongs to the space {name}, not {space}")


def _read(text: object) -> tuple[str, object]:
    if not isinstance(text, str):
        raise GenotypeError(f"an architecture must be given as text, got {text!r}")
    published = PUBLISHED.get(text.strip())
    for name, space in SPACES.items():
        if isinstance(published, space.architecture_class):
            return name, published
    claiming = [name for name, space in SPACES.items() if space.claims(text)]
    if claiming:
        architecture = SPACES[claiming[0]].read(text)
        return next((n for n in claiming if SPACES[n].contains(architecture)), claiming[0]), architecture
    if text.strip().startswith("{"):
        return _read_json(text)
    raise GenotypeError(
        f"{shown(text)} is not an architecture; give a Genotype(...) or its dictionary, a Hierarchy(...), an"
        f" arch string or index of NAS-Bench-201, their JSON, or one of {published_names()}"
    )


def _read_json(text: str) -> tuple[str, object]:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise GenotypeError(f"cannot read the JSON of an architecture: {error}") from None
    name = value.pop("space", None)
    if not isinstance(name, str) or name not in SPACES:
        raise GenotypeError(
            f"the JSON of an architecture must have a space, one of {', '.join(SPACES)}; got {name!r}"
        )
    return name, SPACES[name].from_json(value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of a JSON text; raise ValueError if it has a key twice, which json allows."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError(f"an object has a key twice: {shown([key for key, _ in pairs])}")
    return value
