import pytest

from blackbox.errors import ConfigError
from blackbox.table.signal import Signal
from nasbench.errors import UnknownMetricError


def test_a_signal_is_a_metric_after_a_protocol():
    assert Signal.parse("val_loss@12") == Signal.parse("val_loss@012", longest=200) == ("val_loss", 12)
    assert Signal.parse("val_loss", longest=90) == ("val_loss", 90)
    assert Signal.parse("val_loss") == ("val_loss", None)
    assert Signal.parse("params", longest=90) == ("params", None)
    for text in ("val_loss@12", "val_loss", "params"):
        assert str(Signal.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "@", "@12", "val_accuracy@", "val_accuracy@-1", "val_accuracy@1.5", "val_accuracy@12@3"]
    + ["val_accuracy@ 12", "val_accuracy@x", "val_accuracy@" + "9" * 5000, 12, None, ["val_accuracy"]],
)
def test_a_text_that_is_no_signal_is_an_error(text):
    with pytest.raises(
        ConfigError, match=r"a metric must be METRIC or METRIC@EPOCHS, .*; try val_accuracy@12"
    ):
        Signal.parse(text)


def test_signals_of_unknown_metrics_and_of_the_network_after_epochs_are_errors():
    with pytest.raises(UnknownMetricError, match="unknown metric 'accuracy'; try val_accuracy"):
        Signal.parse("accuracy@12")
    with pytest.raises(ConfigError, match="flops belongs to the network: it has no epochs, got 'flops@12'"):
        Signal.parse("flops@12")
