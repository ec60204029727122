// All cells of the table by cost and score, and the cells that the searches evaluated.

const REACH = 14; // maximum distance in pixels between the pointer and a cell

class Cloud {
  constructor(place, comparison) {
    this.comparison = comparison;
    this.columns = Object.fromEntries(Object.entries(comparison.columns)
      .map(([name, column]) => [name, { ...column, values: decimals(column) }]));
    this.index = wholes(comparison.index);
    const costs = comparison.costs;
    this.options = { cost: costs[0], searched: "trial", part: "best" };
    const change = (name) => (value) => {
      this.options[name] = value;
      this.draw();
    };
    this.place = html("div", { class: "picture" });
    this.detail = html("div", { class: "detail", "aria-live": "polite" });
    this.note = html("p", { class: "note" });
    place.append(
      html("div", { class: "controls" },
        choice("cost", costs.map((name) => [name, name]), costs[0], change("cost")),
        choice("searched cells", [["trial", "one trial"], ["all", "all trials"], ["none", "none"]], "trial", change("searched")),
        choice("show", [["best", "best half"], ["all", "all cells"]], "best", change("part"))),
      this.place, this.note, this.detail);
    this.chosen = null;
  }

  draw() {
    const { comparison, options } = this;
    const cost = this.columns[options.cost], score = this.columns[comparison.metric];
    this.place.replaceChildren();
    const box = picture(this.place, Math.min(460, Math.max(320, this.place.clientWidth * 0.6)),
      { left: 46, right: 14, top: 22, bottom: 38 });
    const under = svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, width: box.width, height: box.height });
    const ordered = score.values.filter((value) => !Number.isNaN(value)).sort();
    const [least, most] = [ordered[0], ordered.at(-1)];
    const half = ordered[ordered.length >> 1];
    const [low, high] = options.part === "all" ? [least, most] : comparison.higher ? [half, most] : [least, half];
    const over = 0.04 * (high - low || 1);
    const y = new Scale(low - (low === least ? over : 0), high + (high === most ? over : 0), box.bottom, box.top);
    this.inside = (code) => score.values[code] >= y.low && score.values[code] <= y.high && !Number.isNaN(cost.values[code]);
    const costs = cost.values.filter((_, code) => this.inside(code)).sort();
    const pad = 0.03 * (costs.at(-1) - costs[0] || 1);
    const x = new Scale(costs[0] - pad, costs.at(-1) + pad, box.left, box.right);
    under.append(frame(box, x, y, {
      xTitle: `${options.cost} [${cost.unit}]`, yTitle: `${comparison.metric} [${comparison.unit}]`,
    }));
    const canvas = html("canvas", { "aria-hidden": "true" });
    const ratio = Math.max(1, window.devicePixelRatio);
    Object.assign(canvas, { width: box.width * ratio, height: box.height * ratio });
    canvas.style.width = `${box.width}px`;
    const paint = canvas.getContext("2d");
    paint.scale(ratio, ratio);
    Object.assign(this, { box, x, y, at: (code) => [x.at(cost.values[code]), y.at(score.values[code])] });
    this.paintTable(paint, score.values.length);
    const runs = visible(comparison.runs);
    this.paintSearched(paint, runs);
    this.place.append(under, canvas);
    box.root.append(this.front(comparison.fronts[options.cost], "front"));
    this.mark(runs);
    this.ring = svg("circle", { class: "ring", r: 8, visibility: "hidden" });
    box.root.append(this.ring);
    this.stops = this.stopsOf(runs);
    add(box.root, {
      role: "application", tabindex: 0,
      "aria-label": "Cells by cost and score. Arrow keys move along the Pareto front and the final cells of trials.",
      onpointermove: (event) => event.pointerType === "mouse" && this.point(event),
      onclick: (event) => this.point(event),
      onkeydown: (event) => this.key(event),
    }, []);
    this.place.append(box.root);
    this.note.replaceChildren(...this.explained(runs));
    if (this.chosen === null || !this.inside(this.chosen)) this.chosen = comparison.optimum.code;
    this.show(this.chosen);
  }

  explained(runs) {
    const parts = ["Grey: all cells of the table; line: its Pareto front"];
    const trials = runs.map((run) => `${SERIES[run.series].label}: ${run.trial.number}`).join("; ");
    if (this.options.searched === "trial" && runs.length)
      parts.push(`coloured: cells evaluated by the trial whose result is closest to the median; white edge: its final incumbent (number of the trial: ${trials})`);
    if (this.options.searched === "all" && runs.length)
      parts.push("coloured: cells evaluated by all trials, more intense if evaluated more often (faint: as often as by chance); white edge: final cells, larger if more trials ended there");
    if (runs.some((run) => run.fronts?.[this.options.cost])) parts.push("coloured lines: fronts of that trial");
    return [`${parts.join("; ")}. Hover over a cell or tap it for details.`];
  }

  paintTable(paint, cells) {
    paint.fillStyle = colour("cloud");
    for (let code = 0; code < cells; code++) {
      if (!this.inside(code)) continue;
      const [across, down] = this.at(code);
      paint.fillRect(across - 1, down - 1, 2, 2);
    }
  }

  // Points of runs are interleaved, so that no run covers another one.
  paintSearched(paint, runs) {
    const points = [];
    for (const run of this.options.searched === "none" ? [] : runs) {
      run.seen ??= { trial: counts(run.trial.codes), all: counts(run.visits) };
      const { trial, all } = run.seen;
      if (this.options.searched === "trial")
        trial.forEach((code, n) => points.push([n / trial.length, code, run.series, 0.55]));
      else {
        const even = all.reduce((a, b) => a + b, 0) / all.length; // average over cells
        const strength = (count) => Math.min(Math.max(0.12 + 0.3 * Math.log10(count / even), 0.04), 0.9);
        all.forEach((count, code) =>
          count && points.push([(code * 7919 + run.series * 31) % 1009, code, run.series, strength(count)]));
      }
    }
    points.sort((a, b) => a[0] - b[0]);
    for (const [, code, series, strength] of points) {
      if (!this.inside(code)) continue;
      const [across, down] = this.at(code);
      paint.globalAlpha = strength;
      paint.fillStyle = SERIES[series].colour;
      paint.beginPath();
      paint.arc(across, down, 2.4, 0, 2 * Math.PI);
      paint.fill();
    }
    paint.globalAlpha = 1;
  }

  front(codes, kind, stroke = null) {
    const shown = codes.filter((code) => this.inside(code)).map((code) => this.at(code));
    const group = svg("g", { class: kind, stroke });
    if (shown.length) group.append(svg("path", { d: stairs(shown) }));
    for (const [cx, cy] of shown) group.append(svg("circle", { cx, cy, r: 3 }));
    return group;
  }

  // The fronts of runs, and the final cells of their trials, small marks above large ones.
  mark(runs) {
    const marks = [];
    for (const run of runs) {
      const { colour: fill } = SERIES[run.series];
      const found = run.fronts?.[this.options.cost];
      if (found) this.box.root.append(this.front(found, "found-front", fill));
      const ends = new Map();
      if (this.options.searched === "all")
        for (const code of run.final ? run.found : []) ends.set(code, (ends.get(code) ?? 0) + 1);
      else if (this.options.searched === "trial" && run.end !== null) ends.set(run.end, run.found.length);
      for (const [code, count] of ends) {
        if (!this.inside(code)) continue;
        const [cx, cy] = this.at(code);
        const over = marks.filter(([, attributes]) => attributes.cx === cx && attributes.cy === cy).length;
        const radius = this.options.searched === "all" ? 4 + 5 * Math.sqrt(count / run.found.length) : 9 - 2.2 * over;
        marks.push([radius, { class: "end", cx, cy, fill }]); // with one trial, no mark hides another
      }
    }
    marks.sort((a, b) => b[0] - a[0]);
    for (const [r, attributes] of marks) this.box.root.append(svg("circle", { r: Math.max(r, 2), ...attributes }));
  }

  // The cells that the arrow keys stop at, from cheap to costly.
  stopsOf(runs) {
    const cost = this.columns[this.options.cost].values;
    const codes = new Set(this.comparison.fronts[this.options.cost]);
    for (const run of runs) (run.fronts?.[this.options.cost] ?? run.found).forEach((code) => codes.add(code));
    return [...codes].filter((code) => this.inside(code)).sort((a, b) => cost[a] - cost[b] || a - b);
  }

  point(event) {
    const place = this.box.root.getBoundingClientRect();
    const [across, down] = [event.clientX - place.left, event.clientY - place.top];
    let best = null, nearest = REACH ** 2;
    for (let code = 0; code < this.index.length; code++) {
      if (!this.inside(code)) continue;
      const [x, y] = this.at(code);
      const distance = (x - across) ** 2 + (y - down) ** 2;
      if (distance < nearest) [best, nearest] = [code, distance];
    }
    if (best !== null && best !== this.chosen) this.show(best);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!step || !this.stops.length) return;
    const at = this.stops.indexOf(this.chosen);
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), this.stops.length - 1);
    this.show(this.stops[next]);
    event.preventDefault();
  }

  show(code) {
    this.chosen = code;
    const [cx, cy] = this.at(code);
    add(this.ring, { cx, cy, visibility: "visible" }, []);
    const { space } = this.comparison;
    const rows = [["index", String(this.index[code])],
      ...Object.entries(this.columns).map(([name, { values, decimals: digits, unit }]) =>
        [name, Number.isNaN(values[code]) ? "not recorded" : `${fixed(values[code], Math.max(digits, 0))} ${unit}`])];
    const seen = visible(this.comparison.runs).map((run) => {
      run.seen ??= { trial: counts(run.trial.codes), all: counts(run.visits) };
      const ended = run.found.filter((end) => end === code).length;
      return html("li", {}, swatch(run.series), `${SERIES[run.series].label}: evaluated ${run.seen.all[code].toLocaleString("en")}×` +
        (ended ? `, ${run.final ? "final incumbent" : "on the front"} of ${plural(ended, "trial")}` : ""));
    });
    this.detail.replaceChildren(diagram(space, code),
      html("div", {}, html("code", {}, nameOf(space, code)),
        html("dl", {}, ...rows.map(([name, text]) => html("div", {}, html("dt", {}, name), html("dd", {}, text)))),
        html("ul", { class: "seen" }, ...seen)));
  }
}
