// Elements of the page. Text is always added as text, so no name of a run can become markup.

function add(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function html(name, attributes = {}, ...children) {
  return add(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return add(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

// Return a row of radio buttons; `options` are pairs of a value and a text.
let choices = 0;
function choice(title, options, chosen, onchange) {
  const name = `choice-${choices++}`;
  const buttons = options.map(([value, text]) =>
    html("label", {},
      html("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onchange(value) }),
      html("span", {}, text)));
  return html("fieldset", { class: "choice" }, html("legend", {}, title), html("div", {}, ...buttons));
}

// Return the value of a colour of the style sheet; it differs between light, dark and print.
const probe = html("i", { hidden: true });
function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

// Return a button that switches the page between light and dark, independent of the system setting.
function themeSwitch(redraw) {
  const root = document.documentElement, dark = window.matchMedia("(prefers-color-scheme: dark)");
  const other = () => ((root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark");
  const button = html("button", { type: "button", class: "button theme", onclick: () => {
    root.dataset.theme = other();
    button.textContent = label();
    redraw();
  } });
  const label = () => (other() === "dark" ? "☾ Dark" : "☀ Light");
  button.textContent = label();
  dark.addEventListener("change", () => (button.textContent = label()));
  return button;
}
