// Lines by epoch that grow while they are looked at. What is drawn comes from ui/figures/curves.py.

const DASHES = { solid: "none", dash: "9 6", dot: "3 3" };
const RIGHT = 30, GAP = 8, LABEL = 4, BESIDE = 12;
const boards = new WeakMap();

export default function ({ data, parentElement }) {
  if (!boards.has(parentElement)) boards.set(parentElement, new Board(parentElement));
  boards.get(parentElement).update(data);
}

class Board {
  constructor(root) {
    this.picture = root.querySelector("svg");
    this.tip = root.querySelector("output");
    this.place = null; // where the pointer is, across
    this.picture.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.picture.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(this.picture.parentElement);
  }

  update(data) {
    this.data = data;
    this.draw();
  }

  draw() {
    const { data, picture } = this;
    const width = picture.parentElement.clientWidth;
    if (!data || !width) return;
    const ticks = data.panels.flatMap((panel) => panel.ticks.map(([, words]) => words.length));
    this.area = {
      left: 1.6 * data.font + 0.62 * data.font * Math.max(1, ...ticks), right: width - RIGHT,
      top: data.legend ? 2 * data.font : GAP, bottom: data.height - 3.4 * data.font,
    };
    picture.setAttribute("viewBox", `0 0 ${width} ${data.height}`);
    picture.setAttribute("aria-label", data.alt);
    picture.style.height = `${data.height}px`;
    picture.style.fontSize = `${data.font}px`;
    picture.innerHTML = [
      this.across(), ...data.panels.map((panel) => this.panel(panel)), data.legend ? this.legend() : "",
      data.empty ? text((this.area.left + this.area.right) / 2, (this.area.top + this.area.bottom) / 2, data.empty) : "",
      '<line class="here"/>',
    ].join("");
    picture.dataset.points = Math.max(0, ...this.lines().map((line) => line.points.length)); // for whoever waits
    this.point(this.place);
  }

  lines() {
    return this.data.panels.flatMap((panel) => panel.lines);
  }

  x(value) {
    const { low, high } = this.data.across;
    return round(this.area.left + ((value - low) / (high - low)) * (this.area.right - this.area.left));
  }

  y(panel, value) {
    const { top, bottom } = this.area;
    const share = panel.bottom - ((value - panel.low) / (panel.high - panel.low)) * (panel.bottom - panel.top);
    return round(top + share * (bottom - top));
  }

  across() {
    const { area, data } = this;
    const ticks = data.across.ticks, widest = Math.max(...ticks.map(([, label]) => label.length), 1) * 0.8 * data.font;
    const fit = Math.ceil((widest * ticks.length) / (area.right - area.left)); // every so manieth has room for its words
    const words = ticks.map(([value, label], place) => (
      place % fit ? "" : text(this.x(value), area.bottom + 1.2 * data.font, label)
    ));
    const middle = (area.left + area.right) / 2;
    return words.join("") + text(middle, area.bottom + 2.8 * data.font, data.across.title);
  }

  panel(panel) {
    const { area, data } = this;
    const parts = data.empty ? [] : panel.ticks.map(([value]) => this.flat(this.y(panel, value), 'class="grid"'));
    for (const [value, label] of panel.ticks) {
      parts.push(text(area.left - LABEL, this.y(panel, value) + data.font / 3, label, 'class="end"'));
    }
    const middle = this.y(panel, (panel.low + panel.high) / 2);
    parts.push(text(0, 0, panel.title, `transform="translate(${data.font} ${middle}) rotate(-90)"`));
    for (const level of panel.levels) {
      const at = this.y(panel, level.y);
      const beside = at + (level.above ? -LABEL : data.font + LABEL / 2);
      parts.push(this.flat(at, stroke(level)));
      parts.push(text(area.right, beside, level.text, `class="end" style="fill:${safe(level.colour)}"`));
    }
    for (const line of panel.lines) {
      const points = line.points.map(([x, y]) => `${this.x(x)},${this.y(panel, y)}`);
      parts.push(`<polyline points="${points.join(" ")}" fill="none" ${stroke(line)}/>`);
      for (const point of points) {
        const [cx, cy] = point.split(",");
        parts.push(`<circle cx="${cx}" cy="${cy}" r="3" fill="${safe(line.colour)}"/>`);
      }
    }
    return parts.join("");
  }

  legend() {
    const { area, data } = this;
    let at = area.left;
    return this.lines().map((line) => {
      const begin = at;
      at += 30 + BESIDE + 0.62 * data.font * line.name.length;
      const y = data.font * 0.8;
      return `<path d="M${round(begin)} ${round(y)}h24" ${stroke(line)}/>`
        + text(begin + 30, y + data.font / 3, line.name, 'class="start"');
    }).join("");
  }

  flat(at, how) {
    return `<path d="M${round(this.area.left)} ${at}H${round(this.area.right)}" ${how}/>`;
  }

  // What the lines say of the epoch next to the pointer.
  point(place) {
    this.place = place;
    const { picture, tip, data } = this;
    const epochs = data && place !== null ? [...new Set(this.lines().flatMap((line) => line.points.map(([x]) => x)))] : [];
    const far = (x) => Math.abs(this.x(x) - place);
    const near = epochs.length ? epochs.reduce((best, x) => (far(x) < far(best) ? x : best)) : null;
    const mark = picture.querySelector(".here");
    tip.hidden = near === null;
    if (!mark) return;
    mark.style.display = near === null ? "none" : "";
    if (near === null) return;
    const at = this.x(near);
    for (const [name, value] of Object.entries({ x1: at, x2: at, y1: this.area.top, y2: this.area.bottom })) {
      mark.setAttribute(name, value);
    }
    const said = this.lines().flatMap(({ name, points }) => {
      const found = points.find(([x]) => x === near);
      return found ? [`${name} ${Number(found[1].toPrecision(3))}`] : [];
    });
    tip.textContent = [`${data.across.title} ${near}`, ...said].join("\n");
    const left = at > (this.area.left + this.area.right) / 2;
    Object.assign(tip.style, {
      top: `${this.area.top}px`, left: left ? "" : `${at + GAP}px`,
      right: left ? `${picture.clientWidth - at + GAP}px` : "",
    });
  }
}

function round(number) {
  return Math.round(10 * number) / 10;
}

function safe(words) {
  return String(words).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function stroke({ colour, width, dash }) {
  return `stroke="${safe(colour)}" stroke-width="${Number(width)}" stroke-dasharray="${DASHES[dash] ?? "none"}"`;
}

function text(x, y, words, more = "") {
  return words ? `<text x="${round(x)}" y="${round(y)}" ${more}>${safe(words)}</text>` : "";
}
