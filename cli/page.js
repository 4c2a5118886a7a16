// The live page of `rill watch`; the data it reads are described in checks.h.
// It loads the list, then follows the events. Texts from outside reach the document by textContent
// and setAttribute only.
"use strict";

const KEPT = 120; // points a line has, as many as the server keeps
const WIDTH = 300, HEIGHT = 48; // the plot's viewBox
const SLOTS_MIN = 30; // a young line does not fill the width with three points

const byId = (id) => document.getElementById(id);
const rows = new Map(); // url -> row
let data = { every: 0, started: 0 };
let clock = 0; // the server's clock minus ours, in ms
let filter = null; // the only state that is shown, or null
let waiting = []; // events that came before the list did
let loaded = false;

// ---- words ----

const WORDS = { up: "Up", slow: "Slow, up", down: "Down", pending: "Pending" };

// The shapes differ as well as the colours: disc, warning triangle, square with a cross, ring.
const SIGNS = {
  up: "M8 2a6 6 0 1 1 0 12a6 6 0 0 1 0-12z",
  slow: "M8 1.5L15 14H1zM7.2 5.5v4.5h1.6V5.5zM7.2 11v1.6h1.6V11z",
  down: "M2 2h12v12H2zM4.6 5.7L6.9 8l-2.3 2.3 1.1 1.1L8 9.1l2.3 2.3 1.1-1.1L9.1 8l2.3-2.3-1.1-1.1" +
    "L8 6.9 5.7 4.6z",
  pending: "M8 2a6 6 0 1 1 0 12a6 6 0 0 1 0-12zM8 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8z",
};

function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function ago(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 1) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  return s < 86400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} d ago`;
}

// Rounded down: 100 % means that no check failed.
function percent(value) {
  if (value === null || value === undefined) return "–";
  if (value === 100 || value === 0) return `${value} %`;
  return `${(Math.floor(value * 100) / 100).toFixed(2)} %`;
}

const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;
const now = () => Date.now() + clock;
const nameOf = (check) => check.label || check.url.replace(/^https?:\/\//, "").replace(/\/$/, "");

// Writes only what differs, so that nothing is laid out or read out again without need.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// ---- the plot ----

function plotPaths(history) {
  const top = Math.max(1, ...history.filter((ms) => ms !== null));
  const slots = Math.max(SLOTS_MIN, history.length);
  const step = WIDTH / (slots - 1);
  const first = slots - history.length;
  const paths = { line: "", area: "", dots: "", fails: "" };
  let run = []; // the points since the last failure
  const endRun = () => {
    if (run.length === 1) paths.dots += `M${run[0]}h0`; // drawn by its round cap
    if (run.length > 1) {
      const line = run.join("L");
      const [left, right] = [run[0], run.at(-1)].map((point) => point.split(" ")[0]);
      paths.line += `M${line}`;
      paths.area += `M${line}L${right} ${HEIGHT}L${left} ${HEIGHT}Z`;
    }
    run = [];
  };
  history.forEach((ms, i) => {
    const x = +((first + i) * step).toFixed(1);
    if (ms !== null) {
      run.push(`${x} ${+(HEIGHT - (ms / top) * (HEIGHT - 4)).toFixed(1)}`);
      return;
    }
    endRun();
    paths.fails += `M${x} ${HEIGHT}v-10`;
  });
  endRun();
  return paths;
}

function drawPlot(row) {
  const { history } = row.check;
  const good = history.filter((ms) => ms !== null);
  const failed = history.length - good.length;
  const paths = plotPaths(history);
  for (const name in paths) row.$[name].setAttribute("d", paths[name]);
  const min = good.length ? Math.min(...good) : null;
  const max = good.length ? Math.max(...good) : null;
  setText(row.$.min, good.length ? `min ${duration(min)}` : "");
  setText(row.$.max, good.length ? `max ${duration(max)}` : "");
  let text = `Response time of the last ${plural(history.length, "check", "checks")}`;
  if (good.length) text += `: least ${duration(min)}, most ${duration(max)}`;
  if (failed) text += `; ${failed} failed`;
  row.$.svg.setAttribute("aria-label", history.length ? text : "No checks yet");
}

// ---- rows ----

function newRow(check) {
  const node = byId("row").content.firstElementChild.cloneNode(true);
  const find = (selector) => node.querySelector(selector);
  return {
    node,
    check,
    $: {
      sign: find(".sign path"), name: find(".name"), url: find(".url"), word: find(".word"),
      span: find(".span"), error: find(".error"), svg: find(".plot svg"), line: find(".line"),
      area: find(".area"), dots: find(".dots"), fails: find(".fails"),
      min: find(".min"), max: find(".max"),
      ms: find(".ms"), status: find(".status"), uptime: find(".uptime dd"), ago: find(".ago dd"),
    },
  };
}

function link(node, url) {
  // Anything but http would let a configured URL run script in this page.
  if (/^https?:\/\//i.test(url)) node.setAttribute("href", url);
  else node.removeAttribute("href");
}

function errorText(check) {
  if (check.error) return check.error.message || check.error.class;
  if (check.last_error && check.failures > 0)
    return `Last failure ${ago(now() - check.last_error.time)}: ${check.last_error.message}`;
  return "";
}

function drawTimes(row) {
  const { check, $ } = row;
  const known = check.since !== null && check.state !== "pending";
  setText($.span, known ? ` for ${span(now() - check.since)}` : "");
  setText($.ago, check.time === null ? "–" : ago(now() - check.time));
  setText($.error, errorText(check));
}

function hidden(row) {
  return filter !== null && filter !== row.check.state;
}

function drawRow(row) {
  const { check, node, $ } = row;
  if (node.dataset.url !== check.url) node.dataset.url = check.url;
  if (node.dataset.state !== check.state) node.dataset.state = check.state;
  $.sign.setAttribute("d", SIGNS[check.state]);
  setText($.name, nameOf(check));
  link($.name, check.url);
  setText($.url, check.label ? check.url : "");
  setText($.word, WORDS[check.state]);
  setText($.ms, check.error && !check.status ? "no answer" : duration(check.ms));
  setText($.status, check.status === null ? "" : `HTTP ${check.status}`);
  setText($.uptime, percent(check.uptime.window));
  const all = plural(check.checks, "check", "checks");
  $.uptime.title = `${percent(check.uptime.total)} of all ${all}`;
  node.hidden = hidden(row);
  drawPlot(row);
  drawTimes(row);
}

// Rows are drawn together, once a frame, however many events came.
const dirty = new Set();
function redraw(row) {
  if (dirty.size === 0) requestAnimationFrame(drawDirty);
  dirty.add(row);
}

function drawDirty() {
  for (const row of dirty) drawRow(row);
  dirty.clear();
  drawSummary();
}

// ---- the summary ----

function verdict(totals, count) {
  if (count === 0) return "Nothing to watch";
  const are = totals.down === 1 ? "is" : "are";
  if (totals.down) return `${totals.down} of ${plural(count, "endpoint", "endpoints")} ${are} down`;
  if (totals.pending === count) return "Waiting for the first results";
  if (totals.slow) return `Everything answers, ${totals.slow} slowly`;
  return totals.pending ? "Everything that was checked is up" : "Everything is up";
}

function drawSummary() {
  const totals = { up: 0, slow: 0, down: 0, pending: 0 };
  for (const { check } of rows.values()) totals[check.state]++;
  for (const button of byId("filters").children) {
    const state = button.dataset.filter;
    setText(button.firstElementChild, String(totals[state]));
    button.toggleAttribute("data-some", totals[state] > 0);
  }
  setText(byId("verdict"), verdict(totals, rows.size));
  const title = totals.down ? `${totals.down} down · rill watch` : "rill watch";
  if (document.title !== title) document.title = title;
  const shown = filter === null ? rows.size : totals[filter];
  byId("empty").hidden = shown > 0 || !loaded;
  setText(byId("empty"), rows.size ? `No endpoint is ${filter} now.` : "No endpoint was given.");
}

function drawAbout() {
  const seconds = data.every;
  const every = seconds >= 1 ? `${+seconds.toFixed(1)} s` : `${Math.round(seconds * 1000)} ms`;
  const since = span(now() - data.started);
  setText(byId("about"), `Each is checked every ${every}; watching for ${since}. ` +
    `Line and uptime show the last ${KEPT} checks.`);
}

function showTrouble(text) {
  const node = byId("trouble");
  setText(node, text || "");
  node.hidden = !text;
}

function choose(state) {
  filter = filter === state ? null : state;
  for (const button of byId("filters").children)
    button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
  for (const row of rows.values()) row.node.hidden = hidden(row);
  drawSummary();
}

// Says a change of state to a screen reader; a burst is told as a number.
let news = [];
function tellNews() {
  const many = news.length > 3;
  setText(byId("news"), many ? `${news.length} endpoints changed their state` : news.join(". "));
  news = [];
}

function announce(check) {
  if (news.length === 0) setTimeout(tellNews, 500);
  news.push(`${nameOf(check)} is ${check.state}${check.error ? `: ${check.error.message}` : ""}`);
}

// ---- data in ----

function takeList(list) {
  data = list;
  clock = list.now - Date.now();
  loaded = true;
  const seen = new Set();
  const parent = byId("checks");
  for (const check of list.checks) {
    const row = rows.get(check.url) || newRow(check);
    row.check = check;
    rows.set(check.url, row);
    seen.add(check.url);
    parent.append(row.node);
    drawRow(row);
  }
  for (const [url, row] of rows)
    if (!seen.has(url)) {
      row.node.remove();
      rows.delete(url);
    }
  parent.setAttribute("aria-busy", "false");
  showTrouble(list.trouble);
  for (const check of waiting) takeCheck(check);
  waiting = [];
  drawSummary();
  drawAbout();
}

function takeCheck(check) {
  const row = rows.get(check.url);
  if (!row || check.checks <= row.check.checks) return;
  const { history, state } = row.check;
  history.push(check.error ? null : check.ms);
  if (history.length > KEPT) history.splice(0, history.length - KEPT);
  if (check.state !== state && state !== "pending") announce(check);
  row.check = { ...check, history };
  redraw(row);
}

function showLink(state, text) {
  document.body.dataset.link = state;
  byId("link").dataset.link = state;
  setText(byId("link-text"), text);
}

async function loadList() {
  const response = await fetch("api/checks", { cache: "no-store" });
  if (!response.ok) throw new Error(`api/checks: status ${response.status}`);
  takeList(await response.json());
}

// The stream is opened first and the list asked for once it stands, so that no event is lost
// between the two. EventSource itself gives up on some errors; then we open another.
let retry = 0;
function connect() {
  const source = new EventSource("api/events");
  let late = 0;
  const again = () => {
    source.close();
    clearTimeout(late);
    loaded = false;
    waiting = [];
    showLink("lost", "connection lost, retrying");
    retry = Math.min(retry ? retry * 2 : 1000, 10000);
    setTimeout(connect, retry);
  };
  source.onopen = async () => {
    try {
      await loadList();
      if (source.readyState !== EventSource.OPEN) return;
      retry = 0;
      showLink("live", "live");
    } catch {
      if (source.readyState !== EventSource.CLOSED) again();
    }
  };
  source.onerror = again;
  source.addEventListener("check", (event) => {
    const check = JSON.parse(event.data);
    if (loaded) takeCheck(check);
    else waiting.push(check);
  });
  source.addEventListener("trouble", (event) => showTrouble(JSON.parse(event.data).trouble));
  // An answer that does not even begin is a lost connection as well.
  late = setTimeout(() => source.readyState === EventSource.CONNECTING && again(), 10000);
}

byId("filters").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) choose(button.dataset.filter);
});

setInterval(() => {
  if (document.hidden || !rows.size) return;
  for (const row of rows.values()) drawTimes(row);
  drawAbout();
}, 1000);

connect();
