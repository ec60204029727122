"""Early stopping at a number of skip connections (DARTS+; Liang et al. 2019, arXiv:1909.06035)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot import ops
from oneshot.errors import ConfigError
from oneshot.parts.base import Part, PartSettings
from oneshot.spaces.darts import REDUCTION

if TYPE_CHECKING:
    from oneshot.search.settings import SearchSettings


@dataclass(frozen=True)
class SkipLimitSettings(PartSettings):
    """Settings of the limit of skip connections."""

    skip_limit: int = option(
        0,
        "stop after the first epoch whose normal cell has this many skip connections or more; 0: never; 2 in"
        " DARTS+"
        " (Liang et al. 2019)",
        at_least=0,
    )

    @property
    def is_neutral(self) -> bool:
        return self.skip_limit == 0


class SkipLimit(Part[SkipLimitSettings]):
    """Early stopping when the currently selected normal cell has too many skip connections.

    The paper's criterion 1 is "two or more". The cell of that epoch is the architecture. In the DARTS space,
    reduction cells are not counted. NAS-Bench-201 has one cell, with six edges instead of a normal cell's
    eight; its skip connections are counted.

    References
    ----------
    Liang et al. 2019, arXiv:1909.06035, section 3.3.
    """

    name = "skip limit"
    config_class = SkipLimitSettings
    can_stop = True

    def check(self, settings: "SearchSettings") -> None:
        if settings.space == "hierarchical":
            raise ConfigError("skip_limit needs a normal cell; the space hierarchical has motifs instead")

    def skips(self) -> int:
        """Return the number of skip connections in the currently selected normal cell."""
        with self.method.as_chosen() as graph:
            cells = (cell for cell in graph.graphs() if cell.scope != REDUCTION)
            return max(
                sum(
                    edge.has("choice") and isinstance(edge.op.primitives[edge.choice], ops.Identity)
                    for *_, edge in cell.edges(data=True)
                )
                for cell in cells
            )

    def end_epoch(self, epoch: int, data_train: Batch, data_val: Batch) -> str | None:
        skips, limit = self.skips(), self.config.skip_limit
        if skips < limit:
            return None
        return f"the cell has {skips} skip connections after epoch {epoch + 1}, the limit is {limit}"
