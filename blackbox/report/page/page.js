// The page: draws its parts from its data, and redraws them if a filter, the width or the colours change.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SERIES = DATA.series; // the searches, each with a label and a colour, over all comparisons
const hidden = new Set(); // numbers of the series that are filtered out
const parts = []; // {comparison, part}: all parts with a method that draws them

function swatch(series) {
  return html("span", { class: "swatch", style: `background:${SERIES[series].colour}`, "aria-hidden": "true" });
}

function visible(runs) {
  return runs.filter((run) => !hidden.has(run.series));
}

function draw() {
  for (const { section, part } of parts) if (!section.hidden) part.draw();
}

function filterRows() {
  for (const row of document.querySelectorAll("tr[data-series]"))
    row.hidden = row.dataset.series.split(" ").some((series) => hidden.has(Number(series)));
}

function checks(title, items, onchange) {
  const boxes = items.map(({ text, mark }, n) =>
    html("label", {}, html("input", { type: "checkbox", checked: true, onchange: (event) => onchange(n, event.target.checked) }),
      html("span", {}, mark, text)));
  return html("fieldset", { class: "checks" }, html("legend", {}, title), html("div", {}, ...boxes));
}

function filters(sections) {
  const bar = html("div", { id: "filters" });
  document.querySelector("main").before(bar);
  if (SERIES.length > 1)
    bar.append(checks("Searches", SERIES.map(({ label }, n) => ({ text: label, mark: swatch(n) })), (n, shown) => {
      if (shown) hidden.delete(n);
      else hidden.add(n);
      filterRows();
      draw();
    }));
  if (sections.length > 1)
    bar.append(checks("Shown", DATA.comparisons.map(({ name }) => ({ text: name, mark: null })), (n, shown) => {
      sections[n].hidden = !shown;
      draw();
    }));
  bar.hidden = !bar.childElementCount;
}

// A click on a header sorts by its column; a second click reverses the order.
function sortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, n) => {
    const button = html("button", { type: "button", onclick: () => {
      const order = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...table.tBodies[0].rows];
      const value = (row) => row.cells[n].dataset.value ?? row.cells[n].textContent;
      const compare = (a, b) => {
        const [left, right] = [value(a), value(b)];
        if (left === "" || right === "") return (left === "") - (right === ""); // unknown values come last
        return order * (Number(left) - Number(right) || left.localeCompare(right));
      };
      table.tBodies[0].append(...rows.sort(compare));
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
    } });
    button.append(...header.childNodes);
    header.append(button);
  });
}

function start() {
  document.documentElement.classList.add("drawn");
  document.body.append(arrows());
  document.querySelector("header").prepend(themeSwitch(draw));
  const sections = [...document.querySelectorAll("section.comparison")];
  filters(sections);
  sections.forEach((section, n) => {
    const comparison = DATA.comparisons[n];
    for (const [name, Part] of [["curves", Curves], ["spread", Spread], ["cells", Cells], ["cloud", Cloud]]) {
      const place = section.querySelector(`[data-part=${name}]`);
      if (place) parts.push({ section, part: new Part(place, comparison) });
    }
    section.querySelectorAll("table.sortable").forEach(sortable);
  });
  draw();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) draw(); // a phone's browser bars change the height only
    width = window.innerWidth;
  });
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    window.matchMedia(query).addEventListener("change", draw);
}

start();
