"""The proxies by name; their modules, and torch, are imported on first use."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from nasbench.errors import one_line
from oneshot.errors import ProxyError

if TYPE_CHECKING:
    from torch import nn

    from oneshot.proxies.batch import Batch

    Proxy: TypeAlias = Callable[[nn.Module, Batch], float]

#: module of each proxy, which has a function of the same name; proxies of a network are computed in this
#: order, with grasp last because it frees the memory of the pass that the others share
PROXIES: dict[str, str] = {
    "epe_nas": "epe_nas",
    "fisher": "fisher",
    "flops": "flops",
    "grad_norm": "grad_norm",
    "jacov": "jacov",
    "l2_norm": "l2_norm",
    "meco": "meco",
    "nwot": "nwot",
    "params": "params",
    "plain": "plain",
    "snip": "snip",
    "swap": "swap",
    "synflow": "synflow",
    "zen": "zen",
    "az_expressivity": "az_nas",
    "az_progressivity": "az_nas",
    "az_trainability": "az_nas",
    "grasp": "grasp",
}
#: proxies that combine the ranks of other proxies among all networks: {name: other proxies}
RANKED: dict[str, tuple[str, ...]] = {
    "az_nas": ("az_expressivity", "az_progressivity", "az_trainability", "flops"),
}
#: proxies that do not depend on random numbers and are computed with one seed
FIXED = ("params", "flops")


def get_proxy(name: str) -> "Proxy":
    """Return the proxy of a name or of MODULE:FUNCTION; raise ProxyError if there is none.

    >>> get_proxy("synflow").__name__
    'synflow'
    """
    module, colon, function = name.partition(":")
    if not colon:
        if name not in PROXIES:
            close = get_close_matches(name, [*PROXIES, *RANKED])
            known = f"try {' or '.join(close)}" if close else f"the proxies are {', '.join(all_names())}"
            raise ProxyError(f"unknown proxy {name!r}; {known}; use MODULE:FUNCTION for your own")
        module, function = f"oneshot.proxies.{PROXIES[name]}", name
    try:
        proxy: Proxy = getattr(import_module(module), function)
    except Exception as error:  # a custom module may raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ProxyError(f"cannot load the proxy {name!r}: {reason}") from None
    if not callable(proxy):
        raise ProxyError(f"the proxy {name!r} must be a function of a network and a Batch, got {proxy!r}")
    return proxy


def all_names() -> list[str]:
    """Return the names of all proxies, sorted."""
    return sorted([*PROXIES, *RANKED])
