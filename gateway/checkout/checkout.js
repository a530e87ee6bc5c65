// Keeps an open invoice's page up to date without loading it again: it stays as it is, and only
// what has changed is put in its place. Without this script a meta refresh does it.
(() => {
  "use strict";
  const SOON = 5, LATE = 15, TROUBLE = 60, PATIENCE = 20; // seconds
  const COPIED_SHOWN = 2000; // milliseconds
  const main = document.querySelector("main");
  const marks = new WeakMap(); // what the server sent of each piece, before the script touched it
  let pause = SOON, notBefore = 0, timer = 0, asking = false, standing = null, ends = null;

  // In its own element: a screen reader says what is written there, and nothing else again.
  const spoken = document.body.appendChild(document.createElement("p"));
  spoken.className = "spoken";
  spoken.setAttribute("role", "status");

  function markOf(piece) {
    if (piece.classList.contains("status")) return "status"; // its own element stays: it is spoken
    const copy = piece.cloneNode(true);
    copy.querySelectorAll("[data-seconds]").forEach((each) => each.remove());
    return copy.outerHTML;
  }

  function prepare() {
    for (const piece of main.children) if (!marks.has(piece)) marks.set(piece, markOf(piece));
    main.querySelectorAll("[data-copies]").forEach((each) => { each.hidden = false; });
  }

  function countFrom(body) {
    const left = body.querySelector("[data-seconds]");
    ends = left ? Date.now() + Number(left.dataset.seconds) * 1000 : null;
  }

  function restate(old, fresh) {
    if (old.className === fresh.className && old.innerHTML === fresh.innerHTML) return;
    old.className = fresh.className;
    old.innerHTML = "";
    while (fresh.firstChild) old.appendChild(fresh.firstChild);
  }

  function show(page) {
    const fresh = page.querySelector("main");
    if (!fresh || !fresh.querySelector(".status")) throw new Error("this is not the page");
    countFrom(fresh);
    const held = document.activeElement, copies = held && held.dataset.copies;
    const after = Array.from(fresh.children), wanted = after.map(markOf);
    for (const old of Array.from(main.children)) {
      if (!wanted.includes(marks.get(old))) old.remove();
    }
    let place = main.firstElementChild;
    after.forEach((piece, at) => {
      if (!place || marks.get(place) !== wanted[at]) return main.insertBefore(piece, place);
      if (wanted[at] === "status") restate(place, piece);
      place = place.nextElementSibling;
    });
    document.title = page.title;
    if (!fresh.dataset.status) delete main.dataset.status; // nothing is going to happen any more
    prepare();
    if (copies && !main.contains(held)) {
      const again = main.querySelector(`[data-copies="${copies}"]`);
      if (again) again.focus({ preventScroll: true });
    }
  }

  async function fetched(path) {
    const stop = new AbortController();
    const limit = setTimeout(() => stop.abort(), PATIENCE * 1000);
    try {
      const answer = await fetch(path, { cache: "no-store", signal: stop.signal });
      const wait = Number(answer.headers.get("Retry-After"));
      if (wait > 0) notBefore = Date.now() + wait * 1000;
      if (!answer.ok) throw new Error(String(answer.status));
      return await answer.text();
    } finally {
      clearTimeout(limit);
    }
  }

  // Tell whether the invoice has moved. Confirmations stand on the page alone.
  async function look() {
    const now = await fetched(main.dataset.status);
    const moved = now !== standing;
    if (moved || main.querySelector("[data-counting]")) {
      show(new DOMParser().parseFromString(await fetched(main.dataset.page), "text/html"));
    }
    standing = now;
    return moved;
  }

  async function turn() {
    clearTimeout(timer);
    if (asking || document.hidden || !main.dataset.status) return;
    if (Date.now() >= notBefore) {
      asking = true;
      try {
        pause = (await look()) ? SOON : Math.min(pause * 1.2, LATE);
      } catch (trouble) {
        pause = Math.min(pause * 2, TROUBLE); // the page stays as it is, and asks again
      }
      asking = false;
    }
    clearTimeout(timer);
    const wait = Math.max(pause * 1000, notBefore - Date.now());
    timer = setTimeout(turn, wait * (1 + Math.random() / 10));
  }

  function inWords(seconds) {
    for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
      if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}s`;
    }
    if (seconds >= 60) return "1 minute";
    return seconds === 1 ? "1 second" : `${seconds} seconds`;
  }

  function tick() {
    const shown = main.querySelector("[data-seconds]");
    if (!shown || ends === null) return;
    const left = (ends - Date.now()) / 1000, words = inWords(Math.max(Math.floor(left), 0));
    if (shown.textContent !== words) shown.textContent = words;
    if (left <= 0) {
      ends = null;
      pause = SOON;
      turn();
    }
  }

  // What is seen is what is copied. Where the clipboard is closed (no https) it is selected.
  async function copied(shown) {
    try {
      await navigator.clipboard.writeText(shown.textContent);
      return true;
    } catch (closed) {
      getSelection().selectAllChildren(shown);
      return document.execCommand("copy");
    }
  }

  async function copy(button) {
    const name = button.dataset.name;
    const done = await copied(document.getElementById(button.dataset.copies));
    button.textContent = done ? "Copied" : "Selected: copy it now";
    spoken.textContent = "";
    setTimeout(() => {
      spoken.textContent = done ? `${name} copied` : `${name} selected, copy it now`;
    }, 50);
    setTimeout(() => { button.textContent = `Copy ${name.toLowerCase()}`; }, COPIED_SHOWN);
  }

  main.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button) copy(button);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    pause = SOON; // who comes back from a wallet has perhaps just paid
    turn();
  });
  countFrom(main);
  prepare();
  setInterval(tick, 1000);
  timer = setTimeout(turn, SOON * 1000);
})();
