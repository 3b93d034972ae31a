// A line of the last two minutes. Its box never changes its size.

import { svg } from "./dom.js";

export const POINTS = 60;

export function spark(width, height) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const box = { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  const base = svg("path", { class: "base", d: `M0 ${height - 1}H${width}` });
  const element = svg("svg", box, base, area, line);
  function renew(values) {
    const most = Math.max(...values, Number.MIN_VALUE);
    const step = width / (POINTS - 1);
    const from = width - (values.length - 1) * step;
    const point = (value, i) => `${(from + i * step).toFixed(1)} ${(height - 2 - ((height - 5) * value) / most).toFixed(1)}`;
    const path = values.length > 1 ? `M${values.map(point).join("L")}` : "";
    line.setAttribute("d", path);
    area.setAttribute("d", path && `${path}L${width} ${height}L${from.toFixed(1)} ${height}Z`);
  }
  return { element, renew };
}

/** A grate in its slot: the more of a route's plugin time it takes, the deeper it hangs. `depth` is 0 to 1. */
export function grate() {
  const bars = svg("g", { class: "bars" });
  for (const x of [9, 16, 23]) bars.append(svg("path", { d: `M${x} -30V-2l0 0M${x - 1.6} -4L${x} 0L${x + 1.6} -4` }));
  for (const y of [-24, -17, -10]) bars.append(svg("path", { d: `M5 ${y}H27` }));
  const frame = svg("path", { class: "frame", d: "M3 34V12a13 12 0 0 1 26 0V34" });
  const inside = svg("svg", { x: 4, y: 2, width: 24, height: 32, viewBox: "4 2 24 32" }, bars);
  const element = svg("svg", { class: "grate", viewBox: "0 0 32 36", "aria-hidden": "true" }, inside, frame);
  function renew(depth) {
    bars.setAttribute("transform", `translate(0 ${(9 + 24 * depth).toFixed(1)})`);
  }
  renew(0);
  return { element, renew };
}
