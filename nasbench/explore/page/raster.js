// Many small discs in a canvas, drawn pixel by pixel: without a graphics card this is several times faster
// than the drawing functions of the canvas.

const PHASES = 4; // positions of a disc's centre within a pixel, along each axis

class Raster {
  constructor(canvas) {
    this.canvas = canvas;
    this.paint = canvas.getContext("2d");
    this.brushes = new Map();
  }

  resize(width, height) {
    Object.assign(this, { width: Math.max(width, 1), height: Math.max(height, 1) });
    Object.assign(this.canvas, { width: this.width, height: this.height });
    this.image = this.paint.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  clear() {
    this.pixels.fill(0);
  }

  show() {
    this.paint.putImageData(this.image, 0, 0);
  }

  // Set the radius in pixels and the opacity of the next discs.
  brush(radius, strength) {
    const key = `${radius.toFixed(2)} ${strength}`;
    if (this.brushes.size > 50) this.brushes.clear();
    if (!this.brushes.has(key)) this.brushes.set(key, this.brushOf(radius, strength));
    Object.assign(this, this.brushes.get(key));
  }

  // Return the coverage of each pixel around a disc's centre, 0 to 255, for each phase.
  brushOf(radius, strength) {
    const reach = Math.ceil(radius) + 1, size = 2 * reach + 1;
    const covers = Array.from({ length: PHASES * PHASES }, (_, phase) => {
      const [x, y] = [(phase % PHASES) / PHASES, Math.floor(phase / PHASES) / PHASES];
      return Uint8Array.from({ length: size * size }, (_, n) => {
        const apart = Math.hypot((n % size) - reach - x, Math.floor(n / size) - reach - y);
        return 255 * strength * Math.min(Math.max(radius + 0.5 - apart, 0), 1);
      });
    });
    return { reach, size, covers };
  }

  // Draw the disc at a position, above earlier ones.
  dab(across, down, [red, green, blue]) {
    const { width, height, pixels, reach, size } = this;
    const column = Math.floor(across), row = Math.floor(down);
    if (!(column >= -reach && column < width + reach && row >= -reach && row < height + reach)) return;
    const cover = this.covers[PHASES * Math.floor((down - row) * PHASES) + Math.floor((across - column) * PHASES)];
    const ink = (blue << 16) | (green << 8) | red;
    const first = Math.max(reach - column, 0), last = Math.min(width - 1 - column + reach, size - 1);
    for (let line = Math.max(reach - row, 0); line < size && row - reach + line < height; line++) {
      const start = (row - reach + line) * width + column - reach;
      for (let n = first; n <= last; n++) {
        const over = cover[line * size + n];
        if (over === 0) continue;
        const under = pixels[start + n];
        if (over === 255 || under === 0) pixels[start + n] = (over << 24) | ink;
        else {
          const left = ((under >>> 24) * (255 - over)) / 255, total = over + left;
          pixels[start + n] = (Math.round(total) << 24)
            | (((blue * over + ((under >> 16) & 255) * left) / total) << 16)
            | (((green * over + ((under >> 8) & 255) * left) / total) << 8)
            | ((red * over + (under & 255) * left) / total);
        }
      }
    }
  }
}
