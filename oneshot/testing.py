"""Tests that every method and space must pass; inherit them to test your own. This module needs pytest.

In `test_fair.py`, next to the `fair.py` that defines the method `FairDARTS`:

>>> from oneshot.methods.darts import DARTS as FairDARTS
>>> from oneshot.testing import MethodContract
>>> class TestFairDARTS(MethodContract):
...     method = FairDARTS

For a space, which is any class of graphs:

>>> from oneshot.spaces.nb201 import NasBench201SearchSpace
>>> from oneshot.testing import CLASSES, SpaceContract
>>> class TestSmall(SpaceContract):
...     def build(self):
...         return NasBench201SearchSpace(CLASSES, channels=2, cells=1)

`pytest test_fair.py` runs the tests. With `pytest.register_assert_rewrite("oneshot.testing")` in
`conftest.py`, failed assertions show their values.
"""

import io
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from data.loader import Batch
from nasbench import NB201
from nasbench.cell import OPERATIONS
from oneshot import ops
from oneshot.errors import GraphError
from oneshot.graph.graph import Graph, Scope
from oneshot.methods.base import MetaOptimizer, Step
from oneshot.methods.recipes import RECIPES, recipe_settings
from oneshot.methods.registry import METHODS, get_method
from oneshot.mixed import Mixture
from oneshot.parts.base import PartSettings
from oneshot.parts.registry import build_parts
from oneshot.spaces.nb201 import NasBench201SearchSpace, read_cell

Method = MetaOptimizer[Any]  # Any: each method has its own settings

CLASSES = 4  # classes of the images in `batches`
STAGES = NasBench201SearchSpace.OPTIMIZER_SCOPE


# Spaces, images and state of a search


def tiny() -> Graph:
    """Return the space of NAS-Bench-201 with the smallest sizes that have copies of a cell."""
    return NasBench201SearchSpace(classes=CLASSES, channels=2, cells=1)


def other() -> Graph:
    """Return a space with two copies of a cell and another cell, with different numbers of candidates."""

    def candidates(*kernels: int) -> list[nn.Module]:
        return [ops.Zero(), ops.Identity(), *(ops.ReLUConvBN(3, 3, kernel) for kernel in kernels)]

    cell = Graph("cell")
    cell.add_nodes_from([1, 2, 3])
    cell.add_edges_densely()
    single = Graph("other cell", scope="other")
    single.add_edge(1, 2)
    space = Graph("space")
    layers = [ops.Stem(3), cell.copy().set_scope("twice"), cell.copy().set_scope("twice"), single]
    for node, layer in enumerate([*layers, ops.Classifier(3, CLASSES)], 1):
        space.add_edge(node, node + 1, op=layer)
    space.update_edges(lambda edge: edge.set("op", candidates(1, 3)), "twice")
    space.update_edges(lambda edge: edge.set("op", candidates(3)), "other")
    space.OPTIMIZER_SCOPE = ("twice", "other")
    return space


def batches(count: int, seed: int = 0, size: int = 8, dtype: torch.dtype = torch.float32) -> list[Batch]:
    """Return batches of 8×8 images, each the pattern of its class plus noise, and labels."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(CLASSES, 3, 8, 8, generator=torch.Generator().manual_seed(77), dtype=dtype)
    result = []
    for _ in range(count):
        labels = torch.randint(CLASSES, (size,), generator=generator)
        noise = torch.randn(size, 3, 8, 8, generator=generator, dtype=dtype)
        result.append((patterns[labels] + 0.5 * noise, labels))
    return result


def snapshot(optimizer: Method) -> list[Tensor]:
    """Return copies of the weights and alphas."""
    return [parameter.detach().clone() for parameter in [*optimizer.weights, *optimizer.alphas]]


def same(left: Sequence[Tensor], right: Sequence[Tensor]) -> bool:
    """Return whether two lists of tensors are equal bit for bit."""
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:  # of several types
    """Return a state after saving and loading it with `weights_only`."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def structure(graph: Graph) -> list[tuple[object, ...]]:
    """Return the place, keys and types of candidates of all edges of a graph."""
    places: list[tuple[object, ...]] = []
    for each in graph.graphs():
        for source, target, edge in each.edges(data=True):
            candidates = edge.op if isinstance(edge.op, list) else [edge.op]
            places.append((each.name, source, target, sorted(edge), [type(op).__name__ for op in candidates]))
    return places


def _is_discrete(graph: Graph) -> bool:
    return not any(isinstance(edge.op, (Mixture, list)) for edge in graph.all_edges())


class MethodContract:
    """Tests of a method; a subclass sets `method`."""

    #: class of the method
    method: ClassVar[type[Method]]
    #: settings of parts that are added to the method
    parts: ClassVar[tuple[PartSettings, ...]] = ()
    #: settings of the method in the tests, for example to shorten them
    options: ClassVar[dict[str, Any]] = {}  # Any: types of the method's settings
    #: whether the method has architecture parameters
    has_alphas: ClassVar[bool] = True
    #: whether a step returns logits and loss of validation images
    looks_at_validation: ClassVar[bool] = True

    def make(
        self,
        seed: int = 0,
        space: Graph | None = None,
        scope: Scope = None,
        amp: bool = False,
        **options: Any,  # types of its settings
    ) -> Method:
        """Return the method with a supernet of `space`, by default `tiny`."""
        torch.manual_seed(seed)
        config = self.method.config_class(**self.options | options)
        optimizer = self.method(config, amp=amp, parts=build_parts(self.parts))
        optimizer.adapt_search_space(tiny() if space is None else space, scope)
        return optimizer

    def run(
        self, optimizer: Method, steps: int, seed: int = 1, first: int = 0, epoch_steps: int = 3
    ) -> list[Step]:
        """Run steps on batches that depend only on their number, and return their results."""
        train, val = batches(first + steps, seed), batches(first + steps, seed + 1)
        results = []
        for number in range(first, first + steps):
            if number % epoch_steps == 0:
                optimizer.begin_epoch(number // epoch_steps)
            results.append(optimizer.step(train[number], val[number]))
            if number % epoch_steps == epoch_steps - 1:
                optimizer.end_epoch(number // epoch_steps, train[number], val[number])
        return results

    def penalty(self, optimizer: Method) -> Tensor | float:
        """Return the term that the method adds to the loss of the alphas according to its paper."""
        return 0.0

    def reference_step(self, optimizer: Method, train: Batch, val: Batch) -> None:
        """Run the step of the method with the graph's reference implementation and plain backward passes.

        By default, it is a step of DARTS; override it for methods with other steps.
        """
        turns = [(optimizer.op_optimizer, optimizer.weights, train)]
        if self.has_alphas:
            first = optimizer.config.first == "alphas"
            turns.insert(0 if first else 1, (optimizer.alpha_optimizer, optimizer.alphas, val))
        for updated, parameters, (images, labels) in turns:
            for parameter in [*optimizer.weights, *optimizer.alphas]:
                parameter.grad = torch.zeros_like(parameter)  # like zero_grad() of PyTorch before 2.0
            loss = cross_entropy(optimizer.graph.interpret(images), labels)
            if updated is optimizer.arch_optimizer:
                loss = loss + self.penalty(optimizer)
            torch.autograd.backward(loss)
            if updated is optimizer.op_optimizer or optimizer.config.clip_alphas:
                clip_grad_norm_(parameters, optimizer.config.grad_clip)
            updated.step()

    # Trajectories

    def test_same_seed_same_trajectory(self) -> None:
        first, second = self.make(seed=3), self.make(seed=3)
        for optimizer in (first, second):
            torch.manual_seed(8)
            self.run(optimizer, 5)
        assert same(snapshot(first), snapshot(second))
        assert read_cell(first.get_final_architecture()) == read_cell(second.get_final_architecture())

    def test_another_seed_another_trajectory(self) -> None:
        first, second = self.make(seed=3), self.make(seed=4)
        for optimizer in (first, second):
            self.run(optimizer, 2)
        assert not same(snapshot(first), snapshot(second))

    @pytest.mark.parametrize("steps", [1, 4])
    def test_a_state_goes_on_bit_for_bit(self, steps: int) -> None:
        uninterrupted = self.make(seed=1)
        self.run(uninterrupted, steps)
        state = through_a_file(uninterrupted.state_dict() | {"rng": torch.get_rng_state()})
        self.run(uninterrupted, 4, first=steps)
        resumed = self.make(seed=2)
        resumed.load_state_dict(state)
        torch.set_rng_state(state["rng"])
        self.run(resumed, 4, first=steps)
        assert same(snapshot(resumed), snapshot(uninterrupted))
        assert resumed.get_final_architecture().edges[2, 3].op is not uninterrupted.graph.edges[2, 3].op
        assert read_cell(resumed.get_final_architecture()) == read_cell(
            uninterrupted.get_final_architecture()
        )
        left, right = resumed.state_dict(), uninterrupted.state_dict()
        assert str(through_a_file(left)) == str(through_a_file(right))

    def test_a_state_from_the_middle_of_an_epoch_may_begin_it_again(self) -> None:
        uninterrupted = self.make(seed=1)
        self.run(uninterrupted, 4)
        state = through_a_file(uninterrupted.state_dict() | {"rng": torch.get_rng_state()})
        self.run(uninterrupted, 2, first=4)
        resumed = self.make(seed=2)
        resumed.load_state_dict(state)
        resumed.begin_epoch(1)  # again, because the temperature may depend on it
        torch.set_rng_state(state["rng"])
        self.run(resumed, 2, first=4)
        assert same(snapshot(resumed), snapshot(uninterrupted))
        assert read_cell(resumed.get_final_architecture()) == read_cell(
            uninterrupted.get_final_architecture()
        )

    # Changes of state

    def test_the_space_stays_as_it_is(self) -> None:
        space = tiny()
        before = structure(space)
        weights = [op.conv.weight.clone() for op in space.edges[2, 3].op.edges[1, 2].op[2:4]]
        optimizer = self.make(space=space)
        self.run(optimizer, 3)
        optimizer.conclude(batches(2))
        optimizer.get_final_architecture()
        assert structure(space) == before
        assert not space.is_parsed
        assert same([op.conv.weight for op in space.edges[2, 3].op.edges[1, 2].op[2:4]], weights)

    def test_weights_and_alphas_are_disjoint(self) -> None:
        optimizer = self.make()
        weights, alphas = optimizer.weights, optimizer.alphas
        assert len({id(p) for p in [*weights, *alphas]}) == len(weights) + len(alphas)
        assert len(alphas) == (6 if self.has_alphas else 0)  # one for all copies of an edge
        assert all(alpha.shape == (len(OPERATIONS),) for alpha in alphas)
        assert (optimizer.arch_optimizer is not None) == self.has_alphas

    def test_a_step_changes_what_it_should_and_nothing_else(self) -> None:
        optimizer = self.make()
        before, held = snapshot(optimizer), structure(optimizer.graph)
        (train, val) = batches(2)
        copies = [tensor.clone() for tensor in (*train, *val)]
        optimizer.begin_epoch(0)
        step = optimizer.step(train, val)
        assert not same(snapshot(optimizer), before)
        count = len(optimizer.weights)
        for alpha, old in zip(optimizer.alphas, before[count:], strict=True):
            assert (alpha != old).any()
        assert same([*train, *val], copies)
        assert structure(optimizer.graph) == held
        assert all(p.grad is None for p in [*optimizer.weights, *optimizer.alphas])
        assert optimizer.graph.training
        assert optimizer.graph.is_parsed
        for tensor in step:
            assert tensor is None or not tensor.requires_grad

    def test_a_step_gives_what_it_saw_before_its_updates(self) -> None:
        optimizer = self.make()
        train, val = batches(2)
        optimizer.begin_epoch(0)
        step = optimizer.step(train, val)
        assert step.logits_train.shape == (8, CLASSES)
        torch.testing.assert_close(step.train_loss, cross_entropy(step.logits_train, train[1]))
        if self.looks_at_validation:
            assert step.logits_val is not None
            torch.testing.assert_close(step.val_loss, cross_entropy(step.logits_val, val[1]))
        else:
            assert (step.logits_val, step.val_loss) == (None, None)

    @pytest.mark.parametrize("recipe", RECIPES)
    @pytest.mark.parametrize("clip", [5.0, 0.01])
    def test_two_steps_equal_plain_backward_passes(self, recipe: str, clip: float) -> None:
        settings = recipe_settings(recipe, self.method.config_class)
        results = {}
        for way in ("method", "reference"):
            optimizer = self.make(grad_clip=clip, **settings)
            optimizer.graph.double()
            torch.manual_seed(5)
            optimizer.begin_epoch(0)
            for train, val in zip(*[iter(batches(4, dtype=torch.float64))] * 2, strict=True):
                step = optimizer.step if way == "method" else self.reference_stepper(optimizer)
                step(train, val)
            results[way] = snapshot(optimizer)
        assert all(tensor.dtype == torch.float64 for tensor in results["method"])
        for left, right in zip(results["method"], results["reference"], strict=True):
            torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)

    def reference_stepper(self, optimizer: Method) -> Callable[[Batch, Batch], object]:
        """Return a function that runs a reference step."""
        return lambda train, val: self.reference_step(optimizer, train, val)

    # Architectures

    def test_the_architecture_is_discrete_and_in_the_benchmark(self) -> None:
        optimizer, bench = self.make(), NB201()
        for steps in (0, 3):  # there is an architecture before the first step
            self.run(optimizer, steps)
            graph = optimizer.get_final_architecture()
            assert graph.is_parsed
            assert isinstance(graph, NasBench201SearchSpace)
            assert _is_discrete(graph)
            cell = read_cell(graph)
            assert graph.query() == bench.query(cell, "cifar10", "val_accuracy")
            assert graph.query(dataset="cifar100") == bench.query(cell, "cifar100", "val_accuracy")
            assert graph(batches(1)[0][0]).shape == (8, CLASSES)

    def test_the_architecture_is_a_copy(self) -> None:
        optimizer = self.make()
        self.run(optimizer, 2)
        before, held = snapshot(optimizer), structure(optimizer.graph)
        graph = optimizer.get_final_architecture()
        with torch.no_grad():
            for parameter in graph.parameters():
                parameter.zero_()
        assert same(snapshot(optimizer), before)
        assert structure(optimizer.graph) == held
        self.run(optimizer, 1, first=2)  # the search continues

    def test_the_architecture_has_the_weights_of_the_supernet(self) -> None:
        optimizer = self.make()
        self.run(optimizer, 2)
        graph = optimizer.get_final_architecture()
        old = {
            name: value for name, value in optimizer.graph.state_dict().items() if "primitives" not in name
        }
        for name, value in old.items():
            assert torch.equal(graph.state_dict()[name], value)

    def test_conclude_keeps_the_weights(self) -> None:
        optimizer = self.make()
        self.run(optimizer, 2)
        before = snapshot(optimizer)
        optimizer.conclude(batches(3))
        assert same(snapshot(optimizer), before)
        read_cell(optimizer.get_final_architecture())

    def test_none_is_excluded(self) -> None:
        for seed in range(4):
            optimizer = self.make(seed=seed, exclude_none=True)
            with torch.no_grad():
                for alpha in optimizer.alphas:
                    alpha[OPERATIONS.index("none")] = 9.0
            for steps in (0, 1):
                self.run(optimizer, steps)
                assert "none" not in read_cell(optimizer.get_final_architecture()).ops
            optimizer.conclude(batches(1))
            assert "none" not in read_cell(optimizer.get_final_architecture()).ops

    # Options

    def test_amp_runs_and_weights_stay_float32(self) -> None:
        optimizer = self.make(amp=True)
        for step in self.run(optimizer, 3):
            for tensor in step:
                assert tensor is None or (tensor.dtype == torch.float32 and tensor.isfinite().all())
        assert all(p.dtype == torch.float32 and p.isfinite().all() for p in snapshot(optimizer))

    def test_a_scope_is_searched_alone(self) -> None:
        space = tiny()
        space.update_edges(lambda edge: edge.set("op", edge.op[3]), STAGES[1:])
        optimizer = self.make(space=space, scope=STAGES[0])
        assert optimizer.scope == STAGES[0]
        self.run(optimizer, 2)
        mixed = [isinstance(edge.op, Mixture) for edge in optimizer.graph.all_edges(STAGES)]
        assert sum(mixed) == 6
        graph = optimizer.get_final_architecture()
        fixed = graph.all_edges(STAGES[1:])
        assert len(fixed) == 12
        assert all(isinstance(edge.op, ops.ReLUConvBN) for edge in fixed)

    def test_what_is_out_of_scope_must_be_chosen(self) -> None:
        with pytest.raises(GraphError, match="has a list of 5 candidates"):
            self.make(scope=STAGES[0])
        with pytest.raises(GraphError, match="'stage_9'"):
            self.make(scope="stage_9")

    def test_another_space(self) -> None:
        space = other()
        optimizer = self.make(space=space)
        sizes = [len(alpha) for alpha in optimizer.alphas]
        assert sizes == ([4, 4, 4, 3] if self.has_alphas else [])
        self.run(optimizer, 4)
        optimizer.conclude(batches(2))
        graph = optimizer.get_final_architecture()
        assert _is_discrete(graph)
        first, second = (graph.edges[node, node + 1].op for node in (2, 3))
        for source, target in first.edges:
            left, right = first.edges[source, target].op, second.edges[source, target].op
            assert str(left) == str(right)  # copies are equal
        assert graph(batches(1)[0][0]).shape == (8, CLASSES)

    def test_a_search_goes_on_with_final_edges(self) -> None:
        optimizer = self.make()
        for edge in optimizer.graph.all_edges(optimizer.scope):
            edge.finalize()
        before = snapshot(optimizer)
        self.run(optimizer, 4)
        assert not same(snapshot(optimizer), before)
        with optimizer.as_chosen() as graph:
            chosen = read_cell(graph)
        optimizer.load_state_dict(optimizer.state_dict())
        with optimizer.as_chosen() as graph:
            assert read_cell(graph) == chosen

    def test_an_optimizer_may_be_used_again(self) -> None:
        optimizer = self.make(seed=1)
        self.run(optimizer, 2)
        torch.manual_seed(1)
        optimizer.adapt_search_space(tiny())
        fresh = self.make(seed=1)
        assert same(snapshot(optimizer), snapshot(fresh))
        for each in (optimizer, fresh):
            torch.manual_seed(2)
            self.run(each, 2)
        assert same(snapshot(optimizer), snapshot(fresh))

    def test_the_loss_falls_where_there_is_something_to_learn(self) -> None:
        space = NasBench201SearchSpace(classes=CLASSES, channels=4, cells=1)
        optimizer = self.make(space=space, learning_rate=0.05, epochs=20)
        losses = [step.train_loss.item() for step in self.run(optimizer, 60)]
        assert sum(losses[-20:]) < 0.9 * sum(losses[:20])

    def test_settings_out_of_range_are_errors(self) -> None:
        with pytest.raises(ValueError, match="epochs must be an integer >= 1"):
            replace(self.method.config_class(), epochs=0)
        with pytest.raises(ValueError, match="learning_rate must be > 0"):
            replace(self.method.config_class(), learning_rate=0.0)


class SpaceContract:
    """Tests of a space; a subclass defines `build`.

    Images have 8×8 pixels and `CLASSES` classes. Build the smallest space that has copies of a cell.
    """

    @abstractmethod
    def build(self) -> Graph:
        """Return the space, not parsed, with lists of candidates at its edges."""

    def make(self, name: str = "darts", seed: int = 0, space: Graph | None = None) -> Method:
        """Return a method with a supernet of `space`, by default the one that `build` returns."""
        torch.manual_seed(seed)
        optimizer = get_method(name)()
        optimizer.adapt_search_space(self.build() if space is None else space)
        return optimizer

    def test_the_same_seed_builds_the_same_space(self) -> None:
        first, second = self.make(seed=3), self.make(seed=3)
        assert structure(first.graph) == structure(second.graph)
        assert same(snapshot(first), snapshot(second))
        assert not same(snapshot(first), snapshot(self.make(seed=4)))

    def test_the_compiled_plan_agrees_with_the_reference(self) -> None:
        graph = self.make().graph.double()
        images, _ = batches(1, dtype=torch.float64)[0]
        assert graph(images).shape == (len(images), CLASSES)
        torch.testing.assert_close(graph(images), graph.interpret(images))

    @pytest.mark.parametrize("method", METHODS)
    def test_a_method_searches_it(self, method: str) -> None:
        space = self.build()
        before = structure(space)
        optimizer = self.make(method, space=space)
        weights = snapshot(optimizer)
        train, val = batches(2)
        optimizer.begin_epoch(0)
        step = optimizer.step(train, val)
        assert step.logits_train.shape == (len(train[1]), CLASSES)
        assert step.train_loss.isfinite()
        assert not same(snapshot(optimizer), weights)
        assert structure(space) == before
        assert not space.is_parsed

    def test_copies_of_an_edge_share_their_alphas(self) -> None:
        optimizer = self.make()
        alphas: dict[int, object] = {}
        for edge in optimizer.supernet.mixed_edges():
            assert alphas.setdefault(edge.owner("alpha"), edge.alpha) is edge.alpha
        assert len(alphas) == len(optimizer.alphas)

    def test_its_architecture_is_a_network(self) -> None:
        optimizer = self.make()
        optimizer.step(*batches(2))
        graph = optimizer.get_final_architecture()
        assert graph.is_parsed
        assert _is_discrete(graph)
        images, _ = batches(1)[0]
        assert graph.eval()(images).shape == (len(images), CLASSES)
