"use strict";
(() => {
  const list = document.querySelector(".scenarios");
  const rows = [...list.children];
  const form = document.querySelector(".controls");
  const search = form.querySelector("input");
  const order = form.querySelector("select");
  const buttons = [...form.querySelectorAll("button")];
  const nothing = document.querySelector(".nothing");
  const found = document.querySelector(".found");
  const texts = new Map(rows.map((row) => [row, row.querySelector("summary").textContent.toLowerCase()]));
  let word = "";

  const apply = () => {
    const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = (!word || row.dataset.word === word) && terms.every((term) => texts.get(row).includes(term));
      row.hidden = !fits;
      count += fits;
    }
    nothing.hidden = count > 0;
    found.textContent = `${count} of ${rows.length} scenarios`;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.word === word));
  };
  const keys = {
    "": (row) => Number(row.dataset.position),
    slow: (row) => -Number(row.dataset.slow),
    rate: (row) => Number(row.dataset.rate),
  };
  const sort = () => {
    const key = keys[order.value];
    list.append(...rows.sort((a, b) => key(a) - key(b) || a.dataset.position - b.dataset.position));
  };
  const showAll = () => {
    word = "";
    search.value = "";
    apply();
    search.focus();
  };
  const open = (element) => {
    for (let at = element; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  const openTarget = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    open(target.querySelector("details") ?? target);
    target.scrollIntoView();
  };
  const move = (by) => {
    const visible = rows.filter((row) => !row.hidden).map((row) => row.querySelector("summary"));
    const at = visible.indexOf(document.activeElement.closest?.("li[data-word]")?.querySelector("summary"));
    visible[Math.max(0, Math.min(visible.length - 1, at + by))]?.focus();
  };
  const copy = async (button) => {
    const text = button.closest("figure").querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "selected";
    }
    setTimeout(() => (button.textContent = "copy"), 1500);
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", apply);
  order.addEventListener("change", sort);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      word = button.dataset.word;
      apply();
    });
  }
  nothing.querySelector("button").addEventListener("click", showAll);
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".copy");
    if (button) copy(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target === search) return showAll();
    if (event.target.closest("input, select")) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    } else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "e") {
      for (const row of rows) if (!row.hidden && row.querySelector(".badge.bad")) open(row.firstElementChild);
    }
  });
  addEventListener("hashchange", openTarget);
  for (const part of document.querySelectorAll(".controls, .keys, .copy")) part.hidden = false;
  openTarget();
})();
