// The table: its cells by code, the choices that make a cell, and its metrics.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SPACE = {
  tss: {
    place: "edge", choice: "operation",
    places: EDGES.map(([source, target]) => `${source}→${target}`),
    choices: OPERATIONS.map(({ name, short: text, kind }) => ({ name, text: text || "none", kind: kind || "none" })),
  },
  sss: {
    place: "layer", choice: "width",
    places: ["1", "2", "3", "4", "5"],
    choices: Array.from({ length: WIDTHS }, (_, n) => ({ name: `${8 * (n + 1)} channels`, text: String(8 * (n + 1)), kind: "" })),
  },
}[DATA.space];
const PLACES = SPACE.places.length, BASE = SPACE.choices.length, CELLS = BASE ** PLACES;
const WEIGHTS = SPACE.places.map((_, place) => BASE ** (PLACES - 1 - place));
const INDEX = wholes(DATA.index); // the official index of each code
const CODES = new Uint16Array(CELLS); // the code of each official index
INDEX.forEach((index, code) => (CODES[index] = code));

function choiceAt(code, place) {
  return Math.floor(code / WEIGHTS[place]) % BASE;
}

// Return the code of the cell with another choice at one place.
function neighbour(code, place, other) {
  return code + (other - choiceAt(code, place)) * WEIGHTS[place];
}

// Return the code for an official index or arch string; null if the text is neither.
function codeNamed(text) {
  const name = text.trim();
  if (/^\d+$/.test(name)) return CODES[Number(name)] ?? null;
  for (let code = 0; code < CELLS; code++) if (nameOf(DATA.space, code) === name) return code;
  return null;
}

class Column {
  constructor(data, values) {
    Object.assign(this, data, { values, id: `${data.dataset}/${data.label}` });
    this.title = `${this.dataset} ${this.label} [${this.unit}]`;
    this.group = `${this.dataset}, ${this.protocol ? plural(this.protocol, "epoch") : this.hardware ? "devices" : "network"}`;
    [this.low, this.high] = [Infinity, -Infinity];
    for (const value of values) { // NaN changes neither
      if (value < this.low) this.low = value;
      if (value > this.high) this.high = value;
    }
    const largest = Math.max(Math.abs(this.low), Math.abs(this.high)) || 1;
    this.digits = Math.min(Math.max(5 - Math.floor(Math.log10(largest)), 0), Math.max(this.decimals, 0)); // six significant digits
    this.few = Math.min(Math.max((BASE > 5 ? 2 : 3) - Math.floor(Math.log10(this.high - this.low || 1)), 0), this.digits); // digits of a difference
  }

  // The known values, ascending; sorted on first use.
  get sorted() {
    this.ascending ??= this.values.filter((value) => !Number.isNaN(value)).sort();
    return this.ascending;
  }

  // Return how many known values are below a number, or with `inclusive` at most equal to it.
  count(value, inclusive) {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] < value || (inclusive && this.sorted[middle] === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Return the rank: 1 + the number of strictly better cells; NaN without a value.
  rank(code) {
    const value = this.values[code];
    if (Number.isNaN(value)) return NaN;
    return 1 + (this.higher ? this.sorted.length - this.count(value, true) : this.count(value, false));
  }

  text(code) {
    const value = this.values[code];
    return Number.isNaN(value) ? "not recorded" : fixed(value, this.digits);
  }

  // Return 1 if a difference is an improvement, -1 if it is a deterioration, 0 if it is neither.
  better(difference) {
    return Math.sign(difference) * (this.higher ? 1 : -1) || 0;
  }
}

const COLUMNS = await Promise.all(DATA.columns.map(async (column) => new Column(column, await inflated(column))));
const COLUMN = new Map(COLUMNS.map((column) => [column.id, column]));
const GROUPS = Map.groupBy(COLUMNS, ({ group }) => group);
