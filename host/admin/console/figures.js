// From totals to rates and quantiles, and numbers to read.

/** Differences of totals between two looks; a gateway that began anew starts from nothing. */
export function between(old, now) {
  if (!old || now.requests < old.requests) return null;
  const minus = (a, b) => Object.fromEntries(Object.keys(a).map((key) => [key, a[key] - (b[key] ?? 0)]));
  return {
    requests: now.requests - old.requests,
    statuses: minus(now.statuses, old.statuses),
    buckets: now.buckets.map((count, i) => count - (old.buckets[i] ?? 0)),
  };
}

export function sum(all) {
  const total = { requests: 0, statuses: {}, buckets: [] };
  for (const one of all) {
    total.requests += one.requests;
    for (const [name, count] of Object.entries(one.statuses)) {
      total.statuses[name] = (total.statuses[name] ?? 0) + count;
    }
    one.buckets.forEach((count, i) => (total.buckets[i] = (total.buckets[i] ?? 0) + count));
  }
  return total;
}

/** Seconds, within its bucket in proportion; Infinity beyond the last bound; null where nothing was. */
export function quantile(share, { requests, buckets }, bounds) {
  if (!requests) return null;
  const rank = share * requests;
  const at = buckets.findIndex((count) => count >= rank);
  if (at < 0) return Infinity;
  const [from, below] = at ? [bounds[at - 1], buckets[at - 1]] : [0, 0];
  const inside = buckets[at] - below;
  return from + (bounds[at] - from) * (inside ? (rank - below) / inside : 1);
}

export function rate(perSecond) {
  if (perSecond == null) return "–";
  if (perSecond === 0) return "0";
  if (perSecond < 10) return perSecond.toFixed(perSecond < 0.1 ? 2 : 1);
  return count(Math.round(perSecond));
}

export function time(seconds) {
  if (seconds == null) return "–";
  if (seconds === Infinity) return "> 10 s";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${trim(seconds * 1e3)} ms`;
  return `${trim(seconds)} s`;
}

const trim = (number) => (number < 10 ? number.toFixed(1) : String(Math.round(number)));

export function share(part, whole) {
  if (!whole) return "–";
  if (!part) return "0 %";
  const percent = (100 * part) / whole;
  return percent < 0.1 ? "< 0.1 %" : `${trim(percent)} %`;
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit && number < 10 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

export function count(number) {
  return number.toLocaleString("en");
}

export const short = (digest) => (digest ? digest.slice(0, 12) : "unread");

/** The time of day, of an RFC 3339 text. */
export const clock = (text) => new Date(text).toLocaleTimeString("en-GB");
