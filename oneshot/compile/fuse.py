"""Fusion of convolutions of the same input; mixing weights go into the scales of their normalizations."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from oneshot.compile.convolutions import Conv
from oneshot.compile.expr import AnyExpr, Expr, in_order, is_by
from oneshot.compile.kernels import Call, Get, Pick, Split
from oneshot.compile.lowering import Lowering, Remade
from oneshot.compile.norms import Norm
from oneshot.compile.sums import Add, Sum


class _Member(NamedTuple):
    """A convolution and the normalization that is its only user."""

    norm: Expr[Norm]
    conv: Expr[Conv]
    user: Expr[Sum] | None  # the only user of the normalization, if it is a sum
    pick: int | None  # number of its weight in the sum


Group: TypeAlias = Sequence[_Member]  # members with the same input, fused to one convolution


class _Place(NamedTuple):
    """Position of a member: its number in groups that are summed before they are split."""

    groups: Sequence[Group]
    number: int
    first: bool  # whether it is in the first group, which represents all of them in a sum


def fuse(root: AnyExpr, lowering: Lowering) -> AnyExpr:
    """Return an equivalent expression with fewer, wider kernels."""
    place: dict[int, _Place] = {}  # of each normalization, by its id
    for groups in _stacks(_members(in_order(root))):
        for group in groups:
            for number, member in enumerate(group):
                place[id(member.norm)] = _Place(groups, number, group is groups[0])

    def replacement(expr: AnyExpr, fused: Remade) -> AnyExpr | None:
        if id(expr) in place:
            return _part(place[id(expr)], fused, lowering)
        return _sum(expr, place, fused, lowering) if is_by(expr, Sum) else None

    return lowering.rewrite(root, replacement)


def _members(order: Sequence[AnyExpr]) -> Iterator[_Member]:
    """Yield the convolutions that can be fused, with their normalizations."""
    users: dict[int, list[tuple[AnyExpr, int]]] = defaultdict(list)
    for expr in order:
        for number, arg in enumerate(expr.args):
            users[id(arg)].append((expr, number))
    norms = [expr for expr in order if is_by(expr, Norm)]
    uses = Counter(id(norm.kernel.modules[0]) for norm in norms if norm.kernel.number is not None)
    called = [expr.kernel.module for expr in order if is_by(expr, Call)]
    uses.update(id(part) for module in called for part in module.modules())
    for norm in norms:
        if uses[id(norm.kernel.modules[0])] > 1:
            continue  # its uses must update the running statistics one after the other
        conv = norm.args[0]
        if not is_by(conv, Conv) or len(users[id(conv)]) != 1 or len(conv.kernel.modules) > 1:
            continue
        (module,) = conv.kernel.modules
        if module.bias is not None or module.groups != 1:
            continue
        user, number = users[id(norm)][0] if len(users[id(norm)]) == 1 else (norm, 0)
        if is_by(user, Sum):
            yield _Member(norm, conv, user, user.kernel.picks[number])
        else:
            yield _Member(norm, conv, None, None)


def _stacks(members: Iterable[_Member]) -> Iterable[Sequence[Group]]:
    """Return stacks of groups; a group runs as one, and the groups of a stack go to the same sums."""
    groups: dict[object, list[_Member]] = defaultdict(list)
    for member in members:
        key = (id(member.conv.args[0]), member.conv.kernel.shape, member.norm.kernel.alike)
        groups[key].append(member)
    stacks: dict[object, list[Group]] = defaultdict(list)
    for number, group in enumerate(groups.values()):
        into = tuple(id(member.user) for member in group)
        sizes = tuple(member.norm.kernel.modules[0].num_features for member in group)
        separate = (
            len(group) == 1 or any(member.user is None for member in group) or len(set(into)) < len(into)
        )
        stacks[number if separate else (id(group[0].conv.args[0]), into, sizes)].append(group)
    return stacks.values()


def _part(place: _Place, fused: Remade, lowering: Lowering) -> AnyExpr:
    """Return the new expression of a member, a part of the sum of its groups."""
    norms = [_wide(group, fused, lowering) for group in place.groups]
    if len(place.groups[0]) == 1:
        return norms[0]
    total = lowering.make(Add(), *norms) if len(norms) > 1 else norms[0]
    sizes = tuple(member.norm.kernel.modules[0].num_features for member in place.groups[0])
    return lowering.make(Get(place.number), lowering.make(Split(sizes), total))


def _wide(group: Group, fused: Remade, lowering: Lowering) -> AnyExpr:
    """Return the normalized convolutions of a group with concatenated channels."""
    make = lowering.make
    x = fused[id(group[0].conv.args[0])]
    origins = [origin for member in group for origin in member.norm.origins]
    modules = tuple(member.conv.kernel.modules[0] for member in group)
    conv = make(replace(group[0].conv.kernel, modules=modules), x)
    kernel = replace(group[0].norm.kernel, modules=tuple(m.norm.kernel.modules[0] for m in group))
    scale = []
    if any(member.pick is not None for member in group):
        picks = tuple(-1 if member.pick is None else member.pick for member in group)
        scale = [make(Pick(picks, kernel.sizes), lowering.weights)]
    norm = make(kernel, conv, *scale)
    conv.origins = norm.origins = origins
    return norm


def _sum(expr: Expr[Sum], place: Mapping[int, _Place], fused: Remade, lowering: Lowering) -> AnyExpr:
    """Return a sum without the weights that are in the scales of its normalizations."""
    terms, picks = [], []
    for pick, term in zip(expr.kernel.picks, expr.args, strict=False):
        at = place.get(id(term))
        if at is not None and not at.first:
            continue  # included in the part of the first group
        if at is not None and at.groups[0][at.number].pick is not None:
            pick = None
        terms.append(fused[id(term)])
        picks.append(pick)
    return lowering.resum(expr, terms, picks)
