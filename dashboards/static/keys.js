// Arrow keys move between the links of a `[data-grid]`. Tab still reaches every one of them.

const HORIZONTAL = { ArrowLeft: -1, ArrowRight: 1 };
const VERTICAL = { ArrowUp: -1, ArrowDown: 1 };

function beside(links, from, step) {
  return links[links.indexOf(from) + step];
}

// The nearest link of the next row up or down that has one.
function above(grid, from, step) {
  const rows = [...grid.querySelectorAll("tr")].filter((row) => row.querySelector("a.trial"));
  const row = rows[rows.indexOf(from.closest("tr")) + step];
  if (!row) return undefined;
  const x = from.getBoundingClientRect().left;
  const far = (link) => Math.abs(link.getBoundingClientRect().left - x);
  return [...row.querySelectorAll("a.trial")].sort((a, b) => far(a) - far(b))[0];
}

export function gridKeys() {
  document.addEventListener("keydown", (event) => {
    const from = event.target.closest?.("[data-grid] a.trial");
    if (!from || event.altKey || event.ctrlKey || event.metaKey) return;
    const grid = from.closest("[data-grid]");
    const links = [...grid.querySelectorAll("a.trial")];
    const to =
      event.key in HORIZONTAL ? beside(links, from, HORIZONTAL[event.key])
      : event.key in VERTICAL ? above(grid, from, VERTICAL[event.key])
      : event.key === "Home" ? links[0]
      : event.key === "End" ? links.at(-1)
      : undefined;
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
}
