"""The page as text: whole, self-contained, and strings in it are text."""

import base64
import hashlib
import json
import re

import pytest

from nasbench import NB201
from nasbench.explore.columns import select
from nasbench.explore.page import KIND, data, page
from nasbench.pages.document import generator
from tests import stores
from tests.blackbox.report.test_page import EVIL, Reader


@pytest.fixture(scope="module")
def columns(bench):
    return select(bench, "cifar10", ["val_accuracy", "val_accuracy@12", "params"])


def test_the_page_is_whole_and_refers_to_nothing_else(bench, columns):
    text = page(bench, columns)
    reader = Reader(text)
    assert reader.open == []
    links = [
        value
        for _, attributes in reader.elements
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    assert links == ["data:,"]
    assert "@import" not in text
    assert "url(" not in reader.texts["style"][0]
    assert generator(KIND) in text[:2000]


def test_only_the_script_of_the_page_may_run(bench, columns):
    text = page(bench, columns)
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")


def test_the_data_in_the_page_are_the_data(bench, columns):
    text = re.search(r'id="data">(.*?)</script>', page(bench, columns), re.DOTALL)[1]
    assert json.loads(text) == data(bench, columns)
    assert json.loads(text)["space"] == "tss"
    assert [entry["label"] for entry in json.loads(text)["columns"]] == [
        "val_accuracy",
        "params",
        "val_accuracy@12",
    ]


def test_it_says_what_the_numbers_are_and_where_they_came_from(bench, columns):
    texts = Reader(page(bench, columns)).texts
    assert "mean over the cell's recorded seeds (777, 888, 999)" in texts["td"]
    assert {"12", "200", "–"} <= set(texts["td"])
    assert str(bench.store.attributes["checksum"]) in texts["dd"]
    assert str(bench.store.attributes["licence"]) in texts["dd"]


def test_strings_are_text_wherever_they_come_from(tmp_path):
    store = stores.write(tmp_path / "evil.h5", stores.arrays_as_released(), source=EVIL, licence=EVIL)
    bench = NB201(store)
    reader = Reader(page(bench, select(bench, "cifar10"), title=EVIL))
    assert [tag for tag, _ in reader.elements if tag in ("script", "img")] == ["script", "script"]
    assert reader.texts["h1"] == reader.texts["title"] == [EVIL]
    assert reader.texts["dd"].count(EVIL) == 2
