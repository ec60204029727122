// Cells as small diagrams.

const OPERATIONS = [
  { name: "none", short: "", kind: "" },
  { name: "skip_connect", short: "skip", kind: "skip" },
  { name: "nor_conv_1x1", short: "1×1", kind: "small" },
  { name: "nor_conv_3x3", short: "3×3", kind: "large" },
  { name: "avg_pool_3x3", short: "pool", kind: "pool" },
];
const EDGES = [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]]; // in the order of the arch string
const WIDTHS = 8; // widths of a layer in the size space: 8, 16, ..., 64 channels

function digits(code, base, places) {
  return Array.from({ length: places }, (_, n) => Math.floor(code / base ** (places - 1 - n)) % base);
}

// Return the string that names a cell of a space.
function nameOf(space, code) {
  if (space === "sss") return digits(code, WIDTHS, 5).map((digit) => 8 * (digit + 1)).join(":");
  const ops = digits(code, OPERATIONS.length, EDGES.length).map((digit) => OPERATIONS[digit].name);
  return `|${ops[0]}~0|+|${ops[1]}~0|${ops[2]}~1|+|${ops[3]}~0|${ops[4]}~1|${ops[5]}~2|`;
}

function diagram(space, code) {
  return space === "sss" ? sizes(code) : topology(code);
}

// Nodes in a row. Edges between neighbours are straight lines; the others are arcs that do not cross.
function topology(code) {
  const [left, apart, middle, radius] = [16, 76, 74, 11];
  const ops = digits(code, OPERATIONS.length, EDGES.length);
  const alive = live(ops);
  const root = svg("svg", { class: "cell", viewBox: "0 0 260 124", role: "img", "aria-label": nameOf("tss", code) });
  const names = svg("g");
  EDGES.forEach(([source, target], edge) => {
    if (!ops[edge]) return;
    const { short: text, kind } = OPERATIONS[ops[edge]];
    const [from, to] = [left + apart * source, left + apart * target];
    const rise = { 1: 0, 2: source === 0 ? 34 : -34, 3: 62 }[target - source];
    const [begin, end] = [from + (rise ? 6 : radius), to - (rise ? 7 : radius + 1)];
    const side = rise && Math.sign(rise) * 9;
    const d = rise
      ? `M${begin} ${middle - side}C${begin + 16} ${middle - rise * 1.3} ${end - 16} ${middle - rise * 1.3} ${end} ${middle - side - Math.sign(rise)}`
      : `M${begin} ${middle}H${end}`;
    const y = middle - (rise ? side * 0.25 + rise * 0.975 : 0);
    const width = 8 + 6.4 * text.length, x = (from + to) / 2;
    const dead = alive[edge] ? "" : " dead";
    root.append(svg("path", { class: `edge ${kind}${dead}`, d, "marker-end": `url(#arrow-${kind})` }));
    names.append(
      svg("rect", { class: `name ${kind}${dead}`, x: x - width / 2, y: y - 8, width, height: 16, rx: 8 }),
      svg("text", { x, y: y + 3.5 }, text));
  });
  for (let n = 0; n < 4; n++)
    root.append(
      svg("circle", { class: "node", cx: left + apart * n, cy: middle, r: radius }),
      svg("text", { x: left + apart * n, y: middle + 4 }, String(n)));
  root.append(names);
  return root;
}

// Return for each edge whether it is on a path from the input to the output.
function live(ops) {
  const arrives = [true, false, false, false], counts = [false, false, false, true];
  EDGES.forEach(([source, target], edge) => {
    if (ops[edge] && arrives[source]) arrives[target] = true;
  });
  for (const [source, target] of [[2, 3], [1, 3], [1, 2], [0, 3], [0, 2], [0, 1]])
    if (ops[EDGES.findIndex((edge) => edge[0] === source && edge[1] === target)] && counts[target])
      counts[source] = true;
  return EDGES.map(([source, target]) => arrives[source] && counts[target]);
}

function sizes(code) {
  const root = svg("svg", { class: "cell", viewBox: "0 0 260 124", role: "img", "aria-label": nameOf("sss", code) });
  digits(code, WIDTHS, 5).forEach((digit, n) => {
    const height = 11 * (digit + 1), x = 18 + 47 * n;
    root.append(
      svg("rect", { class: "width", x, y: 108 - height, width: 36, height, rx: 3 }),
      svg("text", { x: x + 18, y: 104 - height }, String(8 * (digit + 1))),
      svg("text", { class: "below", x: x + 18, y: 121 }, `layer ${n + 1}`));
  });
  return root;
}

// The arrow heads that all diagrams of the page share.
function arrows() {
  const heads = OPERATIONS.slice(1).map(({ kind }) =>
    svg("marker", { id: `arrow-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" },
      svg("path", { class: `head ${kind}`, d: "M0 0L8 4L0 8Z" })));
  return svg("svg", { width: 0, height: 0, class: "hidden", "aria-hidden": "true" }, svg("defs", {}, ...heads));
}

function operationsLegend() {
  const meanings = { large: "3×3 convolution", small: "1×1 convolution", pool: "3×3 average pooling", skip: "skip connection" };
  return html("ul", { class: "operations" },
    ...Object.entries(meanings).map(([kind, text]) => html("li", {}, html("i", { class: kind }), text)),
    html("li", {}, html("i", { class: "dead" }), "carries nothing to the output"));
}
