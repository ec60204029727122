"""The page as text: what it says without a script, and what strings in it cannot do."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from blackbox.kinds.reader import read_run
from blackbox.report.data import ShownPair
from blackbox.report.gather import gather
from blackbox.report.page import KIND, page
from blackbox.results.comparison import AdjustedPair, Way
from blackbox.results.statistics import Pair
from nasbench.pages.document import generator

EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\"'&amp;"


class Reader(HTMLParser):
    """The elements, their attributes, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.open = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else None, []).append(data)


@pytest.fixture(scope="module")
def data(runs, bench):
    return gather(
        [([read_run(runs / "re"), read_run(runs / "rs")], bench), ([read_run(runs / "other")], bench)]
    )


def test_the_page_is_whole_and_refers_to_nothing_else(data):
    reader = Reader(page(data))
    assert reader.open == []
    assert [tag for tag, _ in reader.elements if tag in ("h1", "main", "noscript", "style")] == [
        "style",
        "h1",
        "noscript",
        "main",
    ]
    links = [
        value
        for _, attributes in reader.elements
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    ids = {attributes["id"] for _, attributes in reader.elements if "id" in attributes}
    assert len(links) > 10
    assert all(link == "data:," or link[1:] in ids for link in links)
    assert "@import" not in page(data)
    assert "url(" not in reader.texts["style"][0]


def test_the_data_in_the_page_are_the_data(data):
    scripts = re.findall(r"<script ([^>]*)>(.*?)</script>", page(data), re.DOTALL)
    assert [attributes for attributes, _ in scripts] == ['type="application/json" id="data"', 'type="module"']
    assert json.loads(scripts[0][1]) == json.loads(json.dumps(data.to_json()))


def test_only_the_script_of_the_page_may_run(data):
    text = page(data)
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")


def test_strings_are_text_wherever_they_come_from(data):
    def spoiled(run):
        return replace(run, settings={name + EVIL: EVIL for name in run.settings} | {"complete": "no"})

    evil = replace(
        data,
        series=[replace(series, label=series.label + EVIL) for series in data.series],
        comparisons=[
            replace(
                comparison,
                name=comparison.name + EVIL,
                facts=[(EVIL, EVIL) for _ in comparison.facts],
                runs=list(map(spoiled, comparison.runs)),
            )
            for comparison in data.comparisons
        ],
    )
    text = page(evil, title=EVIL)
    reader, plain = Reader(text), Reader(page(data))
    assert [tag for tag, _ in reader.elements if tag in ("script", "img")] == ["script", "script"]
    assert reader.texts["h1"] == [EVIL]
    assert reader.texts["title"] == [EVIL]
    assert reader.texts["dd"][0] == EVIL
    assert json.loads(reader.texts["script"][0])["series"][0]["label"].endswith(EVIL)
    assert reader.texts["script"][1] == plain.texts["script"][1]


def test_the_final_table_is_there_without_a_script(data):
    table = re.search(r'<table class="sortable">(.*?)</table>', page(data), re.DOTALL)[1]
    heads = Reader(table).texts["th"]
    assert heads[:3] == ["search", "trials", "evaluations"]
    ways = [f"evaluations to {threshold}\u00a0%" for threshold in ("1", "0.5", "0.1")]
    assert [head for head in heads if " to " in head] == ways
    for run in data.comparisons[0].runs:
        regret = run.summary.regret
        assert f"{regret.mean:.4f} ± {regret.std:.4f}" in table
        assert f'data-value="{regret.mean!r}"' in table
        assert f"{100 * run.summary.optimum:.1f} %" in table


def with_pairs(data, *tested):
    """The data with other pairs in the first comparison."""
    first, *others = data.comparisons
    pairs = replace(first.pairs, tested=list(tested))
    return replace(data, comparisons=[replace(first, pairs=pairs), *others])


def test_pairs_are_there_without_a_script(data):
    first, second = (data.series[n].label for n in (0, 1))
    pair = Pair(better=1200, worse=30, equal=4, p=1e-310, rank_biserial=0.954, a12=0.87)
    told = with_pairs(data, ShownPair([1, 0], AdjustedPair(pair, p_holm=1e-310)))
    table = re.search(r'<table class="sortable pairs">(.*?)</table>', page(told), re.DOTALL)[1]
    reader = Reader(table)
    assert reader.texts["td"] == ["< 1e-300", "1,200–30–4", "0.95", "0.87"]
    assert (reader.texts["b"], reader.texts["small"]) == ([second], ["better than"])
    assert f'</span>{first}</span></th><td data-value="1e-310">' in table
    assert '<tr data-series="1 0">' in table
    assert "for one pair; significant at p ≤ 0.05" in page(told)
    assert page(told).count('class="sortable pairs"') == 1  # the other comparison has one run
    assert page(told).count("<details>") == 2  # of settings


def test_many_pairs_are_folded_up(data):
    pair = Pair(better=6, worse=0, equal=0, p=0.03, rank_biserial=1.0, a12=1.0)
    told = with_pairs(data, *(ShownPair([0, 1], AdjustedPair(pair, p)) for p in (*[0.05] * 3, *[0.051] * 13)))
    inside = re.search(
        r"<summary>3 of 16 pairs differ significantly</summary>(.*?)</details>", page(told), re.DOTALL
    )
    assert inside[1].count("better than") == 3
    assert inside[1].count("no significant difference to") == 13
    assert Reader(page(told)).open == []


def test_a_run_without_any_incumbent_has_dashes(data):
    first, *others = data.comparisons
    run, *more = first.runs
    reached = run.summary.reached | {"evaluations": [Way(None, None, 0.0)] * 3}
    summary = replace(run.summary, regret=None, optimum=0.0, values={}, seconds=None, reached=reached)
    runs = [replace(run, summary=summary), *more]
    empty = replace(data, comparisons=[replace(first, runs=runs), *others])
    row = re.search(r'<table class="sortable">.*?<tbody>\n(<tr.*?</tr>)', page(empty), re.DOTALL)[1]
    assert [text.strip() for text in Reader(row).texts["td"]].count("–") == 8


def test_a_report_says_that_it_is_one(data):
    assert generator(KIND) in page(data)[:2000]
