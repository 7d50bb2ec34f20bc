// How the planes look: regions, points, ways of proxies. Plain functions for plane.js, which follows.

const SURE_LEVELS = 8, POINT = 2.6, RING = 3.6;
const STAYED = 0, PROXY = 1;

function bytesOf(text) {
  const raw = atob(text ?? "");
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

function wordsOf(text) {
  const bytes = bytesOf(text);
  const words = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < words.length; i++) words[i] = bytes[2 * i] + 256 * bytes[2 * i + 1];
  return words;
}

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Regions as a small picture, one pixel a cell: the class's colour, the fainter the less sure.
function regionPicture(cells, side, colours, strength) {
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = side;
  const pen = sheet.getContext("2d"), picture = pen.createImageData(side, side), inks = colours.map(rgb);
  cells.forEach((cell, i) => {
    if (!inks[cell % SURE_LEVELS]) return; // no network has read it
    const [r, g, b] = inks[cell % SURE_LEVELS], sure = Math.floor(cell / SURE_LEVELS) / (SURE_LEVELS - 1);
    picture.data.set([r, g, b, strength * (40 + 75 * sure)], 4 * i);
  });
  pen.putImageData(picture, 0, 0);
  return sheet;
}

function drawRegions(pen, size, sheet) {
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(sheet, 0, 0, size, size);
}

function drawPoints(pen, size, points, colourOf, chosen, alpha = 1) {
  pen.globalAlpha = alpha;
  for (let i = 0; i < points.length / 3; i++) {
    if (!chosen(points[3 * i + 2])) continue;
    const [fill, rim] = colourOf(points[3 * i + 2], i);
    spot(pen, (points[3 * i] / 255) * size, (1 - points[3 * i + 1] / 255) * size, rim ? POINT + 0.6 : POINT, fill, rim);
  }
  pen.globalAlpha = 1;
}

function spot(pen, x, y, radius, fill, rim) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  if (fill) {
    pen.fillStyle = fill;
    pen.fill();
  }
  if (rim) {
    pen.lineWidth = 1.5;
    pen.strokeStyle = rim;
    pen.stroke();
  }
}

// The ways from forget points to where the attack took them, as far as `part` (0 to 1) of the way.
function drawWays(pen, size, ways, part, inks, ink, paper) {
  const { steps, places } = ways, last = Math.max(0, Math.round(part * (steps - 1)));
  for (let i = 0; i < ways.fate.length; i++) {
    const at = (step) => {
      const place = 2 * (i * steps + step);
      return [(places[place] / 65535) * size, (1 - places[place + 1] / 65535) * size];
    };
    const crossed = ways.fate[i] !== STAYED;
    pen.beginPath();
    pen.moveTo(...at(0));
    for (let step = 1; step <= last; step++) pen.lineTo(...at(step));
    pen.lineWidth = 1;
    pen.globalAlpha = ways.fate[i] === PROXY ? 0.5 : 0.3;
    pen.strokeStyle = ink;
    pen.stroke();
    pen.globalAlpha = ways.fate[i] === PROXY ? 1 : 0.5;
    if (!crossed) cross(pen, ...at(last), ink);
    else spot(pen, ...at(last), RING, ways.fate[i] === PROXY ? paper : null, inks[ways.reached[i]]);
  }
  pen.globalAlpha = 1;
}

function cross(pen, x, y, ink) {
  pen.beginPath();
  pen.moveTo(x - 2, y - 2); pen.lineTo(x + 2, y + 2);
  pen.moveTo(x - 2, y + 2); pen.lineTo(x + 2, y - 2);
  pen.lineWidth = 1;
  pen.strokeStyle = ink;
  pen.stroke();
}

// How far the attack may go from a point: a square, or a disc for a Euclidean budget.
function drawReach(pen, size, [x, y], reach, ink) {
  pen.beginPath();
  if (reach.disc) pen.arc(x, y, reach.size * size, 0, 7);
  else pen.rect(x - reach.size * size, y - reach.size * size, 2 * reach.size * size, 2 * reach.size * size);
  pen.setLineDash([4, 3]);
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink;
  pen.stroke();
  pen.setLineDash([]);
}

// A class's letter in the middle of its largest patch of cells, as far from the patch's edge as can be.
function letterPlaces(cells, side, count) {
  const depth = new Float32Array(cells.length), best = Array.from({ length: count }, () => [0, -1]);
  const same = (i, j) => j >= 0 && j < cells.length && cells[j] % SURE_LEVELS === cells[i] % SURE_LEVELS;
  const reach = (i, step, from) => (same(i, i + step) ? from[i + step] + 1 : 1);
  for (let i = 0; i < cells.length; i++) {
    depth[i] = Math.min(i % side === 0 ? 1 : reach(i, -1, depth), i < side ? 1 : reach(i, -side, depth));
  }
  for (let i = cells.length - 1; i >= 0; i--) {
    const right = i % side === side - 1 ? 1 : reach(i, 1, depth), below = i + side >= cells.length ? 1 : reach(i, side, depth);
    depth[i] = Math.min(depth[i], right, below);
    const k = cells[i] % SURE_LEVELS;
    if (best[k] && depth[i] > best[k][0]) best[k] = [depth[i], i];
  }
  return best.map(([wide, i]) => (wide > 1.5 ? [((i % side) + 0.5) / side, (Math.floor(i / side) + 0.5) / side] : null));
}

function drawLetters(pen, size, places, names, ink, paper) {
  pen.font = `700 15px ${getComputedStyle(pen.canvas).fontFamily}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  places.forEach((place, k) => {
    if (!place) return;
    pen.lineWidth = 4;
    pen.strokeStyle = paper;
    pen.strokeText(names[k], place[0] * size, place[1] * size);
    pen.fillStyle = ink;
    pen.fillText(names[k], place[0] * size, place[1] * size);
  });
}

// How strongly a direction is felt: from one colour over none to another.
function drawField(canvas, cells, [minus, none, plus]) {
  const side = Math.round(Math.sqrt(cells.length)), pen = canvas.getContext("2d");
  canvas.width = canvas.height = side;
  const picture = pen.createImageData(side, side);
  cells.forEach((cell, i) => {
    const part = (cell - 128) / 127, end = part < 0 ? minus : plus;
    picture.data.set([0, 1, 2].map((c) => none[c] + Math.abs(part) * (end[c] - none[c])).concat(255), 4 * i);
  });
  pen.putImageData(picture, 0, 0);
}

function mixed(shares, inks) {
  const sum = shares.reduce((a, b) => a + b, 0) || 1;
  const parts = [0, 1, 2].map((c) => Math.round(shares.reduce((whole, share, k) => whole + share * inks[k][c], 0) / sum));
  return `rgb(${parts.join(",")})`;
}
