// The distribution of final regrets: a dot per value, or the share of trials up to each value.

const ROW = 62;

class Spread {
  constructor(place, comparison) {
    this.comparison = comparison;
    this.options = { form: "dots", x: "log" };
    const change = (name) => (value) => {
      this.options[name] = value;
      this.draw();
    };
    this.place = html("div", { class: "picture" });
    this.legend = html("ul", { class: "legend" });
    this.note = html("p", { class: "note" });
    place.append(
      html("div", { class: "controls" },
        choice("as", [["dots", "dots"], ["share", "share of trials"]], "dots", change("form")),
        choice("regret", [["log", "log"], ["linear", "linear"]], "log", change("x"))),
      this.place, this.legend, this.note);
  }

  draw() {
    const runs = visible(this.comparison.runs).filter((run) => run.final);
    this.place.replaceChildren();
    const dots = this.options.form === "dots";
    this.note.textContent = !runs.length ? "No run to show." : dots
      ? "Each dot is a final regret; its area is proportional to the share of trials. Bar: quartiles; mark: median."
      : "Share of the trials with this final regret or less.";
    this.legend.replaceChildren(...(dots ? [] : runs).map((run) =>
      html("li", {}, swatch(run.series), SERIES[run.series].label)));
    if (!runs.length) return;
    const values = runs.flatMap((run) => run.final.regret);
    const positive = values.filter((value) => value > 0);
    const most = positive.length ? 1.05 * Math.max(...positive) : 1;
    const box = picture(this.place, dots ? 44 + ROW * runs.length : 300,
      { left: dots ? 20 : 46, right: 22, top: dots ? 4 : 22, bottom: 38 });
    const low = Math.min(...positive, most / 10);
    const x = this.options.x === "log"
      ? new Scale(low, most, box.left, box.right, { log: true, zero: positive.length < values.length })
      : new Scale(0, most, box.left, box.right);
    const y = new Scale(0, 100, box.bottom, box.top);
    box.root.append(frame(box, x, y, {
      xTitle: `final regret [${this.comparison.unit}]`,
      yTitle: dots ? "" : "share of trials [%]", rows: dots,
    }));
    runs.forEach((run, n) => (dots ? this.dots(box, run, n, x) : this.share(box, run, x, y)));
    const summary = runs.map((run) => `${SERIES[run.series].label}: median ${fixed(run.final.median, 4)}`);
    add(box.root, { role: "img", "aria-label": `Final regrets of trials. ${summary.join("; ")}` }, []);
    this.place.append(box.root);
  }

  dots(box, run, n, x) {
    const { label, colour: fill } = SERIES[run.series];
    const { regret, quarter, median, threeQuarters } = run.final;
    const middle = box.top + ROW * (n + 0.5) + 9;
    const group = svg("g", { class: "row" });
    const tally = new Map();
    for (const value of regret) tally.set(value, (tally.get(value) ?? 0) + 1);
    const radius = (count) => Math.max(2, 15 * Math.sqrt(count / regret.length));
    for (const [value, count] of [...tally].sort((a, b) => b[1] - a[1])) {
      const text = `${label}: ${plural(count, "trial")} of ${regret.length.toLocaleString("en")} ended with regret ${fixed(value, 4)}`;
      group.append(svg("circle", { cx: x.at(value), cy: middle, r: radius(count), fill },
        svg("title", {}, text)));
    }
    group.append(
      svg("line", { class: "quartiles", x1: x.at(quarter), x2: x.at(threeQuarters), y1: middle, y2: middle }),
      svg("line", { class: "median", x1: x.at(median), x2: x.at(median), y1: middle - 9, y2: middle + 9 }),
      svg("text", { class: "name", x: 2, y: middle - 22 }, label));
    box.root.append(group);
  }

  share(box, run, x, y) {
    const sorted = [...run.final.regret].sort((a, b) => a - b);
    const points = [[box.left, y.at(0)]];
    sorted.forEach((value, n) => {
      if (value !== sorted[n + 1]) points.push([x.at(value), y.at((100 * (n + 1)) / sorted.length)]);
    });
    points.push([box.right, y.at(100)]);
    box.root.append(svg("path", { class: "line", d: stairs(points), stroke: SERIES[run.series].colour }));
  }
}
