// Filters: allowed choices at each place, and ranges of metrics.

const BARS = 40; // bars of a histogram
const NOTCHES = 400; // steps of a slider

class Filters {
  constructor(place) {
    this.keys = SPACE.places.map((name, at) => SPACE.choices.map(({ name: full, text, kind }, choice) =>
      html("button", { type: "button", class: `chip ${kind}`, "aria-label": `${full} on ${SPACE.place} ${name}`, onclick: () => this.toggle(at, choice) }, text)));
    const rows = this.keys.map((keys, at) => html("div", { class: "places", role: "group", "aria-label": `${SPACE.place} ${SPACE.places[at]}` },
      html("b", {}, SPACE.places[at]), ...keys));
    this.ranges = html("div", { class: "ranges" });
    this.add = metricSelect("add a range", "", (column) => {
      if (!column || STATE.ranges.has(column)) return;
      change({ ranges: new Map(STATE.ranges).set(column, [column.low, column.high]) });
    }, "choose a metric …");
    this.count = html("p", { class: "count", "aria-live": "polite" });
    this.clear = html("button", { type: "button", class: "button", onclick: () => change({ allowed: Array(PLACES).fill(EVERY), ranges: new Map() }) }, "Clear filters");
    place.append(
      html("div", { class: "head" }, html("h2", {}, "Filters"), this.count, this.clear),
      html("div", { class: "both" },
        html("fieldset", {}, html("legend", {}, `allowed ${SPACE.choice} on each ${SPACE.place}`), html("div", { class: "matrix" }, ...rows)),
        html("fieldset", {}, html("legend", {}, "ranges of metrics"), this.ranges, this.add)));
    this.rows = new Map(); // by column
  }

  // Allow or exclude a choice at a place; excluding the last allowed one allows all again.
  toggle(at, choice) {
    const bits = STATE.allowed[at] ^ (1 << choice);
    change({ allowed: STATE.allowed.with(at, bits || EVERY) });
  }

  draw(count) {
    this.keys.forEach((keys, at) => keys.forEach((key, choice) => key.setAttribute("aria-pressed", String(Boolean((STATE.allowed[at] >> choice) & 1)))));
    for (const [column, row] of this.rows)
      if (!STATE.ranges.has(column)) {
        row.place.remove();
        this.rows.delete(column);
      }
    for (const [column, range] of STATE.ranges) {
      if (!this.rows.has(column)) {
        this.rows.set(column, new Range(column));
        this.ranges.append(this.rows.get(column).place);
      }
      this.rows.get(column).draw(range);
    }
    this.add.querySelector("select").value = "";
    const all = count === CELLS;
    this.count.textContent = all ? `all ${fixed(CELLS, 0)} cells` : `${fixed(count, 0)} of ${fixed(CELLS, 0)} cells`;
    this.clear.hidden = all && !STATE.ranges.size && STATE.allowed.every((bits) => bits === EVERY);
  }
}

class Range {
  constructor(column) {
    this.column = column;
    const { low, high, values } = column;
    const heights = new Float64Array(BARS);
    for (const value of column.sorted) heights[Math.min(Math.floor(((value - low) / (high - low || 1)) * BARS), BARS - 1)]++;
    const most = Math.sqrt(Math.max(...heights)); // square roots keep small bars visible
    this.bars = Array.from(heights, (height, n) => {
      const tall = 30 * Math.sqrt(height) / most;
      return svg("rect", { x: n + 0.08, width: 0.84, y: 30 - tall, height: tall });
    });
    const end = (n, name) => ({
      slider: html("input", { type: "range", min: 0, max: NOTCHES, "aria-label": `${name} ${column.label}`, oninput: (event) => this.slide(n, Number(event.target.value)) }),
      field: html("input", { type: "number", step: "any", "aria-label": `${name} ${column.label} in ${column.unit}`, onchange: (event) => this.set(n, event.target.value === "" ? [low, high][n] : Number(event.target.value)) }),
    });
    this.ends = [end(0, "minimum"), end(1, "maximum")];
    const remove = () => {
      const ranges = new Map(STATE.ranges);
      ranges.delete(column);
      change({ ranges });
    };
    this.place = html("div", { class: "range" },
      html("div", { class: "name" }, column.title,
        html("button", { type: "button", class: "plain", "aria-label": `remove the range of ${column.label}`, onclick: remove }, "×")),
      html("div", { class: "slider" }, svg("svg", { viewBox: `0 0 ${BARS} 30`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...this.bars),
        ...this.ends.map(({ slider }) => slider)),
      html("div", { class: "ends" }, ...this.ends.map(({ field }) => field)));
    this.missing = values.length - column.sorted.length;
  }

  slide(n, notch) {
    const { low, high } = this.column;
    this.set(n, notch === 0 ? low : notch === NOTCHES ? high : Number((low + (notch / NOTCHES) * (high - low)).toPrecision(5)));
  }

  set(n, value) {
    const range = STATE.ranges.get(this.column).slice();
    range[n] = n ? Math.max(value, range[0]) : Math.min(value, range[1]);
    change({ ranges: new Map(STATE.ranges).set(this.column, range) });
  }

  draw(range) {
    const { low, high } = this.column, span = high - low || 1;
    this.ends.forEach(({ slider, field }, n) => {
      slider.value = Math.round(((range[n] - low) / span) * NOTCHES);
      slider.setAttribute("aria-valuetext", `${short(range[n])} ${this.column.unit}`);
      field.value = Number(range[n].toPrecision(7));
    });
    this.bars.forEach((bar, n) => bar.classList.toggle("out",
      low + ((n + 1) / BARS) * span <= range[0] || low + (n / BARS) * span > range[1]));
  }
}

// Return a list of all metrics by data set and protocol; `onchange` is called with the column, and `none` is the text for no metric.
function metricSelect(label, id, onchange, none = null, more = []) {
  const group = ({ label: name, options }) => html("optgroup", { label: name }, ...options.map(([value, text]) => html("option", { value }, text)));
  const columns = [...GROUPS].map(([name, members]) => ({ label: name, options: members.map((column) => [column.id, column.title]) }));
  const select = html("select", { "aria-label": label, onchange: () => onchange(COLUMN.get(select.value), select.value) },
    none === null ? null : html("option", { value: "" }, none), ...(more.length ? more : columns).map(group));
  select.value = id;
  return html("label", { class: "select" }, html("span", { "aria-hidden": true }, label), select);
}
