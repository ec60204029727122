"""The result of a pipeline and its report."""

from dataclasses import dataclass
from typing import Any

from nasbench.runs.text import counted, duration, format_rows, format_table, join_blocks
from oneshot.pipeline.plan import Finished, Pipeline
from oneshot.pipeline.settings import PipelineSettings


@dataclass(frozen=True)
class PipelineResult:
    """Result of a pipeline."""

    #: settings of the pipeline
    settings: PipelineSettings
    #: results of the searches
    searches: list[Finished]
    #: results of the short training runs of the architectures found
    shorts: list[Finished]
    #: number of the search with the best architecture, counted from 0
    best: int
    #: result of training the best architecture
    final: Finished

    def to_json(self) -> dict[str, Any]:  # plain values, nested
        """Return the contents of summary.json."""
        return {
            "settings": self.settings.to_json(),
            "complete": True,
            "searches": [
                {
                    "seed": self.settings.seed + number,
                    "architecture": search.summary["architecture"],
                    "path_accuracy": search.accuracy,
                    "short_accuracy": short.accuracy,
                    "benchmark": search.summary["benchmark"],
                }
                for number, (search, short) in enumerate(zip(self.searches, self.shorts, strict=True))
            ],
            "best": self.best,
            "final": self.final.summary,
            "architecture": self.final.summary["architecture"],
        }


def collect_result(pipeline: Pipeline) -> PipelineResult:
    """Return the result of a pipeline; raise a RunFolderError if a job is not finished."""
    numbers = range(pipeline.settings.searches)
    return PipelineResult(
        pipeline.settings,
        [pipeline.finished(f"search-{number}") for number in numbers],
        [pipeline.finished(f"short-{number}") for number in numbers],
        pipeline.best(),
        pipeline.finished("final"),
    )


def format_result(result: PipelineResult, seconds: float) -> str:
    """Return the result as text; `seconds` is the total duration of all jobs."""
    settings, final = result.settings, result.final
    heading = (
        f"{settings.space} searched by {settings.method} on {settings.dataset}:"
        f" {counted(settings.searches, 'seed')} from {settings.seed} on; {duration(seconds)} in all"
    )
    header = ["", "seed", "path in the supernet [%]", "after a short training [%]"]
    header += ["benchmark index"] if result.searches[0].summary["benchmark"] else []
    table: list[list[object]] = []
    for k, (search, short) in enumerate(zip(result.searches, result.shorts, strict=True)):
        star, benchmark = " *" if k == result.best else "", search.summary["benchmark"]
        accuracies = f"{search.accuracy:.2f}", f"{short.accuracy:.2f}"
        index = [benchmark["index"]] if benchmark else []
        table.append([f"search-{k}{star}", settings.seed + k, *accuracies, *index])
    images, accuracy = final.summary["images"], final.accuracy
    right = f"{accuracy:.2f} % of {images['test']:,} test images classified correctly"
    rows = [
        ("best", final.architecture),
        ("trained", f"{counted(final.summary['epochs'], 'epoch')} on {images['train']:,} images"),
        ("test", f"{right}, an error of {100 - accuracy:.2f} %"),
        ("parameters", f"{final.summary['cost']['params_without_auxiliary']:,}"),
    ]
    return join_blocks(heading, format_table(header, table), format_rows(rows))
