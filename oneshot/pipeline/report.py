"""The result of a pipeline, and its report for people."""

from dataclasses import dataclass
from typing import Any

from nasbench.runs.text import counted, duration, format_rows, format_table, join_blocks
from oneshot.pipeline.plan import FinishedSearch, FinishedTraining, Pipeline
from oneshot.pipeline.settings import PipelineSettings


@dataclass(frozen=True)
class PipelineResult:
    """What a pipeline found."""

    settings: PipelineSettings
    #: The searches.
    searches: list[FinishedSearch]
    #: The short trainings of the architectures found.
    shorts: list[FinishedTraining]
    #: The number of the search whose architecture is best.
    best: int
    #: The training of that architecture.
    final: FinishedTraining

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the summary in summary.json."""
        return {
            "settings": self.settings.to_json(),
            "complete": True,
            "searches": [
                {
                    "seed": self.settings.seed + number,
                    "architecture": search.architecture,
                    "path_accuracy": search.accuracy,
                    "short_accuracy": short.accuracy,
                    "benchmark": search.benchmark,
                }
                for number, (search, short) in enumerate(zip(self.searches, self.shorts, strict=True))
            ],
            "best": self.best,
            "final": self.final.summary,
            "architecture": self.final.architecture,
        }


def collect_result(pipeline: Pipeline) -> PipelineResult:
    """Return the result of a pipeline whose jobs are finished; RunFolderError if one is not."""
    numbers = range(pipeline.settings.searches)
    return PipelineResult(
        pipeline.settings,
        [pipeline.search(number) for number in numbers],
        [pipeline.short(number) for number in numbers],
        pipeline.best(),
        pipeline.trained(),
    )


def format_result(result: PipelineResult, seconds: float) -> str:
    """Return the result as text for people; `seconds`: the time that all jobs took."""
    settings, final = result.settings, result.final
    heading = (
        f"{settings.space} searched by {settings.method} on {settings.dataset}:"
        f" {counted(settings.searches, 'seed')} from {settings.seed} on; {duration(seconds)} in all"
    )
    header = ["", "seed", "path in the supernet [%]", "after a short training [%]"]
    header += ["index in the benchmark"] if result.searches[0].benchmark else []
    table = [
        (
            f"search-{k}" + (" *" if k == result.best else ""),
            settings.seed + k,
            f"{search.accuracy:.2f}",
            f"{short.accuracy:.2f}",
            *([search.benchmark["index"]] if search.benchmark else []),
        )
        for k, (search, short) in enumerate(zip(result.searches, result.shorts, strict=True))
    ]
    train, test = final.images
    rows = [
        ("best", final.architecture["text"]),
        ("trained", f"{counted(final.epochs, 'epoch')} on {train:,} images"),
        (
            "test",
            f"{final.accuracy:.2f} % of {test:,} test images right, an error of {100 - final.accuracy:.2f} %",
        ),
        ("parameters", f"{final.parameters:,}"),
    ]
    return join_blocks(heading, format_table(header, table), format_rows(rows))
