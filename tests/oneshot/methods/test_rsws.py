from itertools import product

import pytest
import torch
from scipy.stats import chisquare
from torch.nn.functional import cross_entropy

from nasbench import Cell
from nasbench.cell import OPERATIONS
from oneshot.errors import ConfigError, GraphError
from oneshot.graph.edge import EdgeData
from oneshot.methods.rsws import RSWS, PathMixedOp, RSWSConfig
from oneshot.ops import Identity, Zero
from oneshot.spaces.nb201 import fixed_path, read_cell
from oneshot.testing import (
    STAGES,
    MethodContract,
    batches,
    other,
    same,
    snapshot,
    structure,
    tiny,
)


class Spying(RSWS):
    """Keeps the cell that each training step trains."""

    trains = True

    def update(self, *args):
        self.trained.append(read_cell(self.graph))
        return super().update(*args) if self.trains else (None, None)


class TestRSWS(MethodContract):
    method = RSWS
    options = {"paths": 6, "batches": 2, "finalists": 2}  # noqa: RUF012
    has_alphas = False
    looks_at_validation = False

    def reference_stepper(self, optimizer):
        """Paths are drawn, and champions challenged, as the method does; the update is the reference's."""

        def update(updated, parameters, data):
            self.reference_step(optimizer, data, None)
            return torch.zeros(8, 4), torch.zeros(())

        optimizer.update = update
        return optimizer.step

    def spied(self, steps, trains=True, **options):
        torch.manual_seed(0)
        optimizer = Spying(RSWSConfig(**self.options | options))
        optimizer.trained, optimizer.trains = [], trains
        optimizer.adapt_search_space(tiny())
        for _ in range(steps):
            optimizer.step(*batches(2))
        return optimizer

    def test_a_step_has_gradients_of_one_path_alone(self, monkeypatch):
        optimizer = self.spied(0)
        names = [name for name, _ in optimizer.graph.named_parameters()]
        seen = []
        descend = optimizer.descend
        monkeypatch.setattr(optimizer, "descend", lambda *args: seen.append(args[2]) or descend(*args))
        for _ in range(4):
            optimizer.step(*batches(2))
            ops = optimizer.trained[-1].ops
            given = [
                name for name, g in zip(names, seen[-1], strict=True) if g.any() and "primitives" in name
            ]
            digits = {name.split("primitives.")[1][0] for name in given}
            assert digits <= {str(OPERATIONS.index(op)) for op in ops}
            assert all(edge.choice == edge.best for edge in optimizer.graph.all_edges(STAGES))

    def test_paths_are_drawn_uniformly_edge_by_edge(self):
        cells = self.spied(400, trains=False).trained
        for edge in range(6):
            counts = torch.bincount(torch.tensor([cell.digits[edge] for cell in cells]), minlength=5)
            assert chisquare(counts).pvalue > 0.01
        assert len(set(cells)) > 380

    def test_training_paths_may_have_none_where_the_end_may_not(self):
        cells = self.spied(30, trains=False, exclude_none=True).trained
        assert any("none" in cell.ops for cell in cells)

    def test_a_challenger_takes_over_by_being_right_more_often(self):
        optimizer = self.make(batches=2)
        val = batches(3)
        for epoch in range(4):
            champion = read_cell(optimizer.graph)
            optimizer.new_epoch(epoch)
            champion_path, challenger_path = optimizer.state_dict()["rivals"]
            challenger = self.cell(challenger_path)
            assert self.cell(champion_path) == champion
            right = {champion: 0.0, challenger: 0.0}
            for number, data in enumerate(val):
                optimizer.step(val[0], data)
                if number < 2:  # by the first two batches, at the weights of the time
                    for cell in right:
                        with fixed_path(optimizer.graph, cell):
                            right[cell] += optimizer.evaluate([data]).accuracy
                expected = challenger if right[challenger] > right[champion] else champion
                assert read_cell(optimizer.get_final_architecture()) == expected
                assert read_cell(optimizer.graph) == expected

    def test_an_epoch_that_has_begun_does_not_begin_again(self):
        optimizer = self.make()
        optimizer.new_epoch(0)
        optimizer.step(*batches(2))
        before = optimizer.state_dict()
        state = torch.get_rng_state()
        optimizer.new_epoch(0)
        assert str(optimizer.state_dict()) == str(before)
        assert torch.equal(torch.get_rng_state(), state)
        optimizer.new_epoch(1)
        assert optimizer.state_dict()["rivals"] != before["rivals"]

    def cell(self, path):
        digits = dict(zip(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)), path, strict=True))
        return Cell.from_ops(
            OPERATIONS[digits[edge]] for edge in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
        )

    def test_the_end_is_the_best_of_all_paths_where_all_are_drawn(self):
        space = other()
        space.update_edges(lambda edge: edge.set("op", edge.op[1:3]), "twice")
        space.update_edges(lambda edge: edge.set("op", edge.op[1:]), "other")
        optimizer = self.make(space=space, paths=300, batches=3, finalists=16, learning_rate=0.1)
        self.run(optimizer, 30)
        val = batches(5, seed=4)
        weights = snapshot(optimizer)
        optimizer.conclude(val)
        found = optimizer.state_dict()["best"]
        assert same(snapshot(optimizer), weights)
        results = {path: optimizer.evaluate_path(path, val) for path in product(range(2), repeat=4)}
        order = {path: (-result.accuracy, result.loss) for path, result in results.items()}
        assert order[tuple(found)] == min(order.values())
        assert len(set(order.values())) > 8

    def test_finalists_are_chosen_by_the_first_batches(self):
        optimizer = self.make(paths=40, batches=1, finalists=1)
        self.run(optimizer, 9)
        val = batches(4, seed=4)
        torch.manual_seed(6)
        optimizer.conclude(val)
        torch.manual_seed(6)
        assert optimizer.state_dict()["best"] == optimizer.state_dict()["rivals"][0]
        best = read_cell(optimizer.get_final_architecture())
        optimizer.conclude(val[:1])  # the same draws; the further batches had decided nothing
        assert read_cell(optimizer.get_final_architecture()) == best

    def test_a_concluded_search_is_saved_and_reopened(self):
        optimizer = self.make()
        self.run(optimizer, 3)
        optimizer.conclude(batches(3))
        resumed = self.make(seed=5)
        resumed.load_state_dict(optimizer.state_dict())
        assert read_cell(resumed.get_final_architecture()) == read_cell(optimizer.get_final_architecture())
        assert structure(resumed.graph) == structure(optimizer.graph)

    def test_without_validation_batches_there_is_no_end(self):
        with pytest.raises(ConfigError, match="at least one validation batch, got none"):
            self.make().conclude([])

    def test_counts_are_whole_numbers_of_at_least_one(self):
        for name in ("paths", "batches", "finalists"):
            for value in (0, -1, 1.5, "2"):
                with pytest.raises(ValueError, match=f"{name} must be an integer >= 1"):
                    RSWSConfig(**{name: value})


def test_a_path_without_a_choice_is_an_error():
    with pytest.raises(GraphError, match="edges of random paths have no weights"):
        PathMixedOp([Zero(), Identity()]).weights(EdgeData())


def test_an_edge_whose_candidates_are_all_none_keeps_one():
    space = tiny()
    for stage in STAGES:
        space.update_edges(lambda edge: edge.set("op", edge.op[:1] + edge.op[1:] * 1), stage)
    cell = space.edges[2, 3].op
    cell.edges[1, 2].set("op", [Zero(), Zero()])
    optimizer = RSWS(RSWSConfig(exclude_none=True, paths=2))
    for graph in space.graphs():
        if graph.scope in STAGES:
            graph.edges[1, 2].set("op", [Zero(), Zero()])
    optimizer.adapt_search_space(space)
    step = optimizer.step(*batches(2))
    torch.testing.assert_close(step.train_loss, cross_entropy(step.logits_train, batches(2)[0][1]))
    assert read_cell(optimizer.get_final_architecture()).ops[0] == "none"
