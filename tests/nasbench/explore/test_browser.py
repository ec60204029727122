"""The page in a browser, from disk: pointed at, filtered, compared, restored from a link, by keyboard."""

import re

import numpy as np
import pytest

from nasbench import Cell
from nasbench.__main__ import main

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def show(visit, explorer):
    """Opens the page of a few metrics, or another one, and waits until a cell is drawn."""

    def show(fragment="", path=explorer, **options):
        page = visit(path, fragment, **options)
        page.locator(".figures svg").first.wait_for()
        return page

    return show


def cells_of(page):
    """The official indices in the heading: of the cell, or of both that are compared."""
    return [int(text) for text in re.findall(r"\d+", page.locator(".card h2").inner_text())]


def frame_of(page):
    """The text at the axes, once what was asked for is drawn."""
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return page.locator(".frame").text_content()


def texts_of(page):
    return [
        frame_of(page),
        *(page.locator(name).text_content() for name in (".card h2", ".count", ".legend")),
    ]


def value_of(page, metric, column=0):
    row = page.locator(".values tbody tr").filter(has=page.locator("th", has_text=re.compile(f"^{metric} ")))
    return float(row.locator("td").nth(column).inner_text().replace(",", ""))


def front_of(costs, scores, codes):
    """The codes of the cells that no other one beats, cheap ones first, by comparing all with all."""
    costs, scores = costs[codes], scores[codes]
    beaten = [
        ((costs <= cost) & (scores >= score) & ((costs < cost) | (scores > score))).any()
        for cost, score in zip(costs, scores, strict=True)
    ]
    free = np.flatnonzero(~np.array(beaten))
    return codes[free[np.argsort(costs[free])]]


def test_it_begins_with_the_best_cell(show, bench):
    page = show()
    assert page.title() == "NAS-Bench-201 explorer"
    assert cells_of(page) == [6111]
    assert page.locator(".figures svg.cell").get_attribute("aria-label") == str(Cell.from_index(6111))
    assert page.locator(".named code").inner_text() == str(Cell.from_index(6111))
    for metric, digits in (("val_accuracy", 4), ("test_accuracy", 4), ("params", 5), ("pixel3_latency", 4)):
        exact = bench.query(6111, "cifar10", metric)
        page.locator("details.group").evaluate_all("all => all.forEach(group => (group.open = true))")
        assert value_of(page, metric) == pytest.approx(exact, abs=0.51 * 10**-digits)
        assert value_of(page, metric, 1) == bench.rank(6111, "cifar10", metric)
    painted = page.locator("canvas").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
        ".data.filter((value, n) => n % 4 == 3 && value).length"
    )
    assert painted > 5000


def test_the_front_is_the_front(show, bench):
    page = show()
    costs, scores = (bench.by_code("cifar10", metric) for metric in ("latency", "val_accuracy"))
    front = front_of(costs, scores, np.arange(15_625))
    assert (
        page.locator(".front-key").inner_text() == f"Pareto front: {len(front)} cell{'s' * (len(front) > 1)}"
    )
    picture = page.get_by_role("application")
    picture.focus()
    picture.press("f")  # from the best cell on, which is its last one, to the first
    for code in front[:4]:
        assert cells_of(page) == [bench.index(Cell(int(code)))]
        picture.press("f")
    picture.press("Shift+F")
    assert cells_of(page) == [bench.index(Cell(int(front[3])))]


@pytest.mark.parametrize(("metric", "sign"), [("params", 1), ("val_accuracy", -1)])
def test_the_front_follows_directions_and_filters(show, bench, metric, sign):
    codes = np.arange(3_125)  # those with none on the first edge
    page = show(f"#x=cifar10/{metric}&y=cifar10/test_accuracy&allowed=1,31,31,31,31,31")
    assert page.locator(".count").inner_text() == "3,125 of 15,625 cells"
    front = front_of(
        sign * bench.by_code("cifar10", metric), bench.by_code("cifar10", "test_accuracy"), codes
    )
    assert (
        page.locator(".front-key").inner_text() == f"Pareto front: {len(front)} cell{'s' * (len(front) > 1)}"
    )


def test_the_pointer_shows_a_cell_and_a_click_keeps_it(show):
    page = show()
    box = page.locator(".over").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.23 * box["height"])
    (pointed,) = cells_of(page)
    assert pointed != 6111
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + box["height"] + 30)
    assert cells_of(page) == [6111]
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.23 * box["height"])
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + box["height"] + 30)
    assert cells_of(page) == [pointed]


def test_a_filter_takes_cells_away(show):
    page = show()
    button = page.get_by_role("button", name="skip_connect on edge 0→3", exact=True)
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator(".count").inner_text() == "12,500 of 15,625 cells"
    (best,) = cells_of(page)
    assert Cell.from_index(best).ops[3] != "skip_connect"
    page.get_by_label("add a range").select_option("cifar10/params")
    page.get_by_label("maximum params in M").fill("0.3")
    page.get_by_label("maximum params in M").press("Enter")
    shown = [
        code
        for code in range(15_625)
        if Cell(code).params() <= 300_000 and Cell(code).ops[3] != "skip_connect"
    ]
    assert page.locator(".count").inner_text() == f"{len(shown):,} of 15,625 cells"
    page.get_by_label("minimum params", exact=True).press("ArrowRight")
    assert float(page.get_by_label("minimum params in M").input_value()) > 0.07
    page.get_by_role("button", name="Clear filters").click()
    assert page.locator(".count").inner_text() == "all 15,625 cells"
    assert page.locator(".range").count() == 0


def test_neighbours_are_shown_and_clicked(show, bench):
    page = show("#cell=6111")
    neighbours = Cell.from_index(6111).neighbours()
    assert page.locator(".change:not(.same)").count() == len(neighbours) == 24
    button = page.get_by_role("button", name="skip_connect on edge 0→1: cell")
    code = Cell.from_ops(["skip_connect", *Cell.from_index(6111).ops[1:]])
    difference = bench.query(code, "cifar10", "val_accuracy") - bench.query(6111, "cifar10", "val_accuracy")
    assert float(button.inner_text()) == pytest.approx(difference, abs=0.006)
    button.click()
    assert cells_of(page) == [bench.index(code)]
    assert page.locator(".over .near").get_attribute("d").count("M") == 24


def test_two_cells_side_by_side(show, bench):
    page = show("#cell=6111")
    page.get_by_role("button", name="Pin").click()
    page.get_by_label("find a cell").fill(str(Cell.from_index(9930)))
    page.get_by_label("find a cell").press("Enter")
    assert cells_of(page) == [6111, 9930]
    assert page.locator(".figures svg.cell").count() == 2
    values = [bench.query(index, "cifar10", "val_accuracy") for index in (6111, 9930)]
    for column, value in enumerate((*values, values[1] - values[0])):
        assert value_of(page, "val_accuracy", column) == pytest.approx(value, abs=1e-4)
    page.get_by_role("button", name="Unpin").click()
    assert cells_of(page) == [9930]


def test_a_link_restores_the_view(show):
    page = show()
    page.get_by_label("x axis").select_option("cifar10/pixel3_latency")
    page.locator(".axis").nth(1).get_by_label("log").check()
    page.get_by_label("colour").select_option("on:5")
    page.get_by_role("button", name="avg_pool_3x3 on edge 1→2", exact=True).click()
    page.get_by_label("add a range").select_option("cifar10/params")
    picture = page.get_by_role("application")
    picture.focus()
    for key in ("f", "p", "f", "+", "+"):
        picture.press(key)
    page.wait_for_url(re.compile("view="))
    link = page.url.split("#")[1]
    shown = texts_of(page)
    other = show(f"#{link}")
    assert texts_of(other) == shown
    assert other.get_by_label("x axis").input_value() == "cifar10/pixel3_latency"
    assert other.locator(".axis").nth(1).get_by_label("log").is_checked()
    assert len(cells_of(other)) == 2
    assert (
        other.get_by_role("button", name="avg_pool_3x3 on edge 1→2", exact=True).get_attribute("aria-pressed")
        == "false"
    )
    assert other.locator(".range").count() == 1
    other.evaluate("location.hash = '#x=cifar10/latency&cell=1234'")  # as one who pastes another link does
    other.locator("h2", has_text="Cell 1234").wait_for()
    assert other.get_by_label("x axis").input_value() == "cifar10/latency"
    assert other.locator(".range").count() == 0


def test_a_link_of_another_table_is_no_error(show):
    page = show(
        "#x=mnist/val_accuracy&y=cifar10/params&colour=on:9&view=1,0,0,1&allowed=1,2&cell=99999&range=a,b,c&log=z"
    )
    assert page.get_by_label("y axis", exact=True).input_value() == "cifar10/params"
    assert page.locator(".count").inner_text() == "all 15,625 cells"


def test_the_keyboard_reaches_everything(show):
    page = show()
    picture = page.get_by_role("application")
    picture.focus()
    assert picture.evaluate("element => getComputedStyle(element.parentElement).outlineStyle") == "solid"
    picture.press("ArrowLeft")
    (left,) = cells_of(page)
    assert left != 6111
    assert page.locator(".unseen").inner_text().startswith(f"Cell {left}: val_accuracy ")
    before = frame_of(page)
    picture.press("b")
    assert frame_of(page) != before
    picture.press("0")
    assert frame_of(page) == before
    picture.press("B")  # as with Caps Lock
    assert frame_of(page) != before
    picture.press("0")
    picture.press("n")
    focused = page.locator(".change:focus")
    focused.press("ArrowDown")
    focused.press("ArrowRight")
    assert focused.get_attribute("aria-label").startswith("skip_connect on edge 0→2")
    focused.press("Enter")
    assert Cell.from_index(cells_of(page)[0]).ops[1] == "skip_connect"
    focused.press("Escape")
    assert picture.evaluate("element => element === document.activeElement")
    picture.press("p")
    picture.press("Escape")
    picture.press("Escape")
    assert cells_of(page) == [6111]
    picture.press("/")
    page.locator("input:focus").fill("1234")
    page.keyboard.press("Enter")
    assert cells_of(page) == [1234]


def test_the_wheel_zooms_and_dragging_moves(show):
    page = show()
    box = page.locator(".over").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    frames = [frame_of(page)]
    page.mouse.move(*middle)
    page.mouse.wheel(0, -400)
    page.wait_for_url(re.compile("view="))
    frames.append(frame_of(page))
    page.mouse.down()
    page.mouse.move(middle[0] + 150, middle[1] + 90, steps=3)
    page.mouse.up()
    frames.append(frame_of(page))
    page.get_by_role("button", name="show all").click()
    assert len(set(frames)) == 3
    assert frame_of(page) == frames[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(show, scheme):
    page = show(color_scheme=scheme, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    background = "getComputedStyle(document.body).backgroundColor"
    assert (page.evaluate(background) == "rgb(255, 255, 255)") == (scheme == "light")
    page.get_by_role("button", name="Dark" if scheme == "light" else "Light").tap()
    assert (page.evaluate(background) == "rgb(255, 255, 255)") == (scheme == "dark")
    box = page.locator(".over").bounding_box()
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.25 * box["height"])
    assert cells_of(page) != [6111]


def test_the_size_space(show, sizes, tmp_path):
    out = tmp_path / "sizes.html"
    options = ["--dataset", "cifar10", "--metrics", "val_accuracy", "latency"]
    assert main(["explore", "--store", str(sizes), *options, "--out", str(out)]) == 0
    page = show("#cell=8&colour=on:4", out)
    assert page.locator(".figures rect.width").count() == 5
    assert page.locator(".named code").inner_text() == "8:8:8:16:8"
    assert page.locator(".change:not(.same)").count() == 35
    page.get_by_role("button", name="64 channels on layer 1", exact=True).click()
    assert page.locator(".count").inner_text() == "28,672 of 32,768 cells"


def test_a_page_of_the_whole_table(show, tmp_path):
    assert main(["explore", "--out", str(tmp_path / "explorer.html")]) == 0
    page = show(path=tmp_path / "explorer.html")
    assert page.locator("details.group").count() == 12
    page.get_by_label("y axis", exact=True).select_option("imagenet16-120/test_accuracy")
    assert frame_of(page).count("imagenet16-120 test_accuracy") == 1
    assert "of 'x-test'" in page.locator(".note", has_text="y axis:").inner_text()


def test_without_a_script(visit, explorer):
    page = visit(explorer, java_script_enabled=False)
    assert "needs JavaScript" in page.locator("noscript").inner_text()
    page.locator("summary").click()
    assert page.locator(".about tbody tr").count() == 6
