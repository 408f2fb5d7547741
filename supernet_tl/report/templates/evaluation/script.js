(() => {
  "use strict";
  const names = JSON.parse(document.getElementById("jobs").textContent);
  const trace = document.getElementById("trace");

  const jobsOf = element => element.dataset.jobs.split(" ").flatMap(range => {
    const [start, end = start] = range.split("-").map(Number);
    return Array.from({ length: end - start + 1 }, (_, index) => start + index);
  });
  const make = (tag, text = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  };

  const numberIn = cell => {
    const text = cell.dataset.sort ?? cell.textContent.replaceAll("\u2212", "-").replaceAll(",", "");
    return parseFloat(text);
  };
  const textIn = cell => cell.textContent.trim();

  function sort(table, column, ascending) {
    const isText = table.tHead.rows[0].cells[column].classList.contains("words");
    const body = table.tBodies[0];
    const keyed = Array.from(body.rows, row => [isText ? textIn(row.cells[column]) : numberIn(row.cells[column]), row]);
    const isNothing = key => isText ? key === "" || key === "—" : Number.isNaN(key);
    keyed.sort(([one], [other]) => {
      if (isNothing(one) || isNothing(other)) return isNothing(one) - isNothing(other);
      const order = isText ? one.localeCompare(other, "en", { numeric: true }) : one - other;
      return ascending ? order : -order;
    });
    body.append(...keyed.map(([, row]) => row));
  }

  function addSorting(table) {
    for (const [column, head] of Array.from(table.tHead.rows[0].cells).entries()) {
      const button = make("button", head.textContent);
      button.type = "button";
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const ascending = before ? before === "descending" : head.classList.contains("words") || column === 0;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sort(table, column, ascending);
      });
      head.replaceChildren(button);
    }
  }

  function addFilter(table) {
    const rows = Array.from(table.tBodies[0].rows);
    const line = make("div");
    const label = make("label", "Filter");
    const input = make("input");
    const count = make("span", `${rows.length} rows`);
    line.className = "filter";
    input.type = "search";
    count.setAttribute("aria-live", "polite");
    label.append(input);
    line.append(label, count);
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = Array.from(row.cells, textIn).join(" ").toLowerCase();
        row.hidden = !words.every(word => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
    };
    input.addEventListener("input", apply);
    table.clearFilter = () => { input.value = ""; apply(); };
    table.closest(".scroll").before(line);
  }

  function addButtons(table) {
    for (const cell of table.querySelectorAll("td[data-jobs]")) {
      const button = make("button", cell.textContent);
      button.type = "button";
      cell.replaceChildren(button);
    }
  }

  function show(element) {
    const numbers = jobsOf(element);
    const said = element.querySelector?.("title");
    const about = said ? said.textContent.split("\n")[0] : element.getAttribute("aria-label") ?? element.textContent.trim();
    const close = make("button", "Close");
    close.type = "button";
    close.addEventListener("click", () => { trace.hidden = true; });
    const list = make("ul");
    for (const number of numbers) {
      const link = make("a", names[number]);
      link.href = "#job-" + encodeURIComponent(names[number]);
      const item = make("li");
      item.append(link);
      list.append(item);
    }
    trace.replaceChildren(close, make("b", about), make("span", ` comes from ${numbers.length} job${numbers.length === 1 ? "" : "s"}:`), list);
    trace.hidden = false;
  }

  function name(element) {
    if (element.dataset.named || element.tagName === "TR") return;
    element.dataset.named = "yes";
    const numbers = jobsOf(element);
    const listed = numbers.slice(0, 8).map(number => names[number]);
    if (numbers.length > 8) listed.push(`and ${numbers.length - 8} more`);
    const title = element.querySelector("title");
    if (title) title.textContent += "\n" + listed.join("\n");
    else element.title = [element.title, ...listed].filter(Boolean).join("\n");
  }

  function reach(hash) {
    const row = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!row) return;
    for (let box = row.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    if (row.hidden) row.closest("table").clearFilter();
    for (const other of document.querySelectorAll(".reached")) other.classList.remove("reached");
    row.classList.add("reached");
    row.scrollIntoView({ block: "center" });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    addSorting(table);
    addFilter(table);
    addButtons(table);
  }
  for (const found of document.querySelectorAll(".switch")) {
    found.hidden = false;
    found.addEventListener("change", event => {
      document.body.dataset.part = event.target.value;
      for (const input of document.querySelectorAll(".switch input")) input.checked = input.value === event.target.value;
    });
  }
  document.body.dataset.part = "network";
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='#job-']");
    if (link) {
      event.preventDefault();
      history.replaceState(null, "", link.hash);
      reach(link.hash);
      return;
    }
    const element = event.target.closest("[data-jobs]");
    if (element && element.tagName !== "TR" && !event.target.closest("a, summary")) show(element);
  });
  document.addEventListener("mouseover", event => {
    const element = event.target.closest?.("[data-jobs]");
    if (element) name(element);
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") trace.hidden = true;
  });
  window.addEventListener("hashchange", () => reach(location.hash));
  reach(location.hash);
})();
