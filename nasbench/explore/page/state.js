// The state of the page, also stored in the part of its address after `#`, so a link restores it.

const EVERY = 2 ** BASE - 1; // a bit for each choice

const STATE = {};

function initial() {
  const [x, y] = DATA.start.map((n) => COLUMNS[n]);
  return {
    x, y, logX: false, logY: false, colour: DATA.space === "tss" ? "count:3" : "rank",
    view: null, // [low, high, low, high] of x and y; null: all
    allowed: Array(PLACES).fill(EVERY), // bits of the choices at each place
    ranges: new Map(), // [low, high] by column
    cell: null, pin: null, // codes
  };
}

function toHash() {
  const { x, y, logX, logY, colour, view, allowed, ranges, cell, pin } = STATE;
  const parts = new URLSearchParams({ x: x.id, y: y.id, colour });
  if (logX || logY) parts.set("log", (logX ? "x" : "") + (logY ? "y" : ""));
  if (view) parts.set("view", view.map((value) => Number(value.toPrecision(7))).join(","));
  if (allowed.some((bits) => bits !== EVERY)) parts.set("allowed", allowed.join(","));
  for (const [column, range] of ranges) parts.append("range", [column.id, ...range].join(","));
  if (cell !== null) parts.set("cell", INDEX[cell]);
  if (pin !== null) parts.set("pin", INDEX[pin]);
  return `#${parts.toString().replaceAll("%2F", "/").replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%40", "@")}`;
}

// Return the state of a link; parts that do not fit this table are ignored.
function fromHash(hash) {
  const state = initial(), parts = new URLSearchParams(hash.slice(1));
  for (const axis of ["x", "y"]) state[axis] = COLUMN.get(parts.get(axis)) ?? state[axis];
  state.logX = parts.get("log")?.includes("x") ?? false;
  state.logY = parts.get("log")?.includes("y") ?? false;
  if (isColour(parts.get("colour"))) state.colour = parts.get("colour");
  const numbers = (text, count) => {
    const values = text?.split(",").map(Number) ?? [];
    return values.length === count && values.every(Number.isFinite) ? values : null;
  };
  const view = numbers(parts.get("view"), 4);
  if (view && view[0] < view[1] && view[2] < view[3]) state.view = view;
  const allowed = numbers(parts.get("allowed"), PLACES);
  if (allowed) state.allowed = allowed.map((bits) => bits & EVERY);
  for (const text of parts.getAll("range")) {
    const [id, ...rest] = text.split(",");
    const range = numbers(rest.join(","), 2);
    if (COLUMN.has(id) && range) state.ranges.set(COLUMN.get(id), range);
  }
  for (const name of ["cell", "pin"]) if (parts.has(name)) state[name] = codeNamed(parts.get(name));
  return state;
}

// Return which cells pass the filters, a byte per code.
function passing() {
  const shown = new Uint8Array(CELLS).fill(1);
  STATE.allowed.forEach((bits, place) => {
    if (bits !== EVERY)
      for (let code = 0; code < CELLS; code++) if (!((bits >> choiceAt(code, place)) & 1)) shown[code] = 0;
  });
  for (const [{ values }, [low, high]] of STATE.ranges)
    for (let code = 0; code < CELLS; code++) if (!(values[code] >= low && values[code] <= high)) shown[code] = 0;
  return shown;
}
