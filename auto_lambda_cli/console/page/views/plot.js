// The backlog over time. Dragging over it zooms, as do the buttons; a sentence says what it shows.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { absolute, clock, seconds } from "../lib/format.js";
import { Empty } from "../parts/basics.js";

const LINES = [
  { name: "backlog_seconds", label: "backlog, s", color: "--accent", scale: "s" },
  { name: "visible", label: "waiting", color: "--warn", scale: "n", dash: [6, 3] },
  { name: "busy", label: "busy workers", color: "--good", scale: "n", dash: [2, 3] },
  { name: "workers", label: "workers", color: "--muted", scale: "n", dash: [10, 4] },
];

export function Plot({ series }) {
  const box = useRef(null);
  const plot = useRef(null);
  const zoomed = useRef(null);
  const [isZoomed, tell] = useState(false);
  const lines = LINES.filter(({ name }) => series.series[name]?.some((value) => value !== null));
  const data = [series.times, ...lines.map(({ name }) => series.series[name])];
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const place = box.current; // the ref is empty as soon as the page shows something else
    if (!lines.length || !place) return undefined;
    let ended = false;
    let end = () => {};
    const draw = async () => {
      const uPlot = await library();
      if (ended) return;
      const zoom = (range) => {
        zoomed.current = range;
        tell(range !== null);
      };
      plot.current = new uPlot(options(lines, place, zoom), latest.current, place);
      const resize = new ResizeObserver(() => plot.current?.setSize(size(place)));
      resize.observe(place);
      const scheme = matchMedia("(prefers-color-scheme: dark)");
      const redraw = () => plot.current?.redraw();
      scheme.addEventListener("change", redraw);
      end = () => {
        resize.disconnect();
        scheme.removeEventListener("change", redraw);
        plot.current.destroy();
        plot.current = null;
      };
    };
    draw();
    return () => {
      ended = true;
      end();
    };
  }, [lines.map(({ name }) => name).join()]);

  useEffect(() => {
    if (!plot.current) return;
    plot.current.setData(data, zoomed.current === null);
    if (zoomed.current) plot.current.setScale("x", zoomed.current);
  }, [series]);

  if (!lines.length) return html`<${Empty} title="No figures yet"><p>The checker publishes them every few seconds while it runs.</p><//>`;
  const act = (change) => () => plot.current && zoomTo(plot.current, change);
  return html`
    <p class="unseen">${summary(series)}</p>
    <div class="plot" ref=${box} aria-hidden="true"></div>
    <div class="actions plot-actions">
      <span class="note">${summary(series)} Drag over the plot to zoom.</span>
      <button type="button" onClick=${act(0.5)} aria-label="Zoom in">+</button>
      <button type="button" onClick=${act(2)} aria-label="Zoom out">−</button>
      <button type="button" onClick=${act(null)} disabled=${!isZoomed}>All</button>
    </div>`;
}

function summary({ series }) {
  const known = (name) => (series[name] ?? []).filter((value) => value !== null);
  const backlog = known("backlog_seconds");
  if (backlog.length) return `Now ${seconds(backlog[backlog.length - 1])}, at most ${seconds(Math.max(...backlog))}.`;
  const waiting = known("visible");
  return waiting.length ? `Now ${waiting[waiting.length - 1]} waiting, at most ${Math.max(...waiting)}.` : "Nothing was measured.";
}

let loading = null;

function library() {
  if (!loading) {
    const sheet = document.createElement("link");
    Object.assign(sheet, { rel: "stylesheet", href: "libraries/uplot.css" });
    document.head.append(sheet);
    loading = import("../libraries/uplot.js").then((module) => module.default);
  }
  return loading;
}

const size = (box) => ({ width: Math.max(box.clientWidth, 200), height: 240 });

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000]; // there is no half a message

const shown = (value) => (value === null || value === undefined ? "" : Math.round(value * 10) / 10);

function options(lines, box, zoom) {
  const scales = [...new Set(lines.map(({ scale }) => scale))]; // seconds at the left, numbers at the right
  const axis = { stroke: () => color("--muted"), grid: { stroke: () => color("--line"), width: 1 }, ticks: { stroke: () => color("--line"), width: 1 } };
  return {
    ...size(box),
    cursor: { drag: { x: true, y: false } },
    scales: Object.fromEntries(scales.map((scale) => [scale, { range: (_, __, max) => [0, Math.max(max * 1.05, 1)] }])),
    axes: [
      { ...axis, space: 80, values: (_, moments, __, ___, step) => moments.map((moment) => clock(moment, step < 60)) },
      ...scales.map((scale, index) => ({ ...axis, scale, size: 48, ...(scale === "n" && { incrs: COUNTS }), ...(index ? { side: 1, grid: { show: false } } : {}) })),
    ],
    series: [
      { label: "time", value: (_, moment) => (moment ? absolute(moment * 1000) : "") },
      ...lines.map(({ label, color: name, scale, dash }) => ({ label, scale, dash, value: (_, value) => shown(value), stroke: () => color(name), width: 2, spanGaps: true, points: { show: false } })),
    ],
    hooks: {
      setScale: [(plot, key) => {
        if (key !== "x") return;
        const { min, max } = plot.scales.x;
        const times = plot.data[0];
        zoom(min > times[0] || max < times[times.length - 1] ? { min, max } : null);
      }],
    },
  };
}

// Half or double what is shown, around its middle; null shows all.
function zoomTo(plot, change) {
  const times = plot.data[0];
  const [first, last] = [times[0], times[times.length - 1]];
  if (change === null) return plot.setScale("x", { min: first, max: last });
  const { min, max } = plot.scales.x;
  const middle = (min + max) / 2;
  const half = ((max - min) / 2) * change;
  return plot.setScale("x", { min: Math.max(first, middle - half), max: Math.min(last, middle + half) });
}
