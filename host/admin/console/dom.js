// Making and renewing elements. Text is only ever text here: what comes from the gateway is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`on…` are listeners) and children. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const by = (id) => document.getElementById(id);

/** Sets a text only where it differs: nothing is repainted or read aloud for nothing. */
export function say(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

export function mark(element, name, value) {
  if (value == null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/**
 * Brings the children of `list` in line with `items`: made once, renewed in place, so that focus and what is open stay.
 * `make(item)` gives `{ element, renew }`.
 */
export function each(list, items, key, make) {
  const known = (list.known ??= new Map());
  const wanted = new Set();
  let place = list.firstElementChild;
  for (const item of items) {
    const name = key(item);
    wanted.add(name);
    let part = known.get(name);
    if (!part) known.set(name, (part = make(item)));
    part.renew(item);
    if (part.element === place) place = place.nextElementSibling;
    else list.insertBefore(part.element, place);
  }
  for (const [name, part] of known) {
    if (!wanted.has(name)) {
      part.element.remove();
      known.delete(name);
    }
  }
}
