// Numbers: unpacking and formatting.

const MISSING = 65535;
const FINE_MISSING = 2 ** 24 - 1;

function bytesOf(text) {
  const characters = atob(text), bytes = new Uint8Array(characters.length);
  for (let n = 0; n < bytes.length; n++) bytes[n] = characters.charCodeAt(n);
  return bytes;
}

// Unpack 16-bit integers, low byte first.
function wholes(text) {
  const bytes = bytesOf(text);
  return Uint16Array.from({ length: bytes.length / 2 }, (_, n) => bytes[2 * n] + 256 * bytes[2 * n + 1]);
}

// Unpack integers of any size, seven bits per byte, low bits first; the eighth bit is set if more bytes follow.
function counts(text) {
  const found = [];
  let value = 0, scale = 1;
  for (const byte of bytesOf(text)) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte < 128) {
      found.push(value);
      value = 0;
      scale = 1;
    }
  }
  return Uint32Array.from(found);
}

// Unpack decimal numbers, stored as steps of the last decimal above `low`; NaN if missing.
function decimals(column) {
  const unit = 10 ** column.decimals;
  return Float64Array.from(wholes(column.steps), (step) =>
    step === MISSING ? NaN : (column.low + step) / unit);
}

// Unpack decimal numbers of 24 bits, compressed: all low bytes, then all middle bytes, then all high bytes.
async function inflated(column) {
  const stream = new Blob([bytesOf(column.steps)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const cells = bytes.length / 3, unit = 10 ** column.decimals;
  const values = new Float64Array(cells);
  for (let n = 0; n < cells; n++) {
    const step = bytes[n] + 256 * bytes[cells + n] + 65536 * bytes[2 * cells + n];
    values[n] = step === FINE_MISSING ? NaN : (column.low + step) / unit;
  }
  return values;
}

const FORMATS = new Map(); // cached, because creating a format is slower than using it

function fixed(value, digits, signDisplay = "auto") {
  const key = `${digits} ${signDisplay}`;
  if (!FORMATS.has(key))
    FORMATS.set(key, new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay }));
  return FORMATS.get(key).format(value);
}

// Format a number with about four significant digits, without an exponent.
function short(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en", { maximumFractionDigits: Math.min(digits, 12) });
}

function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const DURATIONS = [[86400, "days", 2], [3600, "hours", 2], [60, "minutes", 2], [1, "seconds", 0]];

// Return the largest suitable unit for a duration in seconds: its length in seconds and its name.
function durationUnit(seconds) {
  return DURATIONS.find(([size, , least]) => seconds >= least * size);
}
