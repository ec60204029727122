"""The signal that a search optimizes: a metric after a protocol."""

from typing import NamedTuple

from blackbox.errors import ConfigError
from nasbench.constraints import split_metric
from nasbench.errors import InvalidArgumentError
from nasbench.metrics import get_metric


class Signal(NamedTuple):
    """The value of a cell that a search optimizes: a metric after the last epoch of a protocol.

    >>> Signal.parse("val_accuracy@12")
    Signal(metric='val_accuracy', protocol=12)
    >>> str(Signal.parse("val_accuracy", longest=200)), str(Signal.parse("flops", longest=200))
    ('val_accuracy@200', 'flops')
    """

    metric: str  #: name of the metric
    protocol: int | None  #: epochs; None for the longest protocol, and for metrics of the network

    @classmethod
    def parse(cls, text: object, longest: int | None = None) -> "Signal":
        """Return the signal for a text METRIC@EPOCHS, or METRIC for the metric after the `longest` protocol.

        Raise ConfigError if the text is malformed, UnknownMetricError if there is no such metric.
        """
        try:
            metric, epochs = split_metric(text)
        except InvalidArgumentError as error:
            raise ConfigError(str(error)) from None
        return cls(metric, longest if epochs is None and not get_metric(metric).of_the_network else epochs)

    def __str__(self) -> str:
        return self.metric if self.protocol is None else f"{self.metric}@{self.protocol}"

    @property
    def unit(self) -> str:
        """The unit of the metric."""
        return get_metric(self.metric).unit

    @property
    def higher_is_better(self) -> bool:
        """Whether higher values of the metric are better."""
        return get_metric(self.metric).higher_is_better

    @property
    def of_the_network(self) -> bool:
        """Whether the metric is a property of the network that needs no training."""
        return get_metric(self.metric).of_the_network
