// Charts over time, drawn as SVG: columns that are stacked, or a line with its
// area. Each says its newest figures in words; pointer and arrow keys move a
// cursor that reads out any other time.

import {clock, el, hatched, hatches, setText, svg} from "./dom.js";

const height = 170;
const left = 58, right = 8, top = 10, bottom = 22;
const plotHeight = height - top - bottom;

let charts = 0;

// Chart draws into a figure. options: title, help, series [{name, label, of}]
// where of(column) is the value; format(value) for axis and cursor; kind is
// "columns" or "line"; max is a fixed upper end.
export class Chart {
  constructor(figure, options) {
    Object.assign(this, options);
    this.id = ++charts;
    this.columns = [];
    this.cursor = null;
    this.width = 600; // in pixels, as the figure has it
    this.now = el("strong", {class: "now"});
    this.readout = el("p", {class: "readout", "aria-live": "polite"});
    this.canvas = svg("svg", {
      height, role: "img", tabindex: "0",
      "aria-label": this.title, "aria-describedby": `readout-${this.id}`,
      on: {
        keydown: e => this.key(e),
        pointermove: e => this.point(e),
        pointerleave: () => this.move(null),
        blur: () => this.move(null),
      },
    }, this.patterns());
    this.readout.id = `readout-${this.id}`;
    this.plot = svg("g");
    this.hair = svg("line", {class: "hair", y1: top, y2: top + plotHeight, visibility: "hidden"});
    this.canvas.append(this.plot, this.hair);
    figure.append(
      el("figcaption", {}, el("h3", {title: this.help || null}, this.title), this.now),
      this.canvas, this.legend(), this.readout);
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  resize() {
    const width = Math.round(this.canvas.getBoundingClientRect().width);
    if (width < 100 || width === this.width) return;
    this.width = width;
    if (this.from !== undefined) this.draw(this.columns, this.from, this.to, this.now.textContent);
  }

  get plotWidth() { return this.width - left - right; }

  patterns() {
    return svg("defs", {}, this.series.filter(s => hatches[s.name]).map(s => hatched(`p${this.id}-${s.name}`, s.name)));
  }

  fillOf(s) { return hatches[s.name] ? {fill: `url(#p${this.id}-${s.name})`} : {class: `f-${s.name}`}; }

  legend() {
    if (this.series.length < 2) return "";
    return el("ul", {class: "legend"}, this.series.map(s => {
      s.item = el("li", {title: s.help || null},
        svg("svg", {viewBox: "0 0 12 12", class: "swatch", "aria-hidden": "true"}, svg("rect", {width: 12, height: 12, rx: 2, ...this.fillOf(s)})), s.label);
      return s.item;
    }));
  }

  // draw takes columns [{at, span, …}], oldest first, between two times in
  // seconds, and what the newest figures are in words.
  draw(columns, from, to, words) {
    Object.assign(this, {columns, from, to});
    setText(this.now, words);
    this.canvas.setAttribute("aria-label", `${this.title}: ${words}. Arrow keys read out other times.`);
    const peak = this.max || nice(Math.max(0, ...columns.map(c => this.total(c))), this.binary);
    this.peak = peak;
    const parts = this.axes(peak);
    if (this.kind === "line") parts.push(...this.line());
    else for (const c of columns) parts.push(...this.stack(c));
    if (!columns.some(c => c.seen)) {
      parts.push(svg("text", {class: "empty", x: left + this.plotWidth / 2, y: top + plotHeight / 2, "text-anchor": "middle"}, "no traffic in this time"));
    }
    this.plot.replaceChildren(...parts);
    for (const s of this.series) if (s.item) s.item.hidden = !columns.some(c => s.of(c));
    this.show();
  }

  total(c) { return this.series.reduce((n, s) => n + (s.of(c) || 0), 0); }
  x(at) { return left + (at - this.from) / (this.to - this.from) * this.plotWidth; }
  y(value) { return top + plotHeight * (1 - Math.min(1, value / this.peak)); }

  axes(peak) {
    const parts = [];
    for (const part of [0, 0.5, 1]) {
      const y = top + plotHeight * (1 - part);
      parts.push(svg("line", {class: "grid", x1: left, x2: this.width - right, y1: y, y2: y}),
        svg("text", {x: left - 6, y: y + 4, "text-anchor": "end"}, peak || this.max ? this.format(peak * part) : part ? "" : "0"));
    }
    const span = this.to - this.from;
    const marks = this.width < 420 ? 2 : 4;
    for (let i = 0; i <= marks; i++) {
      const at = this.from + span * i / marks;
      const anchor = i === 0 ? "start" : i === marks ? "end" : "middle";
      parts.push(svg("text", {x: this.x(at), y: height - 6, "text-anchor": anchor}, clock(new Date(at * 1000), span < 3600)));
    }
    return parts;
  }

  stack(c) {
    const x0 = Math.max(left, this.x(c.at)), x1 = Math.min(this.width - right, this.x(c.at + c.span));
    const parts = [];
    let sum = 0;
    for (const s of this.series) {
      const value = s.of(c) || 0;
      if (value <= 0 || x1 <= x0) continue;
      const y1 = this.y(sum), y0 = this.y(sum += value);
      parts.push(svg("rect", {x: x0, y: y0, width: Math.max(1, x1 - x0 - 1), height: Math.max(0.5, y1 - y0), ...this.fillOf(s)}));
    }
    return parts;
  }

  // line draws runs of columns that have a value; a lone one is a dot.
  line() {
    const s = this.series[0], parts = [];
    let run = [];
    const end = () => {
      if (run.length === 1) parts.push(svg("circle", {cx: run[0][0], cy: run[0][1], r: 3, class: `f-${s.name}`}));
      if (run.length > 1) {
        const d = "M" + run.map(p => `${p[0].toFixed(1)} ${p[1].toFixed(1)}`).join("L");
        parts.push(svg("path", {d: `${d}V${top + plotHeight}H${run[0][0].toFixed(1)}Z`, class: `area f-${s.name}`}),
          svg("path", {d, class: `stroke s-${s.name}`}));
      }
      run = [];
    };
    for (const c of this.columns) {
      const value = s.of(c);
      if (value === null) end();
      else run.push([Math.min(this.width - right, Math.max(left, this.x(c.at + c.span / 2))), this.y(value)]);
    }
    end();
    return parts;
  }

  key(e) {
    const last = this.columns.length - 1;
    if (last < 0) return;
    const now = this.columns.findIndex(c => c.at === this.cursor);
    const next = {ArrowLeft: now < 0 ? last : now - 1, ArrowRight: now < 0 ? last : now + 1, Home: 0, End: last}[e.key];
    if (e.key === "Escape") this.move(null);
    if (next === undefined) return;
    e.preventDefault();
    this.move(this.columns[Math.min(last, Math.max(0, next))].at);
  }

  point(e) {
    const box = this.canvas.getBoundingClientRect();
    const at = this.from + (e.clientX - box.left - left) / this.plotWidth * (this.to - this.from);
    const c = this.columns.find(c => at >= c.at && at < c.at + c.span);
    this.move(c ? c.at : null);
  }

  move(at) {
    this.cursor = at;
    this.show();
  }

  // show places the cursor and reads out what is there.
  show() {
    const c = this.cursor === null ? null : this.columns.find(c => c.at === this.cursor);
    this.hair.setAttribute("visibility", c ? "visible" : "hidden");
    if (!c) {
      setText(this.readout, "");
      return;
    }
    const x = this.x(c.at + c.span / 2);
    this.hair.setAttribute("x1", x);
    this.hair.setAttribute("x2", x);
    const parts = this.series.filter(s => s.of(c)).map(s => `${s.label} ${this.format(s.of(c))}`);
    setText(this.readout, `${clock(new Date(c.at * 1000))}: ${parts.join(", ") || (c.seen ? this.format(0) : "no traffic")}`);
  }
}

// nice is the next round number at or above n: of decimal units, or of bytes.
function nice(n, binary) {
  if (n <= 0) return binary ? 1024 : 1;
  const unit = binary ? 2 ** (10 * Math.max(0, Math.floor(Math.log2(n) / 10))) : 1;
  n /= unit;
  const power = 10 ** Math.floor(Math.log10(n));
  for (const step of [1, 2, 4, 5, 10]) if (step * power >= n) return step * power * unit;
  return 10 * power * unit;
}

// gather sums the points of a history into columns of so many seconds.
export function gather(points, step, span, names) {
  const columns = new Map();
  for (const p of points) {
    const at = Math.floor(p.at / span) * span;
    let c = columns.get(at);
    if (!c) columns.set(at, c = {at, span, covered: 0, results: {}, sent: 0, saved: 0, seen: false});
    c.covered += step;
    c.sent += p.bytes_sent || 0;
    c.saved += p.bytes_saved || 0;
    for (const name of names) {
      const n = (p.results || {})[name] || 0;
      if (n) {
        c.results[name] = (c.results[name] || 0) + n;
        c.seen = true;
      }
    }
  }
  for (const c of columns.values()) c.covered = Math.min(c.covered, c.span);
  return [...columns.values()].sort((a, b) => a.at - b.at);
}
