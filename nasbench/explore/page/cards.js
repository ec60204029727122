// One cell, or two side by side: diagram, neighbours and all values.

class Cards {
  constructor(place) {
    this.find = html("input", { type: "search", placeholder: "index or arch string", "aria-label": "find a cell by index or arch string", onchange: () => this.look() });
    this.title = html("h2");
    this.pin = html("button", { type: "button", class: "button", onclick: () => togglePin() });
    this.figures = html("div", { class: "figures" });
    this.differs = html("p", { class: "note" });
    this.name = html("code");
    this.copy = html("button", { type: "button", class: "button small", onclick: () => copy(this.copy, nameOf(DATA.space, this.code)) }, "Copy");
    this.changes = html("p", { class: "note" });
    this.buttons = SPACE.places.map((name, at) => SPACE.choices.map((_, other) => html("button", {
      type: "button", class: "change", tabindex: -1, onclick: () => pick(neighbour(this.code, at, other)),
      onpointerenter: () => highlight(neighbour(this.code, at, other)), onfocus: () => highlight(neighbour(this.code, at, other)),
      onpointerleave: () => highlight(null), onblur: () => highlight(null),
      onkeydown: (event) => this.key(event, at, other),
    })));
    this.buttons[0][0].tabIndex = 0;
    const header = html("tr", {}, html("th", {}, SPACE.place), ...SPACE.choices.map(({ text, kind }) => html("th", { scope: "col", class: kind }, text)));
    const rows = SPACE.places.map((name, at) => html("tr", {}, html("th", { scope: "row" }, name), ...this.buttons[at].map((button) => html("td", {}, button))));
    this.table = html("table", { class: "neighbours" }, html("thead", {}, header), html("tbody", {}, ...rows));
    this.groups = [...GROUPS].map(([name, columns]) => new Values(name, columns, () => this.drawValues()));
    this.announced = html("p", { class: "unseen", "aria-live": "polite" });
    place.append(
      html("div", { class: "head" }, this.title, this.pin, this.find),
      this.figures, this.differs, html("div", { class: "named" }, this.name, this.copy),
      html("h3", {}, `${PLACES * (BASE - 1)} neighbours`), this.changes, html("div", { class: "wide" }, this.table),
      html("h3", {}, "Values"), ...this.groups.map(({ place: group }) => group), this.announced);
    this.code = null;
    this.pinned = null;
  }

  look() {
    const code = codeNamed(this.find.value);
    this.find.setCustomValidity(code === null && this.find.value ? "no cell has this index or arch string" : "");
    if (code === null) this.find.reportValidity();
    else pick(code);
  }

  key(event, at, other) {
    const ways = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in ways)) return;
    const [down, right] = ways[event.key];
    this.enter(Math.min(Math.max(at + down, 0), PLACES - 1), Math.min(Math.max(other + right, 0), BASE - 1));
    event.preventDefault();
  }

  // Move the focus to a neighbour; only one button is a tab stop.
  enter(at, other) {
    for (const button of this.buttons.flat()) button.tabIndex = -1;
    this.buttons[at][other].tabIndex = 0;
    this.buttons[at][other].focus();
  }

  draw(code, pinned) {
    const other = pinned !== null && pinned !== code;
    this.code = code;
    this.pinned = other ? pinned : null;
    this.title.textContent = other ? `${INDEX[pinned]} and ${INDEX[code]}` : `Cell ${INDEX[code]}`;
    this.pin.textContent = pinned === null ? "Pin" : "Unpin";
    this.pin.setAttribute("aria-pressed", String(pinned !== null));
    const card = (each, text) => html("figure", {}, html("figcaption", {}, text, html("b", {}, String(INDEX[each]))), diagram(DATA.space, each));
    this.figures.replaceChildren(...(other ? [card(pinned, "pinned "), card(code, "cell ")] : [diagram(DATA.space, code)]));
    this.differs.textContent = !other ? "" : `Differences: ${SPACE.places.flatMap((name, at) => {
      const [before, after] = [pinned, code].map((each) => SPACE.choices[choiceAt(each, at)].text);
      return before === after ? [] : `${SPACE.place} ${name}: ${before}, ${after}`;
    }).join("; ")}`;
    this.name.textContent = nameOf(DATA.space, code);
    const { y } = STATE;
    this.changes.textContent = `${y.dataset} ${y.label} with another ${SPACE.choice} on one ${SPACE.place}: difference [${y.unit}]`;
    const here = y.values[code];
    this.buttons.forEach((buttons, at) => buttons.forEach((button, choice) => {
      const next = neighbour(code, at, choice), difference = y.values[next] - here;
      const { name, text, kind } = SPACE.choices[choice];
      const same = next === code, where = `${SPACE.place} ${SPACE.places[at]}`;
      button.className = `change ${same ? `same ${kind}` : ["worse", "", "better"][y.better(difference) + 1] ?? ""}`;
      button.textContent = same ? text : Number.isNaN(difference) ? "–" : fixed(difference, y.few, "exceptZero");
      button.setAttribute("aria-label", same ? `${name} on ${where}, unchanged`
        : `${name} on ${where}: cell ${INDEX[next]}, ${y.label} ${y.text(next)} ${y.unit}`);
      button.title = same ? "" : `cell ${INDEX[next]}: ${y.text(next)} ${y.unit}`;
      button.setAttribute("aria-current", String(same));
    }));
    this.drawValues();
  }

  drawValues() {
    if (this.code !== null) for (const group of this.groups) group.draw(this.code, this.pinned);
  }

  // Announce the selected cell to screen readers.
  say(code) {
    const { x, y } = STATE;
    this.announced.textContent = `Cell ${INDEX[code]}: ${y.label} ${y.text(code)} ${y.unit}, rank ${y.rank(code)}; ${x.label} ${x.text(code)} ${x.unit}`;
  }
}

// The values of a data set and protocol, collapsed unless an axis shows one of them.
class Values {
  constructor(name, columns, onopen) {
    this.columns = columns;
    this.cells = columns.map(() => Array.from({ length: 4 }, () => html("td")));
    this.rows = columns.map((column, n) => html("tr", {},
      html("th", { scope: "row", title: `${column.meaning}; ${column.origin}` },
        ...column.label.split(/(?<=_)/).flatMap((part) => [html("wbr"), part]), html("small", {}, ` ${column.unit}`)), ...this.cells[n]));
    const open = columns.some((column) => DATA.start.includes(COLUMNS.indexOf(column)));
    this.heads = ["value", "rank", "", ""].map((text) => html("th", { scope: "col" }, text));
    this.place = html("details", { class: "group", open, ontoggle: onopen }, html("summary", {}, name),
      html("table", { class: "values" }, html("thead", {}, html("tr", {}, html("th", {}, "metric"), ...this.heads)), html("tbody", {}, ...this.rows)));
  }

  draw(code, pinned) {
    if (!this.place.open) return;
    const heads = pinned === null ? ["value", "rank"] : [String(INDEX[pinned]), String(INDEX[code]), "difference", "rank"];
    this.heads.forEach((head, n) => {
      head.textContent = heads[n] ?? "";
      head.hidden = n >= heads.length;
    });
    this.columns.forEach((column, n) => {
      const rank = column.rank(code), place = Number.isNaN(rank) ? "–" : fixed(rank, 0);
      const difference = pinned === null ? NaN : column.values[code] - column.values[pinned];
      const texts = pinned === null ? [column.text(code), place]
        : [column.text(pinned), column.text(code), Number.isNaN(difference) ? "–" : fixed(difference, column.digits, "exceptZero"), place];
      this.cells[n].forEach((cell, i) => {
        cell.textContent = texts[i] ?? "";
        cell.hidden = i >= texts.length;
        cell.className = i === 2 ? ["worse", "", "better"][column.better(difference) + 1] ?? "" : "";
      });
      this.rows[n].classList.toggle("axis", column === STATE.x || column === STATE.y);
    });
  }
}
