"""The page in a browser, from disk: drawn, filtered, sorted, on a phone, in the dark, without a script."""

import re
import shutil

import pytest

from blackbox import cli
from blackbox.asha import ASHA
from blackbox.nsga2 import NSGA2
from blackbox.report.__main__ import main
from blackbox.rs import RandomSearch

PHONE = {"width": 360, "height": 740}


@pytest.fixture
def visit(visit, report):
    """Opens the report, or another page."""
    return lambda path=report, **options: visit(path, **options)


def column(page, number):
    rows = page.locator("#c0-results tbody tr")
    return [rows.nth(n).locator("th, td").nth(number).inner_text() for n in range(rows.count())]


def test_every_part_is_drawn(visit):
    page = visit()
    assert page.title() == "Architecture search on cifar10, cifar100"
    for number in (0, 1):
        part = page.locator(f"#c{number}")
        assert part.locator("[data-part=curves] path.line").count() == (2, 1)[number]
        assert part.locator("[data-part=spread] .median").count() == (2, 1)[number]
        assert part.locator("[data-part=cells] svg.cell").count() >= 3
        assert part.locator("[data-part=cloud] .front circle").count() > 5
        assert part.locator(f"#c{number}-results tbody tr").count() == (2, 1)[number]
        assert part.locator("table.pairs tbody tr").count() == (1, 0)[number]
    painted = page.locator("#c0 canvas").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
        ".data.filter((value, n) => n % 4 == 3 && value).length"
    )
    assert painted > 1000


def test_every_kind_of_run_is_drawn(visit, sizes, curves, tmp_path):
    runs = [tmp_path / name for name in ("pair", "sizes", "jobs", "whole")]
    few, timed = (
        ["--trials", "3", "--evals", "40"],
        ["--store", str(curves), "--trials", "3", "--budget", "2h"],
    )
    assert cli.main(NSGA2, ["--population", "10", *few, "--out", str(runs[0])]) == 0
    assert cli.main(RandomSearch, ["--store", str(sizes), *few, "--out", str(runs[1])]) == 0
    assert cli.main(ASHA, [*timed, "--out", str(runs[2])]) == 0
    assert cli.main(RandomSearch, [*timed, "--out", str(runs[3])]) == 0
    assert main([*map(str, runs), "--out", str(tmp_path / "report.html")]) == 0
    page = visit(tmp_path / "report.html")
    pair, of_sizes, compared = (page.locator(f"#c{number}") for number in range(3))
    assert pair.locator(".found-front circle").count() > 1
    assert pair.locator("#c0-fronts tbody tr").count() == 1
    assert (pair.locator("#c0-results").count(), pair.locator("#c0-curves").count()) == (0, 0)
    assert of_sizes.locator(".cells figure").first.locator("rect.width").count() == 5
    assert re.fullmatch(r"(\d+:){4}\d+", of_sizes.locator(".detail code").inner_text())
    assert compared.locator("[data-part=curves] path.line").count() == 2
    compared.get_by_label("evaluations", exact=True).check()
    assert compared.locator("[data-part=curves] path.line").count() == 1
    assert "only comparable by simulated time" in compared.locator("[data-part=curves] .note").inner_text()
    assert compared.locator("#c2-cloud").count() == 0


def test_a_filter_takes_a_search_out_of_every_part(visit):
    page = visit()
    first = page.locator("#c0")
    dots, found = first.locator(".row circle").count(), first.locator(".cells .by").all_inner_texts()
    assert any("random search" in text for text in found)
    page.get_by_label(re.compile("^random search")).first.uncheck()
    assert first.locator("path.line").count() == 1
    assert 0 < first.locator(".row circle").count() < dots
    found = first.locator(".cells .by").all_inner_texts()
    assert found
    assert not any("random search" in text for text in found)
    assert first.locator("#c0-results tbody tr:visible").count() == 1
    assert not first.locator("table.pairs tbody tr").is_visible()
    assert first.locator(".seen li").count() == 1
    page.get_by_label(re.compile("^random search")).first.check()
    assert first.locator("path.line").count() == 2
    assert first.locator("table.pairs tbody tr").is_visible()


def test_a_filter_takes_a_data_set_away(visit):
    page = visit()
    page.get_by_role("checkbox", name="cifar100 val_accuracy").uncheck()
    assert not page.locator("#c1").is_visible()
    assert page.locator("#c0").is_visible()
    page.get_by_role("checkbox", name="cifar100 val_accuracy").check()
    assert page.locator("#c1 path.line").count() == 1


def test_a_header_sorts(visit):
    page = visit()
    names = column(page, 0)
    header = page.locator("#c0-results thead th").filter(has_text="regret [%]")
    number = page.locator("#c0-results thead th").all_inner_texts().index(header.inner_text())
    header.get_by_role("button").click()
    ascending = [float(text.split(" ")[0]) for text in column(page, number)]
    assert header.get_attribute("aria-sort") == "ascending"
    assert ascending == sorted(ascending)
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert [float(text.split(" ")[0]) for text in column(page, number)] == ascending[::-1]
    page.locator("#c0-results thead th").first.get_by_role("button").click()
    assert column(page, 0) == sorted(names)
    assert header.get_attribute("aria-sort") is None


def test_the_controls_draw_anew(visit):
    page = visit()
    curves, cloud = page.locator("#c0 [data-part=curves]"), page.locator("#c0 [data-part=cloud]")
    median = curves.locator("path.line").first.get_attribute("d")
    curves.get_by_label("mean", exact=True).check()
    assert curves.locator("path.line").first.get_attribute("d") != median
    assert "95 % interval of the mean" in curves.inner_text()
    curves.get_by_label("simulated time").check()
    assert re.search(r"simulated time \[(hours|days)\]", curves.inner_text())
    spread = page.locator("#c0 [data-part=spread]")
    spread.get_by_label("share of trials").check()
    assert spread.locator("path.line").count() == spread.locator(".legend li").count() == 2
    front = cloud.locator(".front path").get_attribute("d")
    cloud.get_by_label("flops").check()
    assert cloud.locator(".front path").get_attribute("d") != front
    cloud.get_by_label("all trials").check()
    assert cloud.locator(".end").count() > 2
    cells = page.locator("#c0 [data-part=cells]")
    cells.get_by_label("best", exact=True).check()
    ranks = [
        int(card.locator("dd").nth(1).inner_text().replace(",", "")) for card in cells.locator("figure").all()
    ]
    assert len(ranks) > 2
    assert ranks == sorted(ranks)


def test_the_pointer_and_the_keys_read_the_curves(visit):
    page = visit()
    curves = page.locator("#c0 [data-part=curves]")
    slider = curves.get_by_role("slider")
    assert "after 150 evaluations" in curves.locator(".reading").inner_text()
    slider.press("Home")
    assert curves.locator(".reading").inner_text().endswith("after 1 evaluation")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "2"
    slider.hover(position={"x": slider.bounding_box()["width"] / 2, "y": 100})
    now = int(slider.get_attribute("aria-valuenow"))
    assert 3 < now < 100
    assert f"after {now} evaluations" in slider.get_attribute("aria-valuetext")


def test_the_pointer_and_the_keys_choose_cells(visit):
    page = visit()
    cloud = page.locator("#c0 [data-part=cloud]")
    assert cloud.locator(".detail dd").first.inner_text() == "6111"
    picture = cloud.locator("svg[tabindex]")
    picture.focus()
    picture.press("ArrowLeft")
    before = cloud.locator(".detail dd").first.inner_text()
    assert before != "6111"
    cloud.scroll_into_view_if_needed()
    circle = cloud.locator(".front circle").first.bounding_box()
    page.mouse.click(circle["x"] + circle["width"] / 2, circle["y"] + circle["height"] / 2)
    assert cloud.locator(".detail dd").first.inner_text() not in ("6111", before)
    assert cloud.locator(".detail code").inner_text().startswith("|")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_to_the_side(visit, scheme):
    page = visit(viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for part in ("results", "pairs"):
        names = page.locator(f"#c0-{part} tbody th").first.bounding_box()
        assert names["width"] < 0.4 * PHONE["width"]
        p = page.locator(f"#c0-{part} tbody td").first.bounding_box()
        assert p["x"] + p["width"] < PHONE["width"]
    circle = page.locator("#c0 .front circle").first
    circle.scroll_into_view_if_needed()
    box = circle.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator("#c0 .detail dd").first.inner_text() != "6111"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_long_names_do_not_widen_a_phones_page(visit, runs, tmp_path):
    folders = [shutil.copytree(runs / "rs", tmp_path / f"{n}{'_a_long_name' * 6}" / "rs") for n in range(2)]
    assert main([*map(str, folders), "--out", str(tmp_path / "report.html")]) == 0
    page = visit(tmp_path / "report.html", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for names in page.locator("#c0-results tbody th, #c0-pairs tbody th").all():
        assert names.bounding_box()["width"] < 0.4 * PHONE["width"]


def test_the_page_follows_a_change_of_colours_and_of_width(visit):
    page = visit()
    ring = "getComputedStyle(document.querySelector('#c0 .ring')).stroke"
    light = page.evaluate(ring)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ring) != light
    wide = page.locator("#c0 canvas").bounding_box()["width"]
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_function(f"document.querySelector('#c0 canvas').clientWidth < {wide - 200}")
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()


def test_without_a_script_the_results_are_there(visit):
    page = visit(java_script_enabled=False)
    assert "need JavaScript" in page.locator("noscript").inner_text()
    assert page.locator("#c0-results tbody tr").count() == 2
    assert not page.locator("#c0-curves").is_visible()
