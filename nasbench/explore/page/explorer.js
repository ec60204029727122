// The page: controls, plot, filters and cells, redrawn when their content changes.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const MOMENT = 250; // milliseconds until the address is updated
let hovered = null, highlighted = null, shown, writing;

const current = () => hovered ?? STATE.cell ?? plot.best;

const plotPlace = html("div", { class: "picture plot" });
const plot = new Plot(plotPlace, {
  marked: () => ({ cell: current(), pin: STATE.pin, other: highlighted }),
  pick: (code) => pick(code),
  point: (code) => {
    if (code === hovered) return;
    hovered = code;
    plotPlace.classList.toggle("at", code !== null);
    drawCell();
  },
  view: (view) => {
    STATE.view = view;
    remember();
  },
});
const legend = html("div", { class: "legend" });
const explained = html("p", { class: "note" });
const controls = html("div", { class: "controls" });
const filterPlace = html("section", { class: "filters" });
const cardPlace = html("section", { class: "card", "aria-label": "selected cell" });
const filters = new Filters(filterPlace);
const cards = new Cards(cardPlace);

function axis(name, label) {
  const log = html("input", { type: "checkbox", onchange: () => change({ [`log${name.toUpperCase()}`]: log.checked, view: null }) });
  const select = metricSelect(label, "", (column) => change({ [name]: column, view: null }));
  return {
    place: html("div", { class: "axis" }, select, html("label", { class: "log" }, log, "log")),
    draw: () => {
      select.querySelector("select").value = STATE[name].id;
      log.checked = STATE[`log${name.toUpperCase()}`];
    },
  };
}

const axes = [axis("y", "y axis"), axis("x", "x axis")];
const colours = metricSelect("colour", "", (_, value) => change({ colour: value }), null, COLOURS);

// Apply changes to the state, and redraw the affected parts.
function change(patch) {
  Object.assign(STATE, patch);
  const has = (...names) => names.some((name) => name in patch);
  if (has("x", "y", "logX", "logY")) plot.locate();
  if (has("allowed", "ranges")) shown = passing();
  if (has("x", "y", "logX", "logY", "colour", "allowed", "ranges")) fill();
  if (has("view") && !STATE.view) plot.zoomTo(null);
  drawCell();
  remember();
}

function fill() {
  const painted = colouring();
  plot.fill(shown, painted);
  plot.best = plot.front.at(STATE.x === STATE.y ? 0 : -1) ?? 0;
  const count = shown.reduce((sum, one) => sum + one, 0);
  const missing = count - plot.shown.length;
  legend.replaceChildren(html("span", {}, colours.querySelector(`option[value="${STATE.colour}"]`).textContent), painted.legend,
    html("span", { class: "front-key" }, `Pareto front: ${plural(plot.front.length, "cell")}`));
  explained.replaceChildren(...[["y axis", STATE.y], ["x axis", STATE.x]].map(([way, column], n) =>
    `${way}: ${column.dataset} ${column.label}, ${column.higher ? "higher" : "lower"} is better: ${column.meaning}${column.protocol ? `; ${plural(column.protocol, "epoch")}` : ""}; ${column.origin}.${n ? "" : " "}`),
  missing ? ` ${plural(missing, "cell")} not shown: a value is not recorded or has no logarithm.` : "");
  axes.forEach((each) => each.draw());
  colours.querySelector("select").value = STATE.colour;
  filters.draw(count);
  plot.draw();
}

function drawCell() {
  cards.draw(current(), STATE.pin);
  plot.mark();
}

function pick(code) {
  change({ cell: code });
  if (code !== null) cards.say(code);
}

function highlight(code) {
  highlighted = code;
  plot.mark();
}

function togglePin() {
  change({ pin: STATE.pin === null ? current() : null });
}

// Update the address, a moment after the last change.
function remember() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", toHash()), MOMENT);
}

async function copy(button, text) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "No access";
  }
  setTimeout(() => (button.textContent = before), 1200);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
  if (event.key === "Escape") {
    if (cardPlace.contains(event.target)) plot.over.focus();
    else change(STATE.pin === null ? { cell: null } : { pin: null });
  } else if (event.key.toLowerCase() === "p") togglePin();
  else if (event.key.toLowerCase() === "n") cards.enter(0, 0);
  else if (event.key === "/") cards.find.focus();
  else return;
  event.preventDefault();
}

function restore() {
  change(fromHash(location.hash));
}

function start() {
  document.documentElement.classList.add("drawn");
  document.body.append(arrows());
  const tool = (text, label, onclick) => html("button", { type: "button", class: "button", "aria-label": label, title: label, onclick }, text);
  const link = tool("Copy link", "copy a link to this view", () => {
    history.replaceState(null, "", toHash());
    copy(link, location.href);
  });
  controls.append(axes[0].place, axes[1].place,
    tool("⇄", "swap the axes", () => change({ x: STATE.y, y: STATE.x, logX: STATE.logY, logY: STATE.logX, view: null })), colours);
  plotPlace.append(html("div", { class: "zoom" },
    html("span", { class: "steps" }, tool("+", "zoom in", () => plot.zoomAt(1 / 1.5)), tool("−", "zoom out", () => plot.zoomAt(1.5))),
    tool("Better half", "show the better half by the y axis", () => plot.zoomToBest()), tool("All", "show all", () => plot.zoomTo(null))));
  document.querySelector("header").append(html("div", { class: "tools" }, link, themeSwitch(fill)));
  document.getElementById("explorer").append(
    html("div", { class: "main" }, controls, plotPlace, legend, explained, html("p", { class: "note keyboard" },
      "Keys: arrows: next cell; F: along the front; N: neighbours; P: pin; /: find; + − B 0: zoom; Escape: back. Drag to move, use the wheel to zoom, Shift and drag to zoom to a box.")), cardPlace, filterPlace);
  plot.resize();
  restore();
  new ResizeObserver(() => plot.resize()).observe(plotPlace);
  window.addEventListener("hashchange", restore);
  document.addEventListener("keydown", keys);
  dark.addEventListener("change", fill);
}

start();
