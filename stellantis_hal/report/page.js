"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
    tooltip: { disableDefaultStyle: true } };
  let left = data.charts.length;
  const done = () => { left -= 1; if (left <= 0) document.documentElement.dataset.drawn = data.charts.length; };
  for (const chart of data.charts) {
    const place = document.getElementById(chart.id);
    window.vegaEmbed(place, chart.spec, options).catch((error) => {
      place.textContent = `This chart could not be drawn: ${error}. Its numbers are below.`;
      place.className = "error";
    }).then(done);
  }
  if (!left) done();

  const show = (value, digits) => value === null || value === undefined ? (digits === null ? "unknown" : "–")
    : digits === null ? value
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const amount = (number, unit, digits) => `${show(number, digits)} ${unit}`;
  const PAGE = 100;

  for (const table of data.tables) {
    const element = document.getElementById(table.id);
    if (!element) continue;
    const form = document.getElementById(`${table.id}-filters`);
    const status = document.getElementById(`${table.id}-status`);
    const more = document.getElementById(`${table.id}-more`);
    const at = Object.fromEntries(table.columns.map((column, index) => [column.key, index]));
    const body = element.tBodies[0];
    let shown = PAGE, sorted = at.start, descending = true, rows = table.rows;

    const field = (name) => form.elements[name].value;
    const kept = (row) => {
      const day = row[at.start] === null ? null : row[at.start].slice(0, 10);
      const km = "km" in at ? row[at.km] : null;
      return (!field("from") || (day !== null && day >= field("from")))
        && (!field("until") || (day !== null && day <= field("until")))
        && (field("least") === "" || (km !== null && km >= Number(field("least"))))
        && (field("most") === "" || (km !== null && km <= Number(field("most"))));
    };
    const sum = (key) => key in at ? rows.reduce((total, row) => total + (row[at[key]] ?? 0), 0) : null;

    const select = () => {
      rows = table.rows.filter(kept);
      const order = (one, other) => {
        const a = one[sorted], b = other[sorted];
        if (a === b) return 0;
        if (a === null) return 1;  // unknown values are last in both directions
        if (b === null) return -1;
        return (a < b ? -1 : 1) * (descending ? -1 : 1);
      };
      rows = rows.slice().sort(order);
      shown = PAGE;
      draw();
    };
    const draw = () => {
      body.replaceChildren(...rows.slice(0, shown).map((row) => {
        const line = document.createElement("tr");
        row.forEach((value, index) => {
          const cell = document.createElement("td");
          cell.textContent = show(value, table.columns[index].digits);
          line.append(cell);
        });
        return line;
      }));
      const sums = [["km", "km"], ["kwh", "kWh"], ["litres", "l"]].filter(([key]) => key in at)
        .map(([key, unit]) => amount(sum(key), unit, 1));
      const part = rows.length > shown ? `, the first ${shown.toLocaleString("en")} are listed` : "";
      status.textContent = `${rows.length.toLocaleString("en")} of ${table.rows.length.toLocaleString("en")} trips`
        + `${sums.length ? `: ${sums.join(", ")}` : ""}${part}`;
      more.hidden = rows.length <= shown;
    };

    const head = document.createElement("tr");
    table.columns.forEach((column, index) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      cell.scope = "col";
      button.type = "button";
      button.textContent = column.title;
      button.addEventListener("click", () => {
        descending = sorted === index ? !descending : index === at.start;
        sorted = index;
        for (const other of head.children) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
        select();
      });
      if (index === sorted) cell.setAttribute("aria-sort", "descending");
      cell.append(button);
      head.append(cell);
    });
    element.tHead.append(head);
    form.addEventListener("input", select);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(select));
    more.addEventListener("click", () => { shown += PAGE; draw(); });
    form.elements.csv.addEventListener("click", () => {
      const quote = (value) => value === null ? "" : String(value);
      const lines = [table.columns.map((column) => column.title.replaceAll(",", " in")), ...rows.map((row) => row.map(quote))];
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }));
      link.download = `${table.id}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    select();
  }
})();
