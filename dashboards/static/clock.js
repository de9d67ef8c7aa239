// Lets running times run: `<span data-since="2026-11-20T13:00:00Z">`.

const STEP_MS = 1000;

function words(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
}

export function tick() {
  for (const element of document.querySelectorAll("[data-since]")) {
    element.textContent = words(Date.now() - Date.parse(element.dataset.since));
  }
  setTimeout(tick, STEP_MS);
}
