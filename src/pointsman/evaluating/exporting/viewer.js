// Search, outcome, order and keys for the table of samples, which is all there without them.
"use strict";
(() => {
  const table = document.getElementById("samples");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search");
  const outcome = document.getElementById("outcome");
  const told = document.getElementById("told");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  document.querySelector(".tools").hidden = false;

  function filter() {
    const wanted = search.value.toLowerCase();
    let count = 0;
    rows.forEach((row, at) => {
      const fits = texts[at].includes(wanted) &&
        (!outcome.value || row.dataset.outcome === outcome.value);
      row.hidden = !fits;
      count += fits;
    });
    told.textContent = `${count} of ${rows.length} samples`;
  }

  function go(row) {
    if (!row) return;
    rows.forEach((each) => { each.tabIndex = -1; });
    row.tabIndex = 0;
    row.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT)$/.test(event.target.tagName);
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const shown = [...body.rows].filter((row) => !row.hidden);
    const at = shown.indexOf(document.activeElement.closest("tr"));
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    } else if (event.key === "j" || (event.key === "ArrowDown" && at >= 0)) {
      event.preventDefault();
      go(shown[at + 1]);
    } else if (event.key === "k" || (event.key === "ArrowUp" && at >= 0)) {
      event.preventDefault();
      go(shown[at - 1]);
    } else if (event.key === "Enter" && document.activeElement.tagName === "TR") {
      const details = shown[at].querySelector("details");
      details.open = !details.open;
    }
  }

  function sortable(head, at) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    let rising = true;
    button.addEventListener("click", () => {
      const value = (row) => {
        const cell = row.cells[at];
        return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
      };
      const sign = rising ? 1 : -1;
      const sorted = [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        return sign * (x < y ? -1 : x > y ? 1 : 0);
      });
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      rising = !rising;
      body.append(...sorted);
    });
  }

  rows.forEach((row, at) => { row.tabIndex = at ? -1 : 0; });
  heads.forEach(sortable);
  search.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  document.addEventListener("keydown", key);
  filter();
})();
