"""Pairs of runs on the page, tested as a comparison tests them."""

from itertools import combinations

import numpy as np

from blackbox.compare.chosen import shared_by
from blackbox.results.comparison import regrets_at_end, tested, worst_for_none


def pairs(runs, entries, targets):
    """What the tests say of each pair of runs that a comparison would take: a dict of plain values.

    `entries`: of `blackbox.results.comparison`, one a run, None for two objectives; `targets` (N,).
    "tested": of each pair {"runs": their places, ...}, the first of which is the better one, if any is;
    "same_seed": whether all have one; "left": the places of the other runs: not complete, of one trial,
    without an incumbent, that end by jobs, or with no other of the same trials, limits, signal and noise.
    """
    ends, groups = {}, {}
    for place, (run, entry) in enumerate(zip(runs, entries, strict=True)):
        if entry is None or not run.complete or len(run.trials) < 2:
            continue
        shared, regret = shared_by(run), regrets_at_end(entry, targets)
        if shared["jobs"] is None and not np.isnan(regret).all():
            ends[place] = worst_for_none(regret, targets)
            groups.setdefault(tuple(shared.values()), []).append(place)
    chosen = [pair for group in groups.values() for pair in combinations(group, 2)]
    compared = {place for pair in chosen for place in pair}
    return {
        "tested": [_turned(*pair, found) for pair, found in zip(chosen, tested(ends, chosen), strict=True)],
        "same_seed": len({entries[place].seed for place in compared}) <= 1,
        "left": [n for n, entry in enumerate(entries) if entry is not None and n not in compared],
    }


def _turned(first, second, found):
    """A pair with the better one first: which test, and so p, is the same."""
    if found["rank_biserial"] < 0:
        first, second = second, first
        turned = {"better": found["worse"], "worse": found["better"], "a12": 1 - found["a12"]}
        found = found | turned | {"rank_biserial": -found["rank_biserial"]}
    return {"runs": [first, second]} | found
