"""Each value in the JSON files of runs replaced by others: a reader succeeds, or says what is wrong."""

import shutil

import pytest

from blackbox import cli
from blackbox.re import RegularizedEvolution
from data.errors import DataError
from nasbench.errors import NASBenchError
from oneshot.errors import OneShotError
from oneshot.pipeline import __main__ as pipeline
from oneshot.pipeline.__main__ import PIPELINE, Pipeline, PipelineSettings
from oneshot.retrain.__main__ import main as retrain
from oneshot.retrain.session import resume_retraining
from oneshot.score.equal_cost import read_trials
from oneshot.search import __main__ as search
from oneshot.search.session import resume_search
from oneshot.spaces.architectures import Architecture
from oneshot.training.folder import RunFolder
from tests.damage import failures

ERRORS = (OneShotError, NASBenchError, DataError)


@pytest.fixture(scope="module")
def runs(home, tmp_path_factory):
    """The folders of a small search, of its retraining, and of a pipeline of both."""
    folder = tmp_path_factory.mktemp("runs")
    whole = folder / "pipeline"
    with RunFolder.create(whole, {"pipeline": vars(PipelineSettings(searches=1, smoke=True))}, PIPELINE):
        pass
    assert search.main(["--smoke", "--out", str(whole / "search-0")]) == 0
    for name in ("short-0", "final"):
        assert retrain([str(whole / "search-0"), "--smoke", "--out", str(whole / name)]) == 0
    return whole


@pytest.fixture
def copied(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "pipeline")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "session"), [("search-0", resume_search), ("final", resume_retraining)])
def test_a_run_is_resumed_or_refused(copied, name, session):
    path = copied / name

    def resume():
        with session(path):
            pass

    assert failures(path / "config.json", resume, ERRORS) == []


def test_a_pipeline_is_read_or_refused(copied):
    assert failures(copied / "config.json", lambda: pipeline._recorded(copied), ERRORS) == []


@pytest.mark.parametrize("name", ["search-0", "short-0", "final"])
def test_what_jobs_found_is_read_or_refused(copied, name, capsys):
    settings, _ = pipeline._recorded(copied)

    def report():
        found = Pipeline(copied, settings)
        if all(found.summary_of(job) for job in ("search-0", "short-0", "final")):
            pipeline.print_summary(pipeline.summarize(found), 1.0)
            pipeline.row_of(name, found.summary_of(name), copied / name)

    assert failures(copied / name / "summary.json", report, ERRORS) == []


def test_what_a_search_found_is_read_or_refused(copied):
    path = copied / "search-0"

    def read():
        Architecture.parse(path)
        Architecture.parse(str(path), stage=None).diagrams()

    for name in ("summary.json", "config.json"):
        assert failures(path / name, read, ERRORS) == []


def test_a_black_box_search_is_compared_with_or_refused(tmp_path, bench):
    path = tmp_path / "re"
    assert cli.main(RegularizedEvolution, ["--evals", "12", "--out", str(path)]) == 0
    assert failures(path / "config.json", lambda: read_trials(path, bench, "cifar10", 1e4), ERRORS) == []
