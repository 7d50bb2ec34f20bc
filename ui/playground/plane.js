// Two planes, the epochs between them, the layers below. What is drawn comes from ui/playground/plane.py.

const FRAME_MS = 550, WAY_MS = 500, TURN_MS = 1500, LOST_MS = 15000;
const boards = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!boards.has(parentElement)) boards.set(parentElement, new Board(parentElement));
  boards.get(parentElement).update(data, setTriggerValue); // triggers, for the same value may be meant twice
}

class Board {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.act = (name) => root.querySelector(`[data-act="${name}"]`);
    this.slider = this.part("epochs");
    this.pusher = this.part("push");
    this.left = this.part("left");
    this.right = this.part("right");
    this.epoch = 0;
    this.brush = null;
    this.way = 1;
    this.turned = -TURN_MS;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.left);
  }

  // What Python says

  update(data, tell) {
    this.tell = tell;
    this.answered(data.push);
    const fresh = this.data?.stamp !== data.stamp;
    this.data = data;
    if (fresh) this.take(data);
    this.write();
    this.draw();
    Object.assign(this.left.dataset, { stamp: data.stamp, live: data.live }); // for whoever waits until it is drawn
  }

  take(data) {
    this.stop();
    this.points = bytesOf(data.points);
    this.pseudo = bytesOf(data.pseudo);
    this.ways = {
      steps: data.trails.steps, places: wordsOf(data.trails.places),
      reached: bytesOf(data.trails.reached), fate: bytesOf(data.trails.fate),
    };
    this.original = { ...data.beside };
    this.frames = data.frames.map((frame) => ({ ...frame }));
    const at = data.frames.findIndex((frame) => frame.epoch === data.epoch);
    this.epoch = at >= 0 ? at : this.frames.length - 1;
    this.pending = [];
    this.slider.max = String(this.frames.length - 1);
    this.push();
  }

  // A look's cells, picture and letters, made when it is first shown: few are before the next question.
  prepared(look) {
    if (!look.sheet || look.dark !== this.dark) {
      look.dark = this.dark;
      look.cells = bytesOf(look.regions);
      look.sheet = regionPicture(look.cells, look.side, this.data.colours, this.dark ? 0.7 : 1);
      look.letters = letterPlaces(look.cells, look.side, this.data.colours.length);
    }
    return look;
  }

  // Let the proxies go their way once more; not while ε is moved, which shows them going.
  push() {
    cancelAnimationFrame(this.pushing);
    this.way = 1;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches || performance.now() < this.turned + TURN_MS;
    if (still || this.data.beside.kind !== "original") return;
    const start = performance.now();
    const go = (now) => {
      this.way = Math.min(1, (now - start) / WAY_MS);
      this.drawLeft();
      if (this.way < 1) this.pushing = requestAnimationFrame(go);
    };
    this.way = 0;
    this.pushing = requestAnimationFrame(go);
  }

  // ε: while one answer is awaited, only the last place of the slider is remembered

  answered(push) {
    this.waiting = false;
    if (this.wanted === push.value) this.wanted = null;
    if (this.wanted != null) this.ask();
    else this.showPush(push);
  }

  showPush({ values, value, label, note }) {
    this.pusher.max = String(values.length - 1);
    this.pusher.value = String(values.indexOf(value));
    this.part("push-label").textContent = label;
    this.part("push-note").textContent = note;
    this.part("push-value").textContent = value.toFixed(2);
  }

  turn() {
    this.turned = performance.now();
    this.wanted = this.data.push.values[Number(this.pusher.value)];
    this.part("push-value").textContent = this.wanted.toFixed(2);
    if (!this.waiting || performance.now() > this.asked + LOST_MS) this.ask();
    this.drawLeft();
  }

  ask() {
    this.waiting = true;
    this.asked = performance.now();
    this.tell("epsilon", this.wanted);
  }

  // Epochs

  go(epoch, told = true) {
    const last = this.frames.length - 1;
    this.epoch = Math.min(last, Math.max(0, epoch));
    this.write();
    this.drawRight();
    if (told) this.tell("epoch", this.frames[this.epoch].epoch);
  }

  play() {
    if (this.timer) return this.stop(true);
    if (this.epoch === this.frames.length - 1) this.go(0, false);
    this.timer = setInterval(() => {
      this.go(this.epoch + 1, false);
      if (this.epoch === this.frames.length - 1) this.stop(true);
    }, FRAME_MS);
    this.write();
  }

  stop(told = false) {
    clearInterval(this.timer);
    this.timer = null;
    if (this.data && this.frames) this.write();
    if (told) this.tell("epoch", this.frames[this.epoch].epoch);
  }

  // Words and bars

  write() {
    const { data } = this, frame = this.frames[this.epoch], last = this.frames.length - 1;
    const figures = (look) => data.figures.map(({ key, name }) => `${name} ${percent(look[key])}`).join(" · ");
    this.part("left-title").textContent = data.titles.left;
    this.part("left-figures").textContent = figures(data.beside);
    this.part("right-title").textContent = last === 0 ? data.titles.none : `${data.titles.right} ${frame.epoch}`;
    this.part("right-figures").textContent = figures(frame);
    this.part("epoch").textContent = last === 0 ? "–" : `${frame.epoch} of ${this.frames[last].epoch}`;
    this.part("epochs-note").textContent = data.titles.note;
    this.act("play").textContent = this.timer ? "⏸ Pause" : "▶ Play";
    for (const name of ["first", "back", "play", "step"]) this.act(name).disabled = last === 0;
    this.slider.disabled = last === 0;
    this.slider.value = String(this.epoch);
    this.left.setAttribute("aria-label", data.alt.left);
    this.right.setAttribute("aria-label", `${data.alt.right}, after epoch ${frame.epoch}: ${figures(frame)}`);
    this.writeBrush();
    this.part("legend").innerHTML = data.legend;
    this.writeLayers(frame);
  }

  // Buttons stay what they are while epochs play: one that is replaced between press and release loses the press.
  writeBrush() {
    const { names, colours } = this.data, place = this.part("brush"), known = names.join() + colours.join();
    if (this.brush > names.length - 1) this.brush = null;
    if (this.brushes !== known) {
      const choices = [[null, "nothing", null], ...names.map((name, k) => [k, name, colours[k]]), [-1, "eraser", null]];
      place.replaceChildren(...choices.map((choice) => this.brushButton(...choice)));
      this.brushes = known;
    }
    for (const button of place.children) button.setAttribute("aria-pressed", String(button.dataset.value === String(this.brush)));
    for (const plane of [this.left, this.right]) plane.classList.toggle("adding", this.brush !== null);
  }

  brushButton(value, text, colour) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.value = String(value);
    if (colour) {
      const dot = document.createElement("i");
      dot.className = "dot";
      dot.style.background = colour;
      button.append(dot);
    }
    button.append(text);
    button.onclick = () => {
      this.brush = value;
      this.writeBrush();
    };
    return button;
  }

  writeLayers(frame) {
    const table = this.part("layers");
    if (!this.data.layers.length) return table.replaceChildren();
    const head = this.data.columns.map(([title, note]) => `<th>${title}<small>${note}</small></th>`).join("");
    const rows = this.data.layers.map((layer, at) => {
      const [kept, removed] = frame.parts[at] ?? [0, 0];
      return `<tr><td>${layer.title}<small>${layer.note}</small></td><td>${this.shares(layer)}</td>` +
        `<td><div class="fields">${layer.fields.map(() => "<canvas></canvas>").join("")}</div></td>` +
        `<td>${gradientBar(kept, removed, Math.max(...frame.parts.map(([a, b]) => Math.hypot(a, b))), layer.full)}</td></tr>`;
    });
    table.innerHTML = `<thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody>`;
    const pictures = this.data.layers.flatMap((layer) => layer.fields);
    table.querySelectorAll("canvas").forEach((canvas, i) => drawField(canvas, bytesOf(pictures[i]), this.data.signs.map(rgb)));
  }

  shares(layer) {
    const bars = layer.classes.map(({ class: k, shares, kept }) => {
      const pieces = shares.map((share, i) => `<i class="${i < kept ? "kept" : ""}" style="width:${100 * share}%"></i>`);
      const title = `${this.data.names[k]}: ${kept} of ${layer.dim} directions hold ${percent(100 * this.data.energy)} of the energy`;
      return `<div class="share" style="--colour:${this.data.colours[k]}" title="${title}">${pieces.join("")}</div>`;
    });
    const cut = bars.length ? `<span class="cut" style="left:${100 * this.data.energy}%"></span>` : "";
    return `<div class="shares">${bars.join("")}${cut}</div>`;
  }

  // Pictures

  pen(canvas) {
    const ratio = window.devicePixelRatio || 1, size = canvas.clientWidth;
    if (canvas.width !== Math.round(size * ratio)) canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size, size);
    const style = getComputedStyle(canvas);
    this.ink = style.getPropertyValue("--st-text-color") || "#333";
    this.paper = style.getPropertyValue("--st-background-color") || "#ffffff";
    this.dark = this.paper.startsWith("#") && Math.max(...rgb(this.paper)) < 128;
    this.faint = this.dark ? 0.9 : 0.6;
    return [pen, size];
  }

  draw() {
    if (!this.data || !this.left.clientWidth) return;
    this.drawLeft();
    this.drawRight();
  }

  drawLeft() {
    const [pen, size] = this.pen(this.left), { colours, forget, beside } = this.data;
    const original = this.prepared(this.original);
    drawRegions(pen, size, original.sheet);
    const gone = (k) => forget.includes(k);
    drawPoints(pen, size, this.points, (k) => [colours[k], null], (k) => !gone(k), this.faint);
    drawPoints(pen, size, this.points, (k) => [colours[k], null], gone);
    if (beside.kind === "original" && this.ways.steps) drawWays(pen, size, this.ways, this.way, colours, this.ink, this.paper);
    const from = this.wanted != null ? this.first(gone) : this.near;
    if (from && gone(from[2])) {
      const reach = { disc: this.data.push.disc, size: this.wanted ?? this.data.push.value };
      drawReach(pen, size, [from[0] * size, (1 - from[1]) * size], reach, this.ink);
    }
    this.drawPending(pen, size);
    drawLetters(pen, size, original.letters, this.data.names, this.ink, this.paper);
  }

  drawRight() {
    const [pen, size] = this.pen(this.right), { colours, forget, names } = this.data, frame = this.prepared(this.frames[this.epoch]);
    drawRegions(pen, size, frame.sheet);
    const gone = (k) => forget.includes(k), inks = colours.map(rgb);
    drawPoints(pen, size, this.points, (k) => [colours[k], null], (k) => !gone(k), this.faint);
    let number = 0;
    const labelled = (k) => {
      const at = names.length * number++;
      return [this.pseudo.length ? mixed([...this.pseudo.slice(at, at + names.length)], inks) : colours[k], this.data.forgotten];
    };
    drawPoints(pen, size, this.points, labelled, gone);
    this.drawPending(pen, size);
    drawLetters(pen, size, frame.letters, names, this.ink, this.paper);
  }

  drawPending(pen, size) {
    for (const [x, y, k] of this.pending) spot(pen, x * size, (1 - y) * size, 5, this.data.colours[k] ?? null, this.ink);
  }

  // What a person does

  listen() {
    const acts = { first: () => this.go(0), back: () => this.go(this.epoch - 1), step: () => this.go(this.epoch + 1) };
    for (const [name, act] of Object.entries(acts)) {
      this.act(name).onclick = () => {
        this.stop();
        act();
      };
    }
    this.act("play").onclick = () => this.play();
    this.pusher.oninput = () => this.turn();
    this.slider.oninput = () => {
      this.stop();
      this.go(Number(this.slider.value), false);
    };
    this.slider.onchange = () => this.go(Number(this.slider.value));
    for (const canvas of [this.left, this.right]) {
      canvas.addEventListener("click", (event) => this.add(...this.placeOf(canvas, event)));
      canvas.addEventListener("pointermove", (event) => this.look(...this.placeOf(canvas, event)));
      canvas.addEventListener("pointerleave", () => this.look(-1, -1));
    }
  }

  placeOf(canvas, event) {
    return [event.offsetX / canvas.clientWidth, 1 - event.offsetY / canvas.clientHeight];
  }

  add(x, y) {
    if (this.brush === null || x < 0 || x > 1 || y < 0 || y > 1) return;
    if (this.brush >= 0) this.pending.push([x, y, this.brush]);
    this.draw();
    this.tell("added", [Math.round(x * 255), Math.round(y * 255), this.brush]);
  }

  // Say what both networks read under the pointer, and show how far the attack may go from a forget point there.
  look(x, y) {
    if (!this.data) return;
    const { names } = this.data, inside = x >= 0 && x < 1 && y > 0 && y <= 1;
    const read = ({ cells, side }) => names[cells[Math.floor((1 - y) * side) * side + Math.floor(x * side)] % SURE_LEVELS] ?? "nothing";
    const words = inside ? this.data.reads.replace("{0}", read(this.prepared(this.original))).replace("{1}", read(this.prepared(this.frames[this.epoch]))) : "";
    this.part("hint").textContent = words;
    const near = inside ? this.nearest(x, y) : null;
    if (String(near) !== String(this.near)) {
      this.near = near;
      this.drawLeft();
    }
  }

  // The first point of a class that is forgotten, as an example.
  first(gone) {
    for (let i = 0; i < this.points.length; i += 3) {
      if (gone(this.points[i + 2])) return [this.points[i] / 255, this.points[i + 1] / 255, this.points[i + 2]];
    }
    return null;
  }

  nearest(x, y) {
    let best = null, least = 0.03;
    for (let i = 0; i < this.points.length; i += 3) {
      const place = [this.points[i] / 255, this.points[i + 1] / 255], distance = Math.hypot(place[0] - x, place[1] - y);
      if (distance < least) [best, least] = [[...place, this.points[i + 2]], distance];
    }
    return best;
  }
}

function percent(value) {
  return value === null || value === undefined ? "–" : `${value.toFixed(1).replace(/\.0$/, "")} %`;
}

function gradientBar(kept, removed, most, full) {
  const whole = kept * kept + removed * removed;
  if (full) return '<span class="frozen">all removed: this layer does not move</span>';
  if (!whole) return '<span class="frozen">no gradient</span>';
  const share = (100 * kept * kept) / whole, length = most ? (100 * Math.sqrt(whole)) / most : 0;
  return `<div class="split" style="width:${Math.max(6, length)}%" title="kept ${share.toFixed(0)} % of its squared length">` +
    `<span class="kept" style="width:${share}%"></span><span class="removed" style="width:${100 - share}%"></span></div>` +
    `<small>kept ${share.toFixed(0)} %</small>`;
}
