// Regret over evaluations or simulated time: a line per run with its band, and a cursor to read values.

const LINES = {
  median: { text: "median", low: "quarter", high: "threeQuarters", band: "band: quartiles over trials" },
  mean: { text: "mean", low: "low", high: "high", band: "band: 95 % interval of the mean" },
};

class Curves {
  constructor(place, comparison) {
    const axes = ["evaluations", "seconds"].filter((axis) => comparison.runs.some((run) => run.curves[axis]));
    this.comparison = comparison;
    const first = axes.includes(comparison.axis) ? comparison.axis : axes[0];
    this.options = { line: "median", axis: first, y: "log", x: "log" };
    this.cursor = null;
    const change = (name) => (value) => {
      this.options[name] = value;
      if (name === "axis") this.cursor = null;
      this.draw();
    };
    const scales = [["log", "log"], ["linear", "linear"]];
    this.place = html("div", { class: "picture" });
    this.legend = html("ul", { class: "legend" });
    this.reading = html("p", { class: "reading" });
    this.note = html("p", { class: "note" });
    place.append(
      html("div", { class: "controls" },
        choice("line", [["median", "median"], ["mean", "mean"]], "median", change("line")),
        axes.length < 2 ? null
          : choice("against", [["evaluations", "evaluations"], ["seconds", "simulated time"]], first, change("axis")),
        choice("regret", scales, "log", change("y")),
        choice("x axis", scales, "log", change("x"))),
      this.place, this.reading, this.legend, this.note);
  }

  draw() {
    const { axis, line, x: xKind, y: yKind } = this.options;
    const shown = visible(this.comparison.runs).filter((run) => run.final);
    const runs = shown.filter((run) => run.curves[axis]);
    this.place.replaceChildren();
    const left = shown.filter((run) => !run.curves[axis]).map((run) => SERIES[run.series].label);
    this.note.textContent = [
      LINES[line].band,
      left.length && axis === "evaluations"
        ? `${left.join(", ")}: only comparable by simulated time, because cells are first trained for fewer epochs` : "",
      left.length && axis === "seconds" ? `${left.join(", ")}: not shown, because this table has no evaluation times` : "",
    ].filter(Boolean).join("; ") + ".";
    if (!runs.length) {
      this.legend.replaceChildren();
      this.reading.textContent = "No curve to show.";
      return;
    }
    const last = Math.max(...runs.map((run) => run.curves[axis].x.at(-1)));
    const first = Math.min(...runs.map((run) => run.curves[axis].x[0]));
    const [size, name] = axis === "seconds" ? durationUnit(last) : [1, "evaluations"];
    this.unit = [size, name];
    const bands = runs.map(({ curves: { [axis]: curve } }) =>
      ({ line: curve[line], low: curve[LINES[line].low], high: curve[LINES[line].high] }));
    const values = bands.flatMap((band) => [...band.line, ...band.low, ...band.high]);
    const most = Math.max(...values) || 1;
    const floor = Math.max(Math.min(...values.filter((value) => value > 0), most / 2), most / 1e4);
    const box = picture(this.place, 340, { left: 46, right: 14, top: 22, bottom: 38 });
    const x = xKind === "log"
      ? new Scale(first / size, last / size, box.left, box.right, { log: true })
      : new Scale(0, last / size, box.left, box.right);
    const y = yKind === "log"
      ? new Scale(floor, most, box.bottom, box.top, { log: true, zero: values.some((value) => value < floor) })
      : new Scale(0, most, box.bottom, box.top);
    box.root.append(frame(box, x, y, {
      xTitle: axis === "seconds" ? `simulated time [${name}]` : "evaluations",
      yTitle: `regret of the incumbent [${this.comparison.unit}]`,
    }));
    runs.forEach((run, n) => {
      const at = run.curves[axis].x.map((value) => x.at(value / size));
      const fill = SERIES[run.series].colour;
      const through = (column) => stairs(at.map((across, i) => [across, y.at(column[i])]));
      const under = at.map((across, i) => [across, y.at(bands[n].low[i])]).reverse()
        .map(([across, down], i) => (i ? `V${down.toFixed(1)}H${across.toFixed(1)}` : `L${across.toFixed(1)} ${down.toFixed(1)}`));
      box.root.append(
        svg("path", { class: "band", d: `${through(bands[n].high)}${under.join("")}Z`, fill }),
        svg("path", { class: "line", d: through(bands[n].line), stroke: fill }));
    });
    this.runs = runs;
    this.bands = bands;
    this.x = x;
    this.y = y;
    this.marks = svg("g", { class: "cursor", "aria-hidden": "true" });
    this.box = box;
    box.root.append(this.marks);
    this.grid = [...new Set(runs.flatMap((run) => run.curves[axis].x))].sort((a, b) => a - b);
    add(box.root, {
      role: "slider", tabindex: 0, "aria-valuemin": this.grid[0], "aria-valuemax": this.grid.at(-1),
      "aria-label": `Regret of the incumbent, read at a chosen point of ${axis === "seconds" ? "simulated time" : "the evaluations"}`,
      onpointermove: (event) => this.point(event),
      onpointerdown: (event) => this.point(event),
      onkeydown: (event) => this.key(event),
    }, []);
    this.place.append(box.root);
    this.read(this.cursor ?? this.grid.length - 1);
  }

  point(event) {
    const across = event.clientX - this.box.root.getBoundingClientRect().left;
    const distance = (value) => Math.abs(this.x.at(value / this.unit[0]) - across);
    this.read(this.grid.reduce((best, value, n) => (distance(value) < distance(this.grid[best]) ? n : best), 0));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -20, PageUp: 20 };
    const ends = { Home: 0, End: this.grid.length - 1 };
    const now = this.cursor ?? this.grid.length - 1;
    if (event.key in steps) this.read(Math.min(Math.max(now + steps[event.key], 0), this.grid.length - 1));
    else if (event.key in ends) this.read(ends[event.key]);
    else return;
    event.preventDefault();
  }

  // Show the values of all lines at point `n` of the grid.
  read(n) {
    const where = this.grid[Math.min(n, this.grid.length - 1)];
    const [size, name] = this.unit;
    const across = this.x.at(where / size);
    this.cursor = n;
    this.marks.replaceChildren(svg("line", { x1: across, x2: across, y1: this.box.top, y2: this.box.bottom }));
    const items = this.runs.map((run, i) => {
      const grid = run.curves[this.options.axis].x;
      const at = grid.findLastIndex((value) => value <= where);
      const value = at < 0 ? null : this.bands[i].line[at];
      const over = at >= 0 && where > grid.at(-1);
      if (value !== null && !over)
        this.marks.append(svg("circle", { cx: across, cy: this.y.at(value), r: 4, fill: SERIES[run.series].colour }));
      return html("li", {}, swatch(run.series), html("span", {}, SERIES[run.series].label),
        html("b", {}, value === null ? "–" : fixed(value, 4) + (over ? " (at its end)" : "")));
    });
    const text = size === 1 && name === "evaluations"
      ? plural(where, "evaluation") : `${short(where / size)} ${name}`;
    this.reading.textContent = `${LINES[this.options.line].text} regret [${this.comparison.unit}] after ${text}`;
    this.legend.replaceChildren(...items);
    add(this.box.root, {
      "aria-valuenow": where,
      "aria-valuetext": `${this.reading.textContent}: ${items.map((item) => item.textContent).join(", ")}`,
    }, []);
  }
}
