// What pages do beyond HTML: keys, completion of searches, and live figures.
// Everything else works without this file. No page has a script of its own.
"use strict";

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// ── keys ──────────────────────────────────────────────────────────────────────────────────────
function typing(target) {
  return target.closest("input, select, textarea, [contenteditable], dialog") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const known = { "/": focusSearch, "?": showKeys, m: enterMatrix };
  if (event.key in known && known[event.key]()) event.preventDefault();
});

function focusSearch() {
  const box = one("input[type=search]");
  box?.focus();
  box?.select();
  return Boolean(box);
}

function showKeys() {
  one("#keys").showModal();
  return true;
}

function enterMatrix() {
  const square = one('.matrix a[tabindex="0"]');
  square?.focus();
  return Boolean(square);
}

// ── the matrix: one stop for Tab, arrows inside ───────────────────────────────────────────────
function link(row, column) {
  return row?.cells[column] && one("a", row.cells[column]);
}

function step(links, from, key) {
  const cell = from.closest("th, td");
  const row = cell.parentElement;
  const rows = links.rows;
  const down = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[key];
  if (down) {
    const sign = Math.sign(down);
    let at = Math.min(Math.max(rows.indexOf(row) + down, 0), rows.length - 1);
    while (rows[at] && !link(rows[at], cell.cellIndex)) at += sign;
    return link(rows[at], cell.cellIndex);
  }
  const ends = { Home: 0, End: row.cells.length - 1 };
  const sign = key === "ArrowRight" || key === "Home" ? 1 : -1;
  let column = key in ends ? ends[key] : cell.cellIndex + sign;
  while (row.cells[column] && !link(row, column)) column += sign;
  return link(row, column);
}

function rove(region) {
  const rows = all("tbody tr:not(.band)", region);
  if (!rows.length) return;
  let current = link(rows[0], 0) ?? one("tbody a", region);
  for (const found of all("tbody a", region)) found.tabIndex = -1;
  if (current) current.tabIndex = 0;
  region.addEventListener("focusin", ({ target }) => {
    if (!target.matches("tbody a")) return;
    current.tabIndex = -1;
    current = target;
    current.tabIndex = 0;
  });
  region.addEventListener("keydown", (event) => {
    if (!/^(Arrow|Home|End|Page)/.test(event.key) || !event.target.matches("tbody a")) return;
    event.preventDefault();
    step({ rows }, event.target, event.key)?.focus();
  });
}

// ── the search box: an ARIA combobox over /api/v1/complete ────────────────────────────────────
function combobox(combo) {
  const input = one("input", combo);
  const list = document.createElement("ul");
  list.id = `${input.id}-list`;
  list.role = "listbox";
  list.setAttribute("aria-label", "Completions");
  list.hidden = true;
  combo.append(list);
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  let asked = new AbortController();
  let timer = 0;
  let chosen = -1;

  function close() {
    clearTimeout(timer);
    asked.abort();
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(number) {
    chosen = (number + list.children.length) % list.children.length;
    all("li", list).forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
    const item = list.children[chosen];
    input.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  }

  function take(word) {
    const head = input.value.slice(0, input.selectionStart).replace(/[^\s()]*$/, "");
    const tail = input.value.slice(input.selectionStart);
    const open = /[:>(]$/.test(word);
    input.value = head + word + (open || tail.startsWith(" ") ? "" : " ") + tail;
    const end = head.length + word.length + (open ? 0 : 1);
    input.setSelectionRange(end, end);
    close();
    if (open) ask();
  }

  function show(items) {
    list.replaceChildren(
      ...items.map((word, at) => {
        const item = document.createElement("li");
        item.id = `${list.id}-${at}`;
        item.role = "option";
        item.textContent = word;
        item.setAttribute("aria-selected", "false");
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(word);
        });
        return item;
      }),
    );
    chosen = -1;
    list.hidden = !items.length;
    input.setAttribute("aria-expanded", String(Boolean(items.length)));
  }

  async function ask() {
    asked.abort();
    asked = new AbortController();
    const text = input.value.slice(0, input.selectionStart);
    const url = `${combo.dataset.complete}&q=${encodeURIComponent(text)}`;
    try {
      const answer = await fetch(url, { signal: asked.signal });
      if (answer.ok && document.activeElement === input) show((await answer.json()).items);
    } catch {
      close(); // overtaken by the next key, or the server is away: typing goes on
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 90);
    input.removeAttribute("aria-invalid");
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden) ask();
    if (list.hidden) return;
    const act = {
      ArrowDown: () => choose(chosen + 1),
      ArrowUp: () => choose(chosen < 0 ? -1 : chosen - 1),
      Escape: close,
      Enter: chosen < 0 ? null : () => take(list.children[chosen].textContent),
      Tab: chosen < 0 ? null : () => take(list.children[chosen].textContent),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  if (input.dataset.start) {
    input.focus();
    input.setSelectionRange(Number(input.dataset.start), Number(input.dataset.end));
  }
}

// ── live: what changes while a run goes on is asked for again, in place ───────────────────────
function live(main) {
  const wait = 1000 * Number(main.dataset.refresh);
  setInterval(async () => {
    if (document.hidden || !all("[data-live]").length) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of all("[data-live]")) {
        const fresh = one(`[data-live="${part.dataset.live}"]`, page);
        if (fresh && !part.contains(document.activeElement)) part.replaceWith(fresh);
      }
    } catch {
      // the server is away; the next time may find it
    }
  }, wait);
}

// ── what scrolls sideways can be scrolled by keys, and nothing else is a stop for Tab ─────────────
function stops() {
  for (const part of all(".scroll:not([role]), pre")) {
    const scrolls = part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight;
    if (scrolls) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}

stops();
addEventListener("resize", stops);
addEventListener("toggle", stops, { capture: true });
for (const hint of all(".keys-hint")) hint.hidden = false;
for (const region of all(".matrix")) rove(region);
for (const combo of all("[data-complete]")) combobox(combo);
for (const main of all("[data-refresh]")) live(main);
for (const form of all(".choices")) form.addEventListener("change", () => form.closest("form").requestSubmit());
