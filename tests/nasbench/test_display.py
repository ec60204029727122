"""Tables, entries and benchmarks as HTML."""

from nasbench import NB201, SSS
from nasbench.display import block, entry_table, labelled, note, paragraphs, table
from nasbench.entry import CellEntry
from tests.notebook import SVG, html_of, rows_of, texts_of


class Shown:
    def __init__(self, *parts):
        self._repr_html_ = lambda: block(*parts)


def test_texts_are_escaped_and_numbers_are_short():
    tree = html_of(Shown(table(("<b>", "n"), [("a & <b>", 1 / 3), ("c", -0.5)], "1 < 2")))
    assert rows_of(tree) == [["<b>", "n"], ["a & <b>", "0.3333333"], ["c", "-0.5"]]
    assert [cell.get("style") for cell in tree.iter("td")] == ["text-align:left", None] * 2
    assert tree.find("p/b").text == "1 < 2"
    tree = html_of(Shown(paragraphs("<x>\ny & z\n"), labelled([("<l>", "<t>"), ("n", 5)]), note("<n>")))
    assert texts_of(tree) == ["<x>", "y & z", "<l>", "<t>", "n", "5", "<n>"]


def test_nothing_is_left_out_as_a_whole():
    assert table(("a",), []) == labelled([]) == note("") == ""
    assert entry_table({}) == ""


def test_a_cell_with_its_entry(bench):
    shown = bench.show(6111)
    assert shown == CellEntry(bench.cell(6111), bench.entry(6111))
    tree = html_of(shown)
    assert len(shown._repr_html_()) < 6_000
    assert tree.find(f".//{SVG}svg/{SVG}title").text == str(shown.cell)
    rows = {row[0]: row[1:] for row in rows_of(tree)}
    assert rows["val_accuracy [%]"] == [
        f"{bench.query(6111, dataset, 'val_accuracy'):.7g}"
        for dataset in ("cifar10", "cifar100", "imagenet16-120")
    ]
    assert rows["test_accuracy_25k [%]"][1:] == ["-", "-"]
    assert "raspi4_latency [ms]" not in rows
    assert any(
        text.endswith("hardware metrics not shown; use show(cell, all=True) to show them")
        for text in texts_of(tree)
    )
    assert "raspi4_latency [ms]" in {row[0] for row in rows_of(html_of(bench.show(6111, all=True)))}


def test_a_cell_with_its_entry_as_text(bench):
    text = str(bench.show(0, protocol=12))
    assert text.startswith(f"{bench.cell(0)}\nindex 0\n\nRecorded for this cell (mean over seeds)\n")
    assert f"{bench.query(0, 'cifar10', 'val_accuracy', protocol=12):.7g}" in text


def test_a_size_with_its_entry(sizes):
    shown = SSS(sizes).show("8:8:8:16:32")
    tree = html_of(shown)
    assert "layer 5" in texts_of(tree)
    assert shown.cell.index == 11


def test_a_benchmark_says_what_it_has(bench, tmp_path):
    tree = html_of(bench)
    assert texts_of(tree)[:2] == ["NAS-Bench-201: 15,625 cells", str(bench.store.path)]
    rows = rows_of(tree)
    assert rows[0] == ["data set", "protocol [epochs]", "seeds", "metrics"]
    assert ["cifar10", "200", "777, 888, 999", "val_accuracy, train_time"] in rows
    assert ["cifar100", "-", "-", "latency, params, flops, and 10 hardware metrics"] in rows
    folder = tmp_path / "a&<b>"
    folder.mkdir()
    (folder / "store.h5").write_bytes(bench.store.path.read_bytes())
    assert texts_of(html_of(NB201(folder / "store.h5")))[1] == str(folder / "store.h5")
