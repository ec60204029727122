import copy
import pickle

import pytest

from oneshot import ops
from oneshot.errors import GraphError, OneShotError
from oneshot.graph.edge import EdgeData


def edge_with(private=(), shared=()):
    edge = EdgeData()
    for key, value in dict(private).items():
        edge.set(key, value)
    for key, value in dict(shared).items():
        edge.set(key, value, shared=True)
    return edge


def test_values_are_written_with_set_and_read_as_attributes_and_as_items():
    edge = edge_with({"channels": 16}, {"alpha": [0.5]})
    assert edge.channels == edge["channels"] == 16
    assert edge.alpha == edge["alpha"] == [0.5]
    assert edge.has("channels")
    assert edge.has("alpha")
    assert not edge.has("tau")
    assert dict(edge) == {"channels": 16, "alpha": [0.5]}
    assert len(edge) == 2
    edge["channels"] = 32
    assert edge.channels == 32


def test_an_edge_without_an_operation_passes_its_tensor_on():
    edge = EdgeData()
    assert isinstance(edge.op, ops.Identity)
    assert not edge.has("op")
    assert "op" not in edge
    assert dict(edge) == {}


def test_as_a_mapping_an_edge_has_only_what_was_set():
    edge = EdgeData()
    assert edge.get("op") is None
    assert edge.pop("op", None) is None
    with pytest.raises(KeyError):
        edge["op"]
    zero = ops.Zero()
    assert edge.setdefault("op", zero) is zero
    assert edge.op is zero
    assert edge.pop("op") is zero
    assert not edge.has("op")


def test_an_attribute_that_is_not_there_is_an_error_that_says_what_is():
    edge = edge_with({"channels": 16}, {"alpha": 1})
    with pytest.raises(AttributeError, match="no 'tau'; it has channels, alpha"):
        edge.tau  # noqa: B018
    with pytest.raises(AttributeError, match="it has nothing"):
        EdgeData().tau  # noqa: B018
    assert not hasattr(edge, "_hidden")


def test_a_value_may_be_set_again_where_it_is():
    edge = edge_with({"channels": 16}, {"alpha": 1})
    edge.set("channels", 8)
    edge.set("alpha", 2, shared=True)
    assert (edge.channels, edge.alpha) == (8, 2)
    assert edge.shared_store == {"alpha": 2}


def test_a_value_is_the_edges_own_or_shared_not_both():
    edge = edge_with({"channels": 16}, {"alpha": 1})
    with pytest.raises(
        GraphError, match="'channels' is already private to the edge and cannot also be shared"
    ):
        edge.set("channels", 8, shared=True)
    with pytest.raises(GraphError, match="'alpha' is already shared and cannot also be private to the edge"):
        edge.set("alpha", 2)
    with pytest.raises(GraphError, match="'alpha' is already shared"):
        edge["alpha"] = 2
    assert dict(edge) == {"channels": 16, "alpha": 1}
    del edge["alpha"]
    edge.set("alpha", 2)  # as the message says
    assert edge.shared_store == {}


def test_values_can_be_deleted():
    edge = edge_with({"channels": 16}, {"alpha": 1})
    del edge["channels"]
    del edge["alpha"]
    assert dict(edge) == {}
    with pytest.raises(KeyError):
        del edge["channels"]


@pytest.mark.parametrize(
    "key",
    ["has", "set", "items", "get", "owner", "finalize", "is_final", "delete", "shared_store", "_private"]
    + ["two words", "", "1st", 3, None],
)
def test_names_that_are_taken_or_no_identifiers(key):
    with pytest.raises(GraphError, match="an identifier that is not taken"):
        EdgeData().set(key, 1)
    with pytest.raises(GraphError, match="an identifier that is not taken"):
        EdgeData().set(key, 1, shared=True)


@pytest.mark.parametrize("key", ["op", "alpha", "_final"])
def test_attributes_are_not_assigned(key):
    with pytest.raises(GraphError, match=rf"edge.set\('{key}', value"):
        setattr(EdgeData(), key, 1)
    with pytest.raises(OneShotError):  # one base for all errors
        setattr(EdgeData(), key, 1)
    with pytest.raises(ValueError, match="edge.set"):  # and a builtin
        setattr(EdgeData(), key, 1)


def test_final_and_deleted_are_states_of_an_edge_not_values():
    edge = EdgeData()
    assert not edge.is_final
    assert not edge.is_deleted
    assert edge.finalize() is edge
    assert edge.delete() is edge
    assert edge.is_final
    assert edge.is_deleted
    assert dict(edge) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda edge: edge.set("channels", 8),
        lambda edge: edge.set("width", 8),
        lambda edge: edge.set("op", ops.Zero()),
        lambda edge: edge.set("alpha", 2, shared=True),
        lambda edge: edge.update(channels=8),
        lambda edge: edge.__setitem__("channels", 8),
        lambda edge: edge.__delitem__("channels"),
        lambda edge: edge.pop("alpha"),
        lambda edge: edge.clear(),
    ],
)
def test_a_final_edge_is_not_changed(change):
    edge = edge_with({"channels": 16}, {"alpha": 1}).finalize()
    with pytest.raises(GraphError, match=r"the edge is final, so '\w+' cannot change"):
        change(edge)
    assert dict(edge) == {"channels": 16, "alpha": 1}
    assert edge.pop("tau", None) is None  # which changes nothing


def test_an_edge_can_be_changed_unless_it_is_final_or_deleted():
    assert EdgeData().is_changeable
    assert not EdgeData().finalize().is_changeable
    assert not EdgeData().delete().is_changeable


def test_edges_are_equal_by_identity():
    one, other = EdgeData(), EdgeData()
    assert one != other
    assert len({one, other, one}) == 2


def test_owner_is_equal_just_for_a_value_in_common():
    edge = edge_with({"channels": 16}, {"alpha": 1})
    twin = copy.deepcopy(edge, {id(edge.shared_store): edge.shared_store})
    assert edge.owner("alpha") == twin.owner("alpha")
    assert edge.owner("channels") != twin.owner("channels")
    assert edge.owner("alpha") != edge.owner("channels")


def copies(edge):
    yield copy.deepcopy(edge)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.loads(pickle.dumps(edge, protocol))


def test_deepcopy_and_pickle_keep_values_and_states():
    for state in ("finalize", "delete"):
        edge = edge_with({"channels": [16]}, {"alpha": [1]})
        getattr(edge, state)()
        for other in copies(edge):
            assert dict(other) == dict(edge)
            assert other.shared_store == {"alpha": [1]}
            assert other.alpha is not edge.alpha
            assert other.channels is not edge.channels
            assert (other.is_final, other.is_deleted) == (edge.is_final, edge.is_deleted)


def test_deepcopy_and_pickle_share_nothing_with_the_first():
    edge = edge_with(shared={"alpha": [1]})
    for other in copies(edge):
        other.set("beta", 2, shared=True)
        assert not edge.has("beta")


def test_deepcopy_and_pickle_of_two_edges_keep_what_they_share():
    edge = edge_with(shared={"alpha": [1]})
    twin = copy.deepcopy(edge, {id(edge.shared_store): edge.shared_store})
    for one, other in copies([edge, twin]):
        assert one is not other
        assert one.alpha is other.alpha
        one.set("beta", 2, shared=True)
        assert other.beta == 2
    assert not edge.has("beta")


def test_repr_shows_values_and_states():
    edge = edge_with({"channels": 16}, {"alpha": 1})
    assert repr(edge) == "EdgeData({'channels': 16}, shared={'alpha': 1})"
    assert repr(edge.finalize().delete()).endswith(", final, deleted)")
