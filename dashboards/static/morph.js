// Makes `from` look like `to` and keeps the nodes that are in both, so that focus, selection, scroll places and opened
// details survive an update. Children are matched by `id` or `data-key`, else by their order.

const key = (node) => node.id || node.dataset?.key || null;
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

// What a reader opened stays open; running clocks keep their own text.
const READERS_OWN = new Set(["open"]);

function attributes(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !READERS_OWN.has(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !READERS_OWN.has(name)) from.setAttribute(name, value);
  }
}

function children(from, to) {
  const keyed = new Map([...from.childNodes].filter(key).map((node) => [key(node), node]));
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const known = key(wanted) ? keyed.get(key(wanted)) : place;
    if (known && alike(known, wanted)) {
      if (known === place) place = place.nextSibling;
      else from.insertBefore(known, place);
      morph(known, wanted);
    } else {
      from.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

export function morph(from, to) {
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  if (from.isEqualNode(to)) return;
  attributes(from, to);
  if (!from.hasAttribute("data-since")) children(from, to);
}
