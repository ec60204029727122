// Scales from numbers to pixels, and the frame of a plot.

const ZERO = 26; // pixels between 0 and the start of a logarithmic axis

// A linear or logarithmic scale. A logarithmic scale with `zero` has a position for values <= 0 before its start.
class Scale {
  constructor(low, high, from, to, { log = false, zero = false } = {}) {
    Object.assign(this, { low, high, log, zero: log && zero, from, to });
    this.start = this.zero ? from + Math.sign(to - from) * ZERO : from;
  }

  at(value) {
    if (this.log && value < this.low) return this.from;
    const [low, high, x] = this.log ? [this.low, this.high, value].map(Math.log) : [this.low, this.high, value];
    return this.start + ((x - low) / (high - low)) * (this.to - this.start);
  }

  // Return the values to label, about as many as fit.
  ticks(room) {
    const most = Math.max(2, Math.abs(this.to - this.start) / room);
    const powers = this.log ? this.powers(most) : [];
    const found = powers.length > 2 ? powers : this.steps(most); // a short logarithmic axis has few powers
    return this.zero ? [0, ...found] : found;
  }

  steps(most) {
    const rough = (this.high - this.low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const first = Math.ceil(this.low / step - 1e-9);
    const last = Math.floor(this.high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)));
  }

  powers(most) {
    const all = [];
    for (let power = Math.floor(Math.log10(this.low)); power <= Math.log10(this.high); power++)
      for (const factor of [1, 2, 5]) all.push(Number(`${factor}e${power}`));
    const inside = all.filter((value) => value >= this.low * 0.999 && value <= this.high * 1.001);
    const tens = inside.filter((value) => Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6));
    if (inside.length <= most) return inside;
    if (tens.length < 2) return inside.filter((_, n) => n % Math.ceil(inside.length / most) === 0);
    return tens.filter((_, n) => n % Math.ceil(tens.length / most) === 0);
  }
}

// Return an empty plot as wide as its container: the svg, and the bounds of its inner area.
function picture(place, height, margin) {
  const width = Math.max(280, Math.floor(place.clientWidth));
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  return {
    root, width, height,
    left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom,
  };
}

// Return grid lines and labels of both axes as an svg group; with `rows`, the y axis has no numbers.
function frame(box, x, y, { xTitle, yTitle, xText = short, yText = short, rows = false }) {
  const group = svg("g", { class: "frame", "aria-hidden": "true" });
  for (const value of x.ticks(64)) {
    const at = x.at(value), text = xText(value);
    const middle = Math.min(at, box.width - 3.4 * text.length - 1); // keeps the text inside the plot
    group.append(
      svg("line", { x1: at, x2: at, y1: box.top, y2: box.bottom }),
      svg("text", { x: middle, y: box.bottom + 16, "text-anchor": "middle" }, text));
  }
  for (const value of rows ? [] : y.ticks(36)) {
    const at = y.at(value);
    group.append(
      svg("line", { x1: box.left, x2: box.right, y1: at, y2: at }),
      svg("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, yText(value)));
  }
  group.append(svg("text", { class: "title", x: box.right, y: box.height - 4, "text-anchor": "end" }, xTitle));
  if (yTitle) group.append(svg("text", { class: "title", x: 2, y: 12 }, yTitle));
  return group;
}

// Return the path of a step line through points, horizontal up to the next point.
function stairs(points) {
  return points.map(([x, y], n) => (n ? `H${x.toFixed(1)}V${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}`))
    .join("");
}
