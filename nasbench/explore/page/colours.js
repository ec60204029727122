// The colour of each cell, and the legend.

const SHADES = 24; // colours of a ramp
const RAMP = 5; // colours of the style sheet that a ramp interpolates

const COUNTED = DATA.space === "tss" ? "operations" : "layers";
const COLOURS = [
  { label: `${SPACE.choice} on ${SPACE.place}`, options: SPACE.places.map((place, n) => [`on:${n}`, `${SPACE.choice} on ${SPACE.place} ${place}`]) },
  { label: `number of ${COUNTED}`, options: SPACE.choices.map(({ text }, n) => [`count:${n}`, `number of ${text}`]) },
  { label: "rank", options: [["rank", "rank by the y axis"], ["plain", "one colour"]] },
  ...[...GROUPS].map(([label, columns]) => ({ label, options: columns.map((column) => [`metric:${column.id}`, column.title]) })),
];

function isColour(name) {
  return COLOURS.some(({ options }) => options.some(([value]) => value === name));
}

function rgb(name) {
  return colour(name).match(/[\d.]+/g).slice(0, 3).map(Number);
}

// Return `count` colours from the low end of the ramp to its high end.
function ramp(count) {
  const stops = Array.from({ length: RAMP }, (_, n) => rgb(`ramp-${n}`));
  return Array.from({ length: count }, (_, n) => {
    const at = count === 1 ? RAMP - 1 : (n / (count - 1)) * (RAMP - 1);
    const [low, part] = [Math.min(Math.floor(at), RAMP - 2), at - Math.min(Math.floor(at), RAMP - 2)];
    return stops[low].map((value, i) => value + part * (stops[low + 1][i] - value));
  });
}

// Return {number: a byte per code, the index of its colour; colours: arrays [red, green, blue]; legend: an element}.
function colouring() {
  const [kind, ...rest] = STATE.colour.split(":"), argument = rest.join(":");
  const number = new Uint8Array(CELLS);
  const each = (shade) => { for (let code = 0; code < CELLS; code++) number[code] = shade(code); };
  if (kind === "plain") return { number, colours: [rgb("accent")], legend: html("span") };
  if (kind === "on" || kind === "count") {
    const n = Number(argument);
    each(kind === "on" ? (code) => choiceAt(code, n)
      : (code) => WEIGHTS.reduce((count, _, place) => count + (choiceAt(code, place) === n), 0));
    const named = kind === "on" && DATA.space === "tss";
    const colours = named ? SPACE.choices.map((choice) => rgb(choice.kind)) : ramp(kind === "on" ? BASE : PLACES + 1);
    const texts = kind === "on" ? SPACE.choices.map(({ text }) => text) : Array.from({ length: PLACES + 1 }, (_, i) => String(i));
    return { number, colours, legend: html("ul", { class: "keys" }, ...texts.map((text, i) => html("li", {}, dot(colours[i]), text))) };
  }
  const column = kind === "rank" ? STATE.y : COLUMN.get(argument);
  const colours = [...ramp(SHADES), rgb("none")];
  let place, ends;
  if (kind === "rank") { // the square root of the rank, to spread the best cells
    place = (code) => 1 - Math.sqrt((column.rank(code) - 1) / column.sorted.length);
    ends = [fixed(column.sorted.length, 0), "1"];
  } else { // the central 90 % of the values; the others have the colours of the ends
    const [low, high] = [0.05, 0.95].map((part) => column.sorted[Math.round(part * (column.sorted.length - 1))]);
    place = (code) => (high > low ? (column.values[code] - low) / (high - low) : 1);
    ends = [`≤ ${short(low)}`, `≥ ${short(high)} ${column.unit}`];
  }
  each((code) => {
    const at = place(code);
    return Number.isNaN(at) ? SHADES : Math.min(Math.max(Math.floor(at * SHADES), 0), SHADES - 1);
  });
  const bar = `linear-gradient(to right, ${ramp(RAMP).map(css).join(", ")})`;
  return { number, colours, legend: html("span", { class: "ramp" }, ends[0], html("i", { style: `background:${bar}` }), ends[1]) };
}

function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

function dot(shade) {
  return html("span", { class: "swatch", style: `background:${css(shade)}`, "aria-hidden": "true" });
}
