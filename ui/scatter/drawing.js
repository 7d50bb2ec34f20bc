// How the scatter plot looks: points, names, the lasso, thumbnails. Plain functions for scatter.js, which follows.

const DOT = 0, RING = 1, DIAMOND = 2;
const ORDER = [DOT, DIAMOND, RING]; // what is drawn later lies on top
const FEW = 12; // so many chosen points get a ring each; of more, the rest is dimmed only
const NAME_LIFT = 15; // names stand above their class, not on its points

function drawPlot(plot) {
  const pen = plot.canvas.getContext("2d");
  pen.setTransform(plot.ratio, 0, 0, plot.ratio, 0, 0);
  pen.clearRect(0, 0, plot.width, plot.height);
  const style = getComputedStyle(plot.canvas);
  const ink = style.getPropertyValue("--st-text-color") || "#333";
  const paper = style.getPropertyValue("--st-background-color") || "#fff";
  const places = plot.places(), chosen = plot.chosen();
  for (const mark of ORDER) {
    places.forEach(([x, y], i) => {
      if (plot.data.mark[i] !== mark) return;
      drawPoint(plot, pen, i, x, y, !plot.lit(i) || (chosen.size > 0 && !chosen.has(i)));
    });
  }
  pen.globalAlpha = 1;
  if (chosen.size <= FEW) for (const i of chosen) if (places[i]) circle(pen, ...places[i], 8, ink, 2);
  if (plot.near >= 0) circle(pen, ...places[plot.near], 10, ink, 2.5);
  drawNames(plot, pen, ink, paper);
  if (plot.loop) drawLoop(plot, pen, ink);
}

function drawPoint(plot, pen, i, x, y, dim) {
  const mark = plot.data.mark[i];
  pen.globalAlpha = dim ? 0.17 : mark === RING ? 1 : 0.7;
  pen.fillStyle = pen.strokeStyle = plot.data.colours[plot.data.colour[i]];
  pen.beginPath();
  if (mark === DIAMOND) {
    pen.moveTo(x, y - 4.5); pen.lineTo(x + 4.5, y); pen.lineTo(x, y + 4.5); pen.lineTo(x - 4.5, y); pen.fill();
  } else if (mark === RING) {
    pen.lineWidth = 1.5;
    pen.arc(x, y, 4.5, 0, 7); pen.stroke();
  } else {
    pen.arc(x, y, 3, 0, 7); pen.fill();
  }
}

function drawNames(plot, pen, ink, paper) {
  pen.font = `700 15px ${getComputedStyle(plot.canvas).fontFamily}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  for (const { text, x, y } of plot.data.names) {
    const [px, top] = plot.place(x, y);
    const py = Math.max(12, top - NAME_LIFT);
    pen.lineWidth = 5;
    pen.strokeStyle = paper;
    pen.strokeText(text, px, py);
    pen.fillStyle = ink;
    pen.fillText(text, px, py);
  }
}

function drawLoop(plot, pen, ink) {
  pen.beginPath();
  plot.loop.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.setLineDash([5, 4]);
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink;
  pen.stroke();
  pen.setLineDash([]);
}

function drawThumbnail(plot, canvas, i) {
  const pen = canvas.getContext("2d");
  const [width, height] = plot.data.cell;
  const column = i % plot.data.columns, row = Math.floor(i / plot.data.columns);
  pen.clearRect(0, 0, 96, 96);
  if (!plot.sheet.complete || !plot.sheet.naturalWidth) return;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(plot.sheet, column * width, row * height, width, height, 0, 0, 96, 96);
}

function circle(pen, x, y, radius, colour, width) {
  pen.beginPath();
  pen.lineWidth = width;
  pen.strokeStyle = colour;
  pen.arc(x, y, radius, 0, 7);
  pen.stroke();
}

function inside([x, y], loop) {
  let within = false;
  for (let i = 0, j = loop.length - 1; i < loop.length; j = i++) {
    const [ax, ay] = loop[i], [bx, by] = loop[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}

function symbol(mark, colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-7 -7 14 14");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", mark === DIAMOND ? "path" : "circle");
  if (mark === DIAMOND) shape.setAttribute("d", "M0-5.5 5.5 0 0 5.5-5.5 0Z");
  else shape.setAttribute("r", mark === RING ? "5" : "4.5");
  shape.setAttribute("fill", mark === RING ? "none" : colour);
  if (mark === RING) {
    shape.setAttribute("stroke", colour);
    shape.setAttribute("stroke-width", "2");
  }
  svg.append(shape);
  return svg;
}
