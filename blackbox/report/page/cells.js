// The final cells of trials.

class Cells {
  constructor(place, comparison) {
    this.comparison = comparison;
    this.most = 12;
    this.order = "found";
    this.list = html("ul", { class: "cells" });
    this.more = html("button", { type: "button", class: "button more", onclick: () => {
      this.most += 24;
      this.draw();
    } });
    this.note = html("p", { class: "note", "aria-live": "polite" });
    place.append(
      html("div", { class: "controls" },
        choice("first", [["found", "most often found"], ["best", "best"]], "found", (order) => {
          this.order = order;
          this.draw();
        })),
      comparison.space === "tss" ? operationsLegend() : "",
      this.note, this.list, this.more);
  }

  draw() {
    const found = new Map();
    for (const run of visible(this.comparison.runs))
      for (const code of run.found) {
        const cell = found.get(code) ?? { code, times: 0, runs: new Map() };
        cell.times += 1;
        cell.runs.set(run.series, (cell.runs.get(run.series) ?? 0) + 1);
        found.set(code, cell);
      }
    const rank = ({ code }) => this.comparison.cells[code].rank;
    const cells = [...found.values()].sort(this.order === "best"
      ? (a, b) => rank(a) - rank(b) : (a, b) => b.times - a.times || rank(a) - rank(b));
    const fronts = visible(this.comparison.runs).some((run) => run.fronts) ? " or on their fronts" : "";
    this.note.textContent = `${plural(cells.length, "cell")} found at the end of trials${fronts}` +
      (cells.length > this.most ? `; ${this.most} are shown.` : ".");
    this.list.replaceChildren(...cells.slice(0, this.most).map((cell) => html("li", {}, this.card(cell))));
    this.more.hidden = cells.length <= this.most;
    this.more.textContent = `Show ${Math.min(24, cells.length - this.most)} more`;
  }

  card({ code, runs }) {
    const { space, cells } = this.comparison;
    const by = [...runs].map(([series, count]) => html("div", { class: "by" }, swatch(series),
      SERIES[series].label, html("b", {}, `${count.toLocaleString("en")}×`)));
    return html("figure", {}, diagram(space, code), html("figcaption", {},
      html("div", { class: "found" }, ...by),
      facts(cells[code])));
  }
}

// Return the values of a cell as a list of names and values.
function facts(cell) {
  const rows = [["index", String(cell.index)], ["rank", cell.rank.toLocaleString("en")],
    ...cell.values.map(([name, text]) => [name, text])];
  return html("dl", {}, ...rows.map(([name, text]) => html("div", {}, html("dt", {}, name), html("dd", {}, text))));
}
