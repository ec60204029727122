"""The proxies by the names that commands know them by; each, and torch, is loaded when it is asked for."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from oneshot.errors import ProxyError

if TYPE_CHECKING:
    from torch import nn

    from oneshot.proxies.batch import Batch

    Proxy: TypeAlias = Callable[[nn.Module, Batch], float]

#: The module of each proxy, which has a function of the proxy's name. Proxies of one network are computed in
#: this order: grasp last, which first frees the memory of the pass that the others share.
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
#: Proxies that are the ranks of others among all networks, and those others.
RANKED: dict[str, tuple[str, ...]] = {
    "az_nas": ("az_expressivity", "az_progressivity", "az_trainability", "flops"),
}
#: Proxies that depend on no random number: one seed is all.
FIXED = ("params", "flops")


def get_proxy(name: str) -> "Proxy":
    """Return the function of a name, or of MODULE:FUNCTION; ProxyError suggests close names.

    >>> get_proxy("synflow").__name__
    'synflow'
    """
    module, colon, function = name.partition(":")
    if not colon:
        if name not in PROXIES:
            close = get_close_matches(name, [*PROXIES, *RANKED])
            known = f"try {' or '.join(close)}" if close else f"the proxies are {', '.join(all_names())}"
            raise ProxyError(f"unknown proxy {name!r}; {known}; MODULE:FUNCTION is your own")
        module, function = f"oneshot.proxies.{PROXIES[name]}", name
    try:
        proxy: Proxy = getattr(import_module(module), function)
    except (ImportError, ValueError, AttributeError) as error:
        raise ProxyError(f"cannot load the proxy {name!r}: {error}") from None
    if not callable(proxy):
        raise ProxyError(f"the proxy {name!r} must be a function of a network and a Batch, got {proxy!r}")
    return proxy


def all_names() -> list[str]:
    """Return the names of all proxies, sorted."""
    return sorted([*PROXIES, *RANKED])
