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

// The cell that has another choice at one place.
function neighbour(code, place, other) {
  return code + (other - choiceAt(code, place)) * WEIGHTS[place];
}

// The code of an official index or of the string that names a cell; null if it is neither.
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
    for (const value of values) { // NaN is neither
      if (value < this.low) this.low = value;
      if (value > this.high) this.high = value;
    }
    const largest = Math.max(Math.abs(this.low), Math.abs(this.high)) || 1;
    this.digits = Math.min(Math.max(5 - Math.floor(Math.log10(largest)), 0), Math.max(this.decimals, 0)); // six in all
    this.few = Math.min(Math.max((BASE > 5 ? 2 : 3) - Math.floor(Math.log10(this.high - this.low || 1)), 0), this.digits); // of a difference
  }

  // The known values, ascending; sorted when they are first asked for.
  get sorted() {
    this.ascending ??= this.values.filter((value) => !Number.isNaN(value)).sort();
    return this.ascending;
  }

  // How many known values are below a number, or at most it.
  count(value, inclusive) {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] < value || (inclusive && this.sorted[middle] === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // One more than the number of cells that are strictly better; NaN without a value.
  rank(code) {
    const value = this.values[code];
    if (Number.isNaN(value)) return NaN;
    return 1 + (this.higher ? this.sorted.length - this.count(value, true) : this.count(value, false));
  }

  text(code) {
    const value = this.values[code];
    return Number.isNaN(value) ? "not recorded" : fixed(value, this.digits);
  }

  // Whether a difference is for the better, 1, the worse, -1, or nothing, 0.
  better(difference) {
    return Math.sign(difference) * (this.higher ? 1 : -1) || 0;
  }
}

const COLUMNS = await Promise.all(DATA.columns.map(async (column) => new Column(column, await inflated(column))));
const COLUMN = new Map(COLUMNS.map((column) => [column.id, column]));
const GROUPS = Map.groupBy(COLUMNS, ({ group }) => group);
