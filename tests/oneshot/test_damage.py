"""Each value in the JSON files of runs replaced by others: a reader succeeds, or says what is wrong."""

import shutil
from functools import partial

import pytest

from blackbox import cli
from blackbox.re import RegularizedEvolution
from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.folder import RunFolder, read_record
from oneshot.errors import OneShotError
from oneshot.pipeline.__main__ import parse_record
from oneshot.pipeline.plan import PIPELINE, Pipeline
from oneshot.pipeline.report import collect_result, format_result
from oneshot.pipeline.settings import PipelineSettings
from oneshot.retrain.__main__ import main as retrain
from oneshot.retrain.session import RetrainSession
from oneshot.retrain.task import RetrainJob
from oneshot.score.equal_cost import read_trials
from oneshot.search import __main__ as search
from oneshot.search.session import SearchSession
from oneshot.search.task import SearchJob
from oneshot.spaces.architectures import Architecture
from tests.damage import failures

ERRORS = (OneShotError, NASBenchError, DataError)


@pytest.fixture(scope="module")
def runs(home, tmp_path_factory):
    """The folders of a small search, of its retraining, and of a pipeline of both."""
    folder = tmp_path_factory.mktemp("runs")
    whole = folder / "pipeline"
    with RunFolder.create(whole, PIPELINE, {"pipeline": PipelineSettings(searches=1, smoke=True).to_json()}):
        pass
    assert search.main(["--smoke", "--out", str(whole / "search-0")]) == 0
    for name in ("short-0", "final"):
        assert retrain([str(whole / "search-0"), "--smoke", "--out", str(whole / name)]) == 0
    return whole


@pytest.fixture
def copied(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "pipeline")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "session", "job"),
    [("search-0", SearchSession, SearchJob), ("final", RetrainSession, RetrainJob)],
)
def test_a_run_is_resumed_or_refused(copied, name, session, job):
    path = copied / name

    def resume():
        with session.resume(partial(job.resume, environment={}), path):
            pass

    assert failures(path / "config.json", resume, ERRORS) == []


def test_a_pipeline_is_read_or_refused(copied):
    def read():
        parse_record(read_record(copied, PIPELINE), copied)

    assert failures(copied / "config.json", read, ERRORS) == []


@pytest.mark.parametrize("name", ["search-0", "short-0", "final"])
def test_what_jobs_found_is_read_or_refused(copied, name, capsys):
    settings, _ = parse_record(read_record(copied, PIPELINE), copied)

    def report():
        found = Pipeline(copied, settings)
        jobs = [*found.searches(), *found.shorts(), *found.final()]
        if all(map(found.is_finished, jobs)):
            format_result(collect_result(found), 1.0)
            found.row(next(job for job in jobs if job.name == name))

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
