// A scatter plot on a canvas: hover shows the picture behind a point, click and lasso select, points glide to their
// new places when the data change, zoom and selection stay. What is drawn comes from ui/scatter/__init__.py.

const REACH = 14, CLICK = 4, PADDING = 22, GLIDE_MS = 600;
const plots = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!plots.has(parentElement)) plots.set(parentElement, new Plot(parentElement));
  plots.get(parentElement).update(data, (points) => setStateValue("picked", points));
}

class Plot {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector(".map");
    this.tip = root.querySelector(".tip");
    this.view = { zoom: 1, x: 0, y: 0 };
    this.tool = "lasso";
    this.picked = new Set(); // here
    this.marked = new Set(); // on the map beside it
    this.alone = null;
    this.near = -1;
    this.sheet = new Image();
    this.sheet.onload = () => this.showTip();
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.canvas.parentElement);
  }

  // What Python says

  update(data, tell) {
    const before = this.data ? this.places() : null;
    this.data = data;
    this.tell = tell;
    this.picked = new Set(data.picked);
    this.marked = new Set(data.marked);
    if (data.sheet && this.sheet.src !== data.sheet) this.sheet.src = data.sheet;
    this.canvas.setAttribute("aria-label", data.alt);
    this.canvas.style.height = `${data.height}px`;
    this.near = -1;
    this.tip.hidden = true;
    if (this.alone !== null && this.alone >= data.legend.length) this.alone = null;
    this.writeLegend();
    this.resize();
    if (before && before.length === data.x.length) this.glide(before);
  }

  writeLegend() {
    const list = this.root.querySelector(".legend");
    list.replaceChildren(...this.data.legend.map((entry, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(this.alone === index));
      button.append(symbol(entry.mark ?? DOT, entry.colour ?? "currentColor"), entry.text);
      button.onclick = () => {
        this.alone = this.alone === index ? null : index;
        this.writeLegend();
        this.draw();
      };
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  }

  glide(from) {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const to = this.places();
    if (still || from.every(([x, y], i) => Math.hypot(x - to[i][0], y - to[i][1]) < 0.5)) return;
    const start = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - start) / GLIDE_MS);
      const ease = t * t * (3 - 2 * t);
      this.between = from.map(([x, y], i) => [x + (to[i][0] - x) * ease, y + (to[i][1] - y) * ease]);
      if (t === 1) this.between = null;
      this.draw();
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
    cancelAnimationFrame(this.frame);
    this.between = from;
    this.frame = requestAnimationFrame(step);
  }

  // Where things are

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.width = width;
    this.height = height;
    this.ratio = ratio;
    this.draw();
  }

  place(x, y) {
    const [left, right, low, high] = this.data.span;
    const fit = Math.min((this.width - 2 * PADDING) / (right - left), (this.height - 2 * PADDING) / (high - low));
    const scale = fit * this.view.zoom;
    return [
      this.width / 2 + (x - (left + right) / 2) * scale + this.view.x,
      this.height / 2 - (y - (low + high) / 2) * scale + this.view.y,
    ];
  }

  places() {
    return this.between ?? this.data.x.map((x, i) => this.place(x, this.data.y[i]));
  }

  nearest(x, y) {
    let best = -1, least = REACH;
    this.places().forEach(([px, py], i) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance <= least && this.lit(i)) [best, least] = [i, distance];
    });
    return best;
  }

  lit(i) {
    if (this.alone === null) return true;
    const { group, mark } = this.data.legend[this.alone];
    return (group == null || this.data.colour[i] === group) && (mark == null || this.data.mark[i] === mark);
  }

  // The points that stand out: picked here or marked.
  chosen() {
    return new Set([...this.picked, ...this.marked]);
  }

  // Painting: the rest is in drawing.js

  draw() {
    if (this.data && this.width) drawPlot(this);
  }

  showTip() {
    if (!this.data || this.near < 0) {
      this.tip.hidden = true;
      return;
    }
    const i = this.near;
    this.tip.querySelector("span").textContent = this.data.texts[this.data.text[i]];
    const [x, y] = this.places()[i];
    drawThumbnail(this, this.tip.querySelector("canvas"), i);
    this.tip.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 16 + width > this.width ? x - 16 - width : x + 16;
    const top = Math.min(Math.max(4, y - height / 2), this.height - height - 4);
    this.tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  }

  // What a person does

  listen() {
    const map = this.canvas;
    map.addEventListener("pointerdown", (event) => this.begin(event));
    map.addEventListener("pointermove", (event) => this.follow(event));
    map.addEventListener("pointerup", (event) => this.end(event));
    map.addEventListener("pointercancel", () => this.drop());
    map.addEventListener("pointerleave", () => this.look(-1));
    map.addEventListener("blur", () => this.look(-1));
    map.addEventListener("keydown", (event) => this.press(event));
    map.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // plain turning scrolls the page
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.offsetX, event.offsetY);
    }, { passive: false });
    for (const button of this.root.querySelectorAll("[data-tool]")) button.onclick = () => this.take(button.dataset.tool);
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      button.onclick = () => this.zoom(Number(button.dataset.zoom), this.width / 2, this.height / 2);
    }
  }

  take(tool) {
    this.tool = tool;
    this.canvas.classList.toggle("move", tool === "move");
    for (const button of this.root.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
  }

  zoom(factor, x, y) {
    if (factor === 0) {
      this.view = { zoom: 1, x: 0, y: 0 };
    } else {
      const { view } = this;
      const grown = Math.min(40, Math.max(0.5, view.zoom * factor)) / view.zoom;
      const [dx, dy] = [x - this.width / 2, y - this.height / 2];
      this.view = { zoom: view.zoom * grown, x: dx + (view.x - dx) * grown, y: dy + (view.y - dy) * grown };
    }
    this.look(-1);
    this.draw();
  }

  begin(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.loop = this.tool === "lasso" ? [[event.offsetX, event.offsetY]] : null;
    this.grip = { x: event.offsetX, y: event.offsetY, moved: 0, view: this.view };
    this.look(-1);
  }

  follow(event) {
    const [x, y] = [event.offsetX, event.offsetY];
    if (!this.grip) {
      this.look(this.nearest(x, y));
      return;
    }
    this.grip.moved = Math.max(this.grip.moved, Math.hypot(x - this.grip.x, y - this.grip.y));
    if (this.loop) this.loop.push([x, y]);
    else this.view = { ...this.view, x: this.grip.view.x + x - this.grip.x, y: this.grip.view.y + y - this.grip.y };
    this.draw();
  }

  end(event) {
    const { grip, loop } = this;
    this.drop();
    if (!grip) return;
    if (grip.moved < CLICK) {
      const i = this.nearest(event.offsetX, event.offsetY);
      this.pick(i < 0 ? [] : [i], event.shiftKey);
    } else if (loop) {
      const places = this.places();
      this.pick(places.flatMap((place, i) => (this.lit(i) && inside(place, loop) ? [i] : [])), event.shiftKey);
    }
  }

  drop() {
    this.grip = this.loop = null;
    this.draw();
  }

  press(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in ways) this.look(this.next(...ways[event.key]));
    else if (event.key === "Enter" && this.near >= 0) this.pick([this.near], event.shiftKey);
    else if (event.key === "Escape") this.pick([], false);
    else return;
    event.preventDefault();
  }

  // The nearest point in a direction; from nowhere, the one nearest to the middle.
  next(dx, dy) {
    const places = this.places();
    if (this.near < 0) return this.middlemost(places);
    const [x, y] = places[this.near];
    let best = this.near, least = Infinity;
    places.forEach(([px, py], i) => {
      const along = (px - x) * dx + (py - y) * dy;
      const across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (this.lit(i) && along > 0.5 && along >= across && along + across < least) [best, least] = [i, along + across];
    });
    return best;
  }

  middlemost(places) {
    let best = -1, least = Infinity;
    places.forEach(([px, py], i) => {
      const distance = Math.hypot(px - this.width / 2, py - this.height / 2);
      if (this.lit(i) && distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  look(i) {
    if (i === this.near) return;
    this.near = i;
    this.showTip();
    this.draw();
  }

  pick(points, add) {
    const wanted = add ? [...new Set([...this.picked, ...points])] : points;
    if (wanted.length === 0 && this.picked.size === 0) return;
    this.picked = new Set(wanted);
    this.draw();
    this.tell(wanted);
  }
}
