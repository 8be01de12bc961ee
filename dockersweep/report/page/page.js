"use strict";
// Tables that sort and search. All rows are in the page already; only as many are shown as can be looked at.
(function () {
  var MORE = 200;

  function value(row, column, numeric) {
    var cell = row.cells[column];
    if (!cell) return null;
    if (!numeric) return cell.textContent.trim().toLowerCase();
    var told = cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v;
    return told === "" || isNaN(told) ? null : Number(told);
  }

  // What is not known comes last, whichever way it is sorted.
  function compare(one, other, sign) {
    if (one.key === null || other.key === null) return (one.key === null) - (other.key === null) || one.place - other.place;
    if (one.key === other.key) return one.place - other.place;
    return one.key < other.key ? -sign : sign;
  }

  function Table(table) {
    var self = this;
    this.body = table.tBodies[0];
    this.rows = Array.prototype.slice.call(this.body.rows);
    var rest = table.parentNode.querySelector("details.rest");
    if (rest && table.classList.contains("searched")) {
      this.rows = this.rows.concat(Array.prototype.slice.call(rest.querySelector("tbody").rows));
      rest.remove();
    }
    this.noun = table.dataset.noun || "objects";
    this.first = Number(table.dataset.first) || this.rows.length && 50;
    this.count = this.first;
    this.found = this.rows;
    this.heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    this.heads.forEach(function (head, column) { self.makeSortable(head, column); });
    this.more = document.createElement("button");
    this.more.type = "button";
    this.more.className = "more";
    this.more.addEventListener("click", function () { self.count += MORE; self.show(); });
    table.after(this.more);
    if (table.classList.contains("searched")) this.makeSearchable(table);
    this.show();
  }

  Table.prototype.makeSortable = function (head, column) {
    var self = this, button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () { self.sort(column); });
  };

  Table.prototype.sort = function (column) {
    var head = this.heads[column], numeric = head.classList.contains("v");
    var falls = head.ariaSort ? head.ariaSort === "ascending" : numeric;
    this.heads.forEach(function (one) { one.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    var keyed = this.rows.map(function (row, place) { return { row: row, place: place, key: value(row, column, numeric) }; });
    keyed.sort(function (one, other) { return compare(one, other, falls ? -1 : 1); });
    this.rows = keyed.map(function (one) { return one.row; });
    if (this.choice) this.choice.value = String(column);
    this.search();
  };

  Table.prototype.makeSearchable = function (table) {
    var self = this, tools = document.createElement("div");
    tools.className = "tools";
    var search = document.createElement("label"), sort = document.createElement("label");
    search.textContent = "Search ";
    this.input = document.createElement("input");
    this.input.type = "search";
    this.input.placeholder = table.dataset.example || "volume reclaimable shop";
    search.appendChild(this.input);
    sort.textContent = "Sort by ";
    sort.className = "sort";
    this.choice = document.createElement("select");
    this.heads.forEach(function (head, column) { self.choice.add(new Option(head.textContent, String(column))); });
    this.choice.value = table.dataset.sorted || "3";
    sort.appendChild(this.choice);
    this.told = document.createElement("span");
    this.told.setAttribute("role", "status");
    tools.append(search, sort, this.told);
    table.before(tools);
    this.input.addEventListener("input", function () { self.count = self.first; self.search(); });
    this.choice.addEventListener("change", function () { self.sort(Number(self.choice.value)); });
  };

  Table.prototype.search = function () {
    var words = this.input ? this.input.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
    this.found = !words.length ? this.rows : this.rows.filter(function (row) {
      if (row.searched === undefined) {
        row.searched = Array.prototype.map.call(row.cells, function (cell) { return cell.textContent; }).join(" ").toLowerCase();
      }
      return words.every(function (word) { return row.searched.indexOf(word) >= 0; });
    });
    this.show();
  };

  Table.prototype.show = function () {
    var shown = this.found.slice(0, this.count), left = this.found.length - shown.length;
    this.body.replaceChildren.apply(this.body, shown);
    this.more.hidden = left === 0;
    this.more.textContent = "Show " + Math.min(left, MORE) + " more of " + left;
    if (this.told) this.told.textContent = this.found.length + " of " + this.rows.length + " " + this.noun;
  };

  document.querySelectorAll("table.sorts").forEach(function (table) { new Table(table); });
  document.documentElement.classList.add("scripted");
})();
