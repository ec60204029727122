"""Siblings as one: convolutions of one input side by side, the mixing weight in the normalization's scale."""

from collections import defaultdict
from typing import NamedTuple

from oneshot.compile.expr import Expressions, in_order
from oneshot.compile.kernels import Conv, Get, Norm, Scale, Split, Sum


class _Member(NamedTuple):
    """A convolution followed by a normalization, of the batch's statistics, that alone uses it."""

    norm: object
    conv: object
    pick: object  # number of its weight in the only sum that uses it; None: not weighted, or used otherwise


def fuse(root, lowering):
    """An expression that means the same in fewer, wider kernels."""
    order = in_order(root)
    groups = defaultdict(list)
    for member in _members(order):
        modules = member.norm.kernel.modules
        alike = (id(member.conv.args[0]), member.conv.kernel.shape, modules[0].eps, modules[0].affine)
        groups[alike].append(member)
    place = {}  # {id of a normalization: (its group, its number there)}
    for members in groups.values():
        for number, member in enumerate(members):
            place[id(member.norm)] = members, number
    lowering.expressions = Expressions()  # so that all is made anew, in the order of before
    made = {}  # {id of an expression: what it has become}
    for expr in order:
        if id(expr) in place:
            made[id(expr)] = _part(*place[id(expr)], made, lowering)
        elif isinstance(expr.kernel, Sum):
            made[id(expr)] = _sum(expr, place, made, lowering)
        else:
            made[id(expr)] = _again(expr, lowering.make(expr.kernel, *(made[id(arg)] for arg in expr.args)))
    return made[id(root)]


def _members(order):
    users = defaultdict(list)
    for expr in order:
        for number, arg in enumerate(expr.args):
            users[id(arg)].append((expr, number))
    for norm in order:
        if not isinstance(norm.kernel, Norm):
            continue
        conv = norm.args[0]
        if not isinstance(conv.kernel, Conv) or len(users[id(conv)]) != 1:
            continue
        (module,) = conv.kernel.modules
        if module.bias is not None or module.groups != 1:
            continue
        pick = None
        if len(users[id(norm)]) == 1:
            ((user, number),) = users[id(norm)]
            if isinstance(user.kernel, Sum):
                pick = user.kernel.picks[number]
        yield _Member(norm, conv, pick)


def _part(members, number, made, lowering):
    """What a member has become: a part of its group's wide normalization."""
    make = lowering.make
    x = made[id(members[0].conv.args[0])]
    origins = [origin for member in members for origin in member.norm.origins]
    conv = make(Conv(tuple(member.conv.kernel.modules[0] for member in members)), x)
    kernel = Norm(tuple(member.norm.kernel.modules[0] for member in members))
    scale = []
    if any(member.pick is not None for member in members):
        picks = tuple(-1 if member.pick is None else member.pick for member in members)
        scale = [make(Scale(picks, kernel.sizes), lowering.weights)]
    norm = make(kernel, conv, *scale)
    conv.origins = norm.origins = origins
    return norm if len(members) == 1 else make(Get(number), make(Split(kernel.sizes), norm))


def _sum(expr, place, made, lowering):
    """A sum whose weights went into its normalizations' scales."""
    terms, picks = [], list(expr.kernel.picks)
    for i in range(len(picks)):
        term = expr.args[i]
        if id(term) in place:
            members, number = place[id(term)]
            if members[number].pick is not None:
                picks[i] = None
        terms.append(made[id(term)])
    if len(terms) == 1 and picks[0] is None:
        return terms[0]
    return _again(expr, lowering.total(terms, picks))


def _again(old, new):
    """The new expression, from where the old one was, too."""
    new.origins = list(dict.fromkeys(new.origins + old.origins))
    return new
