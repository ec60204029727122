// The scatter plot of cells: drawing, zooming, moving and pointing.

const NEAR = 14; // maximum distance in pixels between the pointer and a cell
const STILL = 4; // maximum movement in pixels of a click
const GRID = 128; // squares of the grid along each axis

class Plot {
  // `on` has callbacks: `point` and `pick` for cells, `view` for a new view, `marked` for the cells to mark.
  constructor(place, on) {
    this.on = on;
    this.place = place;
    this.under = svg("svg");
    this.canvas = html("canvas", { "aria-hidden": "true" });
    this.raster = new Raster(this.canvas);
    this.clip = svg("rect");
    const path = (name) => svg("path", { class: name });
    this.marks = Object.fromEntries(["line", "dots", "near", "pin", "ring", "other", "box"].map((name) => [name, path(name)]));
    this.over = svg("svg", {
      role: "application", tabindex: 0, class: "over",
      "aria-label": "Cells by two metrics. Arrow keys: next cell in that direction. F: along the Pareto front. N: neighbours. P: pin. Plus, minus: zoom; B: better half. 0: all. Escape: back.",
      onpointerdown: (event) => this.down(event),
      onpointermove: (event) => this.move(event),
      onpointerup: (event) => this.up(event),
      onpointercancel: (event) => this.pointers.delete(event.pointerId),
      onpointerleave: () => this.on.point(null),
      ondblclick: () => this.zoomTo(null),
      onkeydown: (event) => this.key(event),
    }, svg("defs", {}, svg("clipPath", { id: "inside" }, this.clip)), svg("g", { "clip-path": "url(#inside)" }, ...Object.values(this.marks)));
    this.over.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    place.append(this.under, this.canvas, this.over);
    this.pointers = new Map();
    this.waiting = false;
    // The drawing order mixes all codes, so that no colour covers another one.
    this.turns = Uint16Array.from({ length: CELLS }, (_, n) => (n * 7919) % CELLS);
  }

  // Adapt the plot to the size of its container.
  resize() {
    const { clientWidth: width, clientHeight: height } = this.place;
    const ratio = Math.max(1, window.devicePixelRatio);
    for (const element of [this.under, this.over]) add(element, { viewBox: `0 0 ${width} ${height}`, width, height }, []);
    this.ratio = ratio;
    this.box = { width, height, left: 58, right: width - 14, top: 40, bottom: height - 42 };
    const { left, right, top, bottom } = this.box;
    this.raster.resize(Math.round((right - left) * ratio), Math.round((bottom - top) * ratio));
    Object.assign(this.canvas.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    add(this.clip, { x: left, y: top, width: right - left, height: bottom - top }, []);
    this.draw();
  }

  // Compute the coordinates of all cells after a change of the axes; NaN if a value has no logarithm.
  locate() {
    const along = ({ values }, log) => (log ? Float64Array.from(values, (value) => (value > 0 ? Math.log10(value) : NaN)) : values);
    this.x = along(STATE.x, STATE.logX);
    this.y = along(STATE.y, STATE.logY);
    const every = this.turns.filter((code) => this.has(code));
    this.whole = [...this.span(every, this.x), ...this.span(every, this.y)];
    this.view = STATE.view ? this.inward(STATE.view) : this.whole;
  }

  // Return the range of some cells' coordinates along an axis, with a small margin.
  span(codes, places) {
    let [low, high] = [Infinity, -Infinity];
    for (const code of codes) {
      low = Math.min(low, places[code]);
      high = Math.max(high, places[code]);
    }
    if (low > high) return [0, 1];
    const over = 0.03 * (high - low) || 0.5;
    return [low - over, high + over];
  }

  inward([x0, x1, y0, y1]) {
    const log = (value, is) => (is ? Math.log10(Math.max(value, 1e-300)) : value);
    return [log(x0, STATE.logX), log(x1, STATE.logX), log(y0, STATE.logY), log(y1, STATE.logY)];
  }

  outward([x0, x1, y0, y1]) {
    const power = (value, is) => (is ? 10 ** value : value);
    return [power(x0, STATE.logX), power(x1, STATE.logX), power(y0, STATE.logY), power(y1, STATE.logY)];
  }

  // Set the cells to show and their colours; compute drawing order, grid and front.
  fill(shown, { number, colours }) {
    this.colours = colours;
    this.cloud = rgb("cloud");
    this.number = number;
    const placed = this.turns.filter((code) => this.has(code));
    this.shown = placed.filter((code) => shown[code]);
    this.hidden = placed.filter((code) => !shown[code]);
    this.index();
    this.front = this.frontOf(this.shown);
  }

  // Sort the shown cells into the squares of a grid: the cells of square s are inside[begin[s]] to inside[begin[s + 1] - 1].
  index() {
    const [x0, x1, y0, y1] = this.whole;
    this.square = (x, y) => [
      Math.min(Math.max(Math.floor(((x - x0) / (x1 - x0)) * GRID), 0), GRID - 1),
      Math.min(Math.max(Math.floor(((y - y0) / (y1 - y0)) * GRID), 0), GRID - 1)];
    const number = Uint16Array.from(this.shown, (code) => {
      const [column, row] = this.square(this.x[code], this.y[code]);
      return row * GRID + column;
    });
    this.begin = new Uint16Array(GRID * GRID + 1);
    for (const square of number) this.begin[square + 1]++;
    for (let square = 0; square < GRID * GRID; square++) this.begin[square + 1] += this.begin[square];
    const next = this.begin.slice();
    this.inside = new Uint16Array(number.length);
    number.forEach((square, n) => (this.inside[next[square]++] = this.shown[n]));
  }

  // Return the codes on the Pareto front, starting with the best on the x axis.
  frontOf(codes) {
    const [left, up] = [STATE.x.higher ? -1 : 1, STATE.y.higher ? -1 : 1]; // signs that make lower values better
    const { x, y } = this;
    const front = [];
    let best = Infinity;
    for (const code of Array.from(codes).sort((a, b) => left * (x[a] - x[b]) || up * (y[a] - y[b]) || a - b))
      if (up * y[code] < best) {
        best = up * y[code];
        front.push(code);
      }
    return front;
  }

  // Draw once before the next frame.
  draw() {
    if (this.waiting || !this.view) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { left, right, top, bottom } = this.box, { view } = this;
    this.kx = (right - left) / (view[1] - view[0]);
    this.ky = (top - bottom) / (view[3] - view[2]);
    this.drawPoints();
    const [x0, x1, y0, y1] = this.outward(view);
    const x = new Scale(x0, x1, left, right, { log: STATE.logX }), y = new Scale(y0, y1, bottom, top, { log: STATE.logY });
    const text = ({ title, higher }) => (this.box.width < 500 ? title : `${title}, ${higher ? "higher" : "lower"} is better`);
    this.under.replaceChildren(frame(this.box, x, y, {
      xTitle: text(STATE.x), yTitle: text(STATE.y),
      xText: tickText(x.ticks(64)), yText: tickText(y.ticks(36)),
    }));
    this.mark();
  }

  drawPoints() {
    const { ratio, number, colours, x, y, view, whole } = this;
    const zoom = Math.sqrt(((whole[1] - whole[0]) / (view[1] - view[0])) * ((whole[3] - whole[2]) / (view[3] - view[2])));
    const crowd = Math.sqrt(CELLS / Math.max(this.shown.length, 1));
    const radius = ratio * Math.min(1.7 * zoom ** 0.3 * crowd ** 0.25, 5.5);
    const [kx, ky, bottom] = [this.kx * ratio, this.ky * ratio, this.raster.height];
    this.raster.clear();
    this.raster.brush(0.9 * ratio, 0.5);
    for (const code of this.hidden) this.raster.dab(kx * (x[code] - view[0]), bottom + ky * (y[code] - view[2]), this.cloud);
    this.raster.brush(radius, 1);
    for (const code of this.shown)
      this.raster.dab(kx * (x[code] - view[0]), bottom + ky * (y[code] - view[2]), colours[number[code]]);
    this.raster.show();
  }

  // Return whether a cell has coordinates on both axes.
  has(code) {
    return !Number.isNaN(this.x[code]) && !Number.isNaN(this.y[code]);
  }

  at(code) {
    return [this.box.left + this.kx * (this.x[code] - this.view[0]), this.box.bottom + this.ky * (this.y[code] - this.view[2])];
  }

  // Draw the front and the rings around marked cells above the points.
  mark() {
    if (!this.kx) return; // not drawn yet
    const put = (name, d) => this.marks[name].setAttribute("d", d);
    const circles = (codes, radius) => codes.filter((code) => this.has(code)).map((code) => {
      const [across, down] = this.at(code);
      return `M${(across - radius).toFixed(1)} ${down.toFixed(1)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
    }).join("");
    put("line", stairs(this.front.map((code) => this.at(code))));
    put("dots", circles(this.front, 2.6));
    const { cell, pin, other } = this.on.marked();
    put("near", circles(cell === null ? [] : neighbours(cell), 4.5));
    put("pin", circles(pin === null ? [] : [pin], 9));
    put("ring", circles(cell === null ? [] : [cell], 7));
    put("other", circles(other === null ? [] : [other], 8));
  }

  // Return the shown cell nearest to a position in the plot; null if none is near.
  nearest(across, down, reach = NEAR) {
    const { view, kx, ky, box } = this;
    const [x, y] = [view[0] + (across - box.left) / kx, view[2] + (down - box.bottom) / ky];
    const [first, low] = this.square(x - reach / kx, y - reach / -ky), [last, high] = this.square(x + reach / kx, y + reach / -ky);
    let best = null, least = reach ** 2;
    for (let row = low; row <= high; row++)
      for (let n = this.begin[row * GRID + first]; n < this.begin[row * GRID + last + 1]; n++) {
        const code = this.inside[n];
        const distance = (kx * (this.x[code] - x)) ** 2 + (ky * (this.y[code] - y)) ** 2;
        if (distance < least) [best, least] = [code, distance];
      }
    return best;
  }

  // Return the nearest shown cell in a direction, without large steps to the side.
  next(code, rightward, upward) {
    let best = code, least = Infinity;
    for (const other of this.shown) {
      const right = this.kx * (this.x[other] - this.x[code]), up = -this.ky * (this.y[other] - this.y[code]);
      const forward = right * rightward + up * upward, aside = Math.abs(right * upward - up * rightward);
      const cost = forward + 2 * aside;
      if (forward > 0.01 && aside <= 2 * forward && cost < least) [best, least] = [other, cost];
    }
    return best;
  }

  // Keys and pointers

  key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    const { cell } = this.on.marked();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ways) this.on.pick(cell === null ? this.front[0] ?? null : this.next(cell, ...ways[event.key]));
    else if (event.key.toLowerCase() === "f" && this.front.length) {
      const n = this.front.indexOf(cell) + (event.shiftKey ? -1 : 1);
      this.on.pick(this.front[(n + this.front.length) % this.front.length]);
    } else if (event.key === "+" || event.key === "=") this.zoomAt(1 / 1.5);
    else if (event.key === "-") this.zoomAt(1.5);
    else if (event.key === "0") this.zoomTo(null);
    else if (event.key.toLowerCase() === "b") this.zoomToBest();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  where(event) {
    const { left, top } = this.over.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  down(event) {
    if (event.button) return;
    this.over.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.where(event));
    if (this.pointers.size === 1) this.began = { at: this.where(event), still: true, box: event.shiftKey };
    else this.began.still = false;
  }

  move(event) {
    const now = this.where(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.on.point(this.nearest(...now));
      return;
    }
    const { at } = this.began;
    if (Math.hypot(now[0] - at[0], now[1] - at[1]) > STILL) this.began.still = false;
    if (this.began.still) return;
    this.on.point(null);
    if (this.began.box) {
      this.marks.box.setAttribute("d", `M${at}H${now[0]}V${now[1]}H${at[0]}Z`);
      return;
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (!other) this.pan(now[0] - before[0], now[1] - before[1]);
    else {
      const apart = ([x, y]) => Math.max(Math.hypot(x - other[0], y - other[1]), 1);
      this.zoomAt(apart(before) / apart(now), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    }
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size) return;
    const { at, still, box } = this.began, now = this.where(event);
    this.marks.box.removeAttribute("d");
    if (still) this.on.pick(this.nearest(...now, event.pointerType === "mouse" ? NEAR : 2 * NEAR));
    else if (box) {
      const x = [at[0], now[0]].map((across) => this.view[0] + (across - this.box.left) / this.kx).sort((a, b) => a - b);
      const y = [at[1], now[1]].map((down) => this.view[2] + (down - this.box.bottom) / this.ky).sort((a, b) => a - b);
      if (x[0] < x[1] && y[0] < y[1]) this.zoomTo([...x, ...y]);
    }
  }

  wheel(event) {
    event.preventDefault();
    this.zoomAt(Math.exp(Math.min(Math.max(event.deltaY, -120), 120) * (event.ctrlKey ? 0.01 : 0.0022)), this.where(event));
  }

  pan(across, down) {
    const [dx, dy] = [-across / this.kx, -down / this.ky], [x0, x1, y0, y1] = this.view;
    this.zoomTo([x0 + dx, x1 + dx, y0 + dy, y1 + dy]);
  }

  // Show the better half of the shown cells by the y axis.
  zoomToBest() {
    const better = Array.from(this.shown).sort((a, b) => (STATE.y.higher ? -1 : 1) * (this.y[a] - this.y[b]));
    const half = better.slice(0, Math.max(better.length >> 1, 1));
    this.zoomTo([...this.span(half, this.x), ...this.span(half, this.y)]);
  }

  // Scale the visible range by `factor`, around a position in the plot.
  zoomAt(factor, place = [(this.box.left + this.box.right) / 2, (this.box.top + this.box.bottom) / 2]) {
    const [x0, x1, y0, y1] = this.view;
    const [x, y] = [x0 + (place[0] - this.box.left) / this.kx, y0 + (place[1] - this.box.bottom) / this.ky];
    this.zoomTo([x + (x0 - x) * factor, x + (x1 - x) * factor, y + (y0 - y) * factor, y + (y1 - y) * factor]);
  }

  // Show a range, if it is neither too small nor too large; null shows all cells.
  zoomTo(view) {
    if (view) {
      const parts = [0, 2].map((n) => (view[n + 1] - view[n]) / (this.whole[n + 1] - this.whole[n]));
      if (parts.some((part) => part < 1e-5 || part > 4)) return;
    }
    this.view = view ?? this.whole;
    this.over.style.touchAction = view ? "none" : "pan-y";
    this.on.view(view && this.outward(view));
    this.draw();
  }
}

function neighbours(code) {
  return SPACE.places.flatMap((_, place) =>
    SPACE.choices.map((_, other) => neighbour(code, place, other)).filter((other) => other !== code));
}

// Return the number format for ticks, with enough decimals to distinguish them.
function tickText(ticks) {
  const gaps = ticks.slice(1).map((value, n) => value - ticks[n]), least = Math.min(...gaps);
  if (!gaps.length || Math.max(...gaps) > 1.5 * least) return short; // powers
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(least) - 1e-9), 0), 12);
  return (value) => fixed(value, digits);
}
