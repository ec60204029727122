"""Algorithms with settings as text, there and back."""

import re

import pytest

from blackbox import cli
from blackbox.asha import ASHA
from blackbox.compare.spec import Spec, format_label
from blackbox.errors import UnknownAlgorithmError
from blackbox.kinds.evaluations import EVALUATIONS
from blackbox.kinds.jobs import JOBS
from blackbox.kinds.reader import read_run
from blackbox.re import EvolutionConfig, RegularizedEvolution
from blackbox.table.settings import RunConfig, SimulationConfig
from tests.blackbox.compare.searches import Odd

ODD = "tests.blackbox.compare.searches:Odd"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("re", "re"),
        ("re:", "re"),
        ("re:population=100,sample=10", "re"),
        ("re:sample=3,population=10", "re:population=10,sample=3"),
        ("rs", "rs"),
        ("ls:first", "ls:first"),
        ("ls:first=true", "ls:first"),
        ("ls:first=false", "ls"),
        ("reinforce:learning_rate=0.5", "reinforce:learning_rate=0.5"),
        ("bohb:min_points=9", "bohb:min_points=9"),
        ("asha:workers=4,fidelities=12,200,eta=4", "asha:eta=4,workers=4,fidelities=12,200"),
        ("asha:from_scratch", "asha:from_scratch"),
        (ODD, ODD),
        (f"{ODD}:wait=0.5", f"{ODD}:wait=0.5"),
        (f"{ODD}:flag=a:b=c,fail=3", f"{ODD}:fail=3,flag=a:b=c"),
    ],
)
def test_a_text_and_its_shortest_form(text, label):
    spec = Spec.parse(text)
    assert spec.label == label
    again = Spec.parse(label)
    assert again.config == spec.config
    assert again.label == label


def test_what_a_spec_is():
    spec = Spec.parse("re:population=20,sample=3")
    assert (spec.name, spec.config, spec.kind) == ("re", EvolutionConfig(20, 3), EVALUATIONS)
    assert spec.search_class is RegularizedEvolution
    assert Spec.parse(f"{ODD}:wait=0.5").search_class is Odd
    common = RunConfig(trials=7, budget=9.0, noise="seed", seed=3)
    assert spec.settings(common) == common
    jobs = Spec.parse("asha:eta=2,workers=4,fidelities=12,200")
    assert jobs.kind is JOBS
    assert jobs.settings(common) == SimulationConfig(
        trials=7, budget=9.0, noise="seed", seed=3, workers=4, fidelities=(12, 200)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "unknown algorithm 'foo'; choose from rs, re, ls"),
        ("foo:population=3", "unknown algorithm 'foo'; choose from rs, re, ls"),
        ("", "unknown algorithm ''"),
        ("no_such_module:Search", "algorithm 'no_such_module:Search' cannot be imported"),
        ("tests.blackbox.compare.searches:None", "searches has no search class None"),
        ("re:pop=3", "re has no setting 'pop'; its settings are: population, sample"),
        ("re:3", "re has no setting '3'"),
        ("re:,", "re has no setting ''"),
        ("rs:x=1", "rs has no setting 'x'; its settings are: none"),
        ("re:population", "population needs a value, population=..., in re:population"),
        ("re:population=3,population=4", "has population twice"),
        ("re:population=x", "population of re must be an integer, got 'x'"),
        ("re:population=3,4", "population of re must be an integer, got '3,4'"),
        ("re:population=0", "re:population=0: population must be an integer in [1, 100,000], got 0"),
        ("re:population=5", r"re:population=5: sample, .* in [1, 5], got 10"),
        ("reinforce:decay=high", "decay of reinforce must be a number, got 'high'"),
        ("ls:first=maybe", "first of ls must be true or false, got 'maybe'"),
        ("asha:fidelities=a", "fidelities of asha: fidelities must be numbers of epochs, such as 12,200"),
        ("asha:workers=0", "asha:workers=0: workers must be an integer in [1, 100,000], got 0"),
        ("asha:trials=3", "asha has no setting 'trials'; its settings are: workers, fidelities"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text, message):
    pattern = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises((ValueError, UnknownAlgorithmError), match=pattern):
        Spec.parse(text)


@pytest.mark.parametrize("limits", [{"evals": 5}, {"evals": 5, "budget": 9.0}, {}])
def test_multi_fidelity_searches_are_compared_by_budget_alone(limits):
    with pytest.raises(ValueError, match="compare it with --budget, without --evals"):
        Spec.parse("asha").settings(RunConfig(**limits))


def test_the_labels_of_runs_are_those_of_their_specs(home, curves, tmp_path):
    for name, search, options in (
        ("re", RegularizedEvolution, ["--evals", 5, "--population", 30]),
        ("odd", Odd, ["--evals", 5]),
        ("asha", ASHA, ["--jobs", 5, "--workers", 2, "--fidelities", "1,200", "--store", curves]),
    ):
        assert cli.main(search, [*map(str, options), "--out", str(tmp_path / name)]) == 0
    assert format_label(read_run(tmp_path / "re")) == "re:population=30"
    assert format_label(read_run(tmp_path / "asha")) == "asha:workers=2,fidelities=1,200"
    assert format_label(read_run(tmp_path / "odd")) == "odd search, wait 0.0, fail -1, flag "
    config = tmp_path / "re" / "config.json"
    config.write_text(config.read_text().replace('"population"', '"people"'))  # of another version
    assert format_label(read_run(tmp_path / "re")) == "regularized evolution, people 30"
