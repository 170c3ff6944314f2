// The page of `pamola-task dashboard`. All texts come from disk and are shown as text: nothing here makes markup of one.
"use strict";

const seen = {
  open: null, link: "connecting", project: "", showData: false, problem: "",
  tasks: [], runs: new Map(), logs: new Map(), history: null, chosen: [], only: "",
};

// ------------------------------------------------------------ drawing

function h(tag, facts, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(facts || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter(child => child !== null && child !== undefined && child !== ""));
  return node;
}

// Make one node's children those of another, keeping what is there: focus, scrolling, what is unfolded.
function morph(there, wanted) {
  let at = there.firstChild;
  for (const want of [...wanted.childNodes]) {
    let same = at;
    while (same && !fits(same, want)) same = same.nextSibling;
    if (!same) { there.insertBefore(want, at); continue; }
    while (at !== same) { const next = at.nextSibling; at.remove(); at = next; }
    at = same.nextSibling;
    if (same.nodeType !== Node.ELEMENT_NODE) { if (same.data !== want.data) same.data = want.data; continue; }
    for (const { name } of [...same.attributes]) {
      if (!want.hasAttribute(name) && !(name === "open" && same.tagName === "DETAILS")) same.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) if (same.getAttribute(name) !== value) same.setAttribute(name, value);
    if (!same.hasAttribute("data-own")) morph(same, want);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function fits(one, other) {
  return one.nodeType === other.nodeType && (one.nodeType !== Node.ELEMENT_NODE
    || (one.tagName === other.tagName && one.getAttribute("data-key") === other.getAttribute("data-key")));
}

const TONES = {
  running: "live", done: "good", success: "good", warning: "odd", failed: "bad", error: "bad", interrupted: "odd",
  aborted: "odd", partial_success: "odd", met: "good", "not met": "bad",
};
const badge = word => word ? h("span", { class: `badge ${TONES[word] || (/open/.test(word) ? "odd" : "")}` }, word.replaceAll("_", " ")) : "";
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const rough = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const short = id => id ? id.slice(0, 8) : "";

function duration(seconds) {
  if (seconds === null || seconds === undefined || !isFinite(seconds)) return "";
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const clock = seconds => seconds < 10 ? `${Math.max(0, seconds).toFixed(0)} s` : duration(Math.round(seconds)).replace(".0 s", " s");
const since = at => (Date.now() - Date.parse(at)) / 1000;
const left = at => at && Date.parse(at) > Date.now() ? `about ${clock((Date.parse(at) - Date.now()) / 1000)}` : "";
const when = at => at ? `${at.slice(0, 10)} ${at.slice(11, 19)}` : "";

function size(bytes) {
  let value = bytes / 1000, power = 0;
  while (value >= 1000 && power < 2) { value /= 1000; power += 1; }
  return `${value.toFixed(1)} ${["kB", "MB", "GB"][power]}`;
}

// ------------------------------------------------------------ views

function draw() {
  const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  const history = view === "history";
  morph(document.getElementById("bar"), h("div", null, bar(history)));
  const main = document.getElementById("main");
  if (seen.open === false) return morph(main, h("div", null, closed()));
  if (seen.open === null || (!seen.project && seen.link === "connecting")) return undefined;
  morph(main, h("div", null, seen.problem ? h("div", { class: "callout", role: "alert" }, h("p", null, seen.problem)) : "",
    history ? pastRuns() : tasks(view === "task" ? rest[0] : "")));
  if (history && seen.history === null) loadHistory();
  fillLog();
  fillCharts();
  return undefined;
}

function decode(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function bar(history) {
  const words = { live: "live", connecting: "connecting", lost: "reconnecting" };
  return [
    h("p", { class: "brand" }, h("strong", null, seen.project || "Dashboard"), seen.showData ? badge("shows data") : ""),
    seen.open ? h("nav", { "aria-label": "Views" },
      h("a", { href: "#/", "aria-current": history ? null : "page" }, "Runs"),
      h("a", { href: "#/history", "aria-current": history ? "page" : null }, "History")) : "",
    seen.open ? h("p", { class: `link ${seen.link}` }, words[seen.link]) : "",
  ];
}

function closed() {
  return h("section", { class: "card quiet" }, h("h1", null, "This page needs its token"),
    h("p", null, "Open the address that ", h("code", null, "pamola-task dashboard"),
      " prints in the terminal: the token is behind the ", h("code", null, "#"), ". The same command prints it again."));
}

function tasks(asked) {
  if (!seen.tasks.length) {
    return h("section", { class: "card quiet" }, h("h1", null, "No tasks yet"),
      h("p", null, h("code", null, "pamola-task new task NAME"), " creates one."));
  }
  const newest = [...seen.tasks].sort((a, b) => (b.state === "running") - (a.state === "running")
    || String(b.since || "").localeCompare(String(a.since || "")))[0];
  const task = seen.tasks.find(each => each.task === asked) || newest;
  return h("div", { class: "board" },
    h("nav", { class: "tasks", "aria-label": "Tasks" }, h("ul", null, seen.tasks.map(each =>
      h("li", { "data-key": each.task }, h("a", { href: `#/task/${encodeURIComponent(each.task)}`, "aria-current": each === task ? "true" : null },
        h("span", { class: "name" }, each.task), badge(each.state), h("span", { class: "soft" }, aside(each))))))),
    h("div", { class: "one", "data-key": task.task }, detail(task)));
}

function aside(task) {
  if (task.state === "running") return clock(since(task.since));
  return task.since ? `${when(task.since).slice(0, 16)}${task.seconds === null ? "" : ` · ${duration(task.seconds)}`}` : "";
}

function detail(task) {
  const run = seen.runs.get(task.task), current = run && (!task.run || run.run === task.run) ? run : null;
  const running = task.state === "running";
  const steps = current ? current.steps : [], ended = steps.filter(step => step.status !== "running").length;
  const planned = Math.max((current && current.of) || 0, steps.length), more = running ? planned - steps.length : 0;
  const rate = steps.filter(step => step.status === "running" && step.rate).map(step => `${rough.format(step.rate)} ${step.unit || "items"}/s`);
  const memory = current && current.memory;
  const figures = [
    steps.length ? ["Steps", `${ended} of ${planned}`] : null,
    task.since ? [running ? "Running for" : "Took", running ? clock(since(task.since)) : duration(task.seconds) || "–"] : null,
    running && left(current && current.eta) ? ["Left", left(current.eta), "by earlier runs"] : null,
    running ? ["Throughput", rate.join(", ") || "–"] : null,
    memory ? ["Memory", `${size(memory.bytes)}`, `${memory.processes} process${memory.processes === 1 ? "" : "es"}, at most ${size(memory.peak)}`] : null,
    running && task.pid ? ["Process", String(task.pid), task.host] : null,
  ].filter(Boolean);
  return [
    h("section", { class: `card ${TONES[task.state] || "quiet"}`, "aria-labelledby": "title" },
      h("p", { class: "subtitle" }, [task.run ? `run ${short(task.run)}` : "", task.since ? `since ${when(task.since)} UTC` : ""].filter(Boolean).join(" · ")),
      h("h1", { id: "title" }, task.task, " ", badge(task.state), " ", badge(running ? "" : task.verdict)),
      task.error && !running ? h("p", { class: "wrong" }, task.error) : "",
      task.state === "never run" ? h("p", null, h("code", null, `pamola-task run ${task.task}`), " runs it.") : "",
      figures.length ? h("dl", { class: "figures" }, figures.map(([name, value, more]) =>
        h("div", { "data-key": name }, h("dt", null, name), h("dd", null, value), more ? h("dd", { class: "more" }, more) : ""))) : "",
      steps.length && running ? h("progress", { max: planned, value: ended, "aria-label": `steps of ${task.task}` }) : "",
      task.report && !running && task.run ? h("p", { class: "links" }, page(`/report/${encodeURIComponent(task.task)}/${task.run}`, "Report"),
        page(`/compare/${encodeURIComponent(task.task)}`, "Compare the two newest runs")) : ""),
    steps.length ? h("section", null, h("h2", null, "Steps"), h("ol", { class: "steps" }, steps.map(stepRow),
      more > 0 ? h("li", { "data-key": "more", class: "step quiet" }, h("span", { class: "mark", "aria-hidden": "true" }, "·"),
        h("div", { class: "what soft" }, `${more} more step${more === 1 ? "" : "s"}`)) : "")) : "",
    current && current.withheld ? h("section", { "data-key": "withheld" }, h("h2", null, "Log"),
      h("p", { class: "soft" }, "Withheld: the run was started with --show-data, and the dashboard was not.")) : "",
    h("section", { "data-key": "log", hidden: !(seen.logs.get(task.task) || { lines: [] }).lines.length }, h("h2", { id: "log-title" }, "Log"),
      h("div", { class: "log", "data-own": true, "data-task": task.task, tabindex: "0", role: "log", "aria-live": "off", "aria-labelledby": "log-title" })),
    h("section", { "data-key": "charts", hidden: !drawnSteps(current).length }, h("h2", null, "Charts"),
      h("div", { class: "drawings", "data-own": true, "data-task": task.task, "data-key": current ? current.run : "" })),
  ];
}

const page = (href, text) => h("a", { href, target: "_blank", rel: "noopener" }, text);

const MARKS = { running: "▸", success: "✓", warning: "✓", skipped: "↷", failed: "✕", error: "✕" };

function stepRow(step) {
  const running = step.status === "running", known = step.total && step.done !== null;
  const amount = step.done === null ? "" : `${number.format(step.done)}${known ? ` of ${number.format(step.total)}` : ""} ${step.unit}`;
  const rate = running && step.rate ? `${rough.format(step.rate)} ${step.unit || "items"}/s` : "";
  const written = step.datasets.filter(each => each.written).map(each => `${each.name}${each.rows === null ? "" : ` (${number.format(each.rows)} rows)`}`);
  return h("li", { "data-key": step.id, class: `step ${TONES[step.status] || "quiet"}` },
    h("span", { class: "mark", "aria-hidden": "true" }, MARKS[step.status] || "•"),
    h("div", { class: "what" }, h("span", { class: "name" }, step.id), " ",
      step.operation && step.operation !== step.id ? h("span", { class: "soft" }, step.operation) : "",
      step.attempts > 1 ? badge(`attempt ${step.attempts}`) : "",
      step.error ? h("p", { class: "wrong" }, step.error) : "",
      step.reason && (running || step.status === "skipped") ? h("p", { class: "soft" }, step.reason) : "",
      written.length ? h("p", { class: "soft" }, `wrote ${written.join(", ")}`) : ""),
    h("div", { class: "how" },
      running ? h("progress", { "aria-label": `progress of ${step.id}`, max: known ? step.total : null, value: known ? step.done : null }) : "",
      step.stages.length ? h("p", { class: "stages" }, step.stages.filter(each => each.name).map((each, at) =>
        h("span", { class: running && each.name === step.stage && at === step.stages.length - 1 ? "stage now" : "stage" }, each.name, h("span", { class: "soft" }, ` ${duration(took(step, at))}`)))) : "",
      running && (amount || rate || step.eta) ? h("p", { class: "soft" }, [amount, rate, left(step.eta) && `${left(step.eta)} left`].filter(Boolean).join(" · ")) : ""),
    h("span", { class: "time" }, running ? clock(since(step.started)) : step.status === "skipped" ? "skipped" : duration(step.seconds)));
}

function took(step, at) {
  const end = at + 1 < step.stages.length ? Date.parse(step.stages[at + 1].at) : Date.now();
  return Math.max(0, (end - Date.parse(step.stages[at].at)) / 1000);
}

// ------------------------------------------------------------ charts

const drawn = new Map(); // by task, run and step; null while it is asked for
const chartStyle = new CSSStyleSheet();
let styled = false;

const drawnKey = (run, step) => [run.task, run.run, step.id].join("\n");
const drawnSteps = run => run ? run.steps.filter(step => step.charts.length && drawn.get(drawnKey(run, step))) : [];

async function askForCharts(run) {
  for (const step of run.steps) {
    if (!step.charts.length || step.status === "running" || drawn.has(drawnKey(run, step))) continue;
    drawn.set(drawnKey(run, step), null);
    try {
      if (!styled) { styled = true; chartStyle.replaceSync(await (await fetch("/charts.css")).text()); }
      const answer = await fetch(`/api/charts/${encodeURIComponent(run.task)}/${encodeURIComponent(step.id)}`);
      if (answer.ok) drawn.set(drawnKey(run, step), await answer.json());
    } catch {
      styled = false;
      drawn.delete(drawnKey(run, step)); // the server is gone; asked for again when it is back
    }
    draw();
  }
}

// They come as HTML of our own server, with every text escaped; in a shadow tree, where their style is theirs alone.
function fillCharts() {
  const box = document.querySelector(".drawings"), run = box && seen.runs.get(box.dataset.task);
  if (!run) return;
  const root = box.shadowRoot || box.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [chartStyle];
  const steps = drawnSteps(run), keys = steps.map(step => drawnKey(run, step));
  for (const node of [...root.children]) if (!keys.includes(node.dataset.key)) node.remove();
  const there = [...root.children].map(node => node.dataset.key);
  for (const step of steps) {
    const key = drawnKey(run, step), { html, note } = drawn.get(key);
    if (there.includes(key)) continue;
    const parsed = new DOMParser().parseFromString(html, "text/html");
    root.append(h("section", { "data-key": key }, h("h3", null, step.id), ...parsed.body.childNodes, note ? h("p", { class: "note" }, note) : ""));
  }
}

// ------------------------------------------------------------ log

const filled = new WeakMap(); // for the box of a log: which one it shows, and how many of its lines

function fillLog() {
  const box = document.querySelector(".log"), log = box && seen.logs.get(box.dataset.task);
  if (!log) { if (box) box.replaceChildren(); return; }
  const known = filled.get(box), same = known && known.log === log;
  const atEnd = !same || box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const fresh = same ? log.count - known.count : log.lines.length;
  filled.set(box, { log, count: log.count });
  if (!same) box.replaceChildren();
  if (fresh <= 0) return;
  for (const line of log.lines.slice(-fresh)) {
    box.append(h("p", { class: `line ${String(line.level).toLowerCase()}` },
      line.at ? h("time", { datetime: line.at }, line.at.slice(11, 19)) : "", h("span", null, line.text)));
  }
  while (box.childElementCount > 400) box.firstChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

// ------------------------------------------------------------ history

async function loadHistory() {
  seen.history = seen.history || { runs: [], more: false };
  try {
    const answer = await fetch("/api/history", { credentials: "same-origin" });
    if (answer.ok) seen.history = await answer.json();
  } catch { /* the stream says that the server is gone */ }
  draw();
}

function pastRuns() {
  const all = seen.history ? seen.history.runs : [], names = [...new Set(all.map(run => run.task))].sort();
  const runs = all.filter(run => !seen.only || run.task === seen.only);
  const chosen = seen.chosen.map(id => all.find(run => run.run === id)).filter(Boolean);
  const two = chosen.length === 2 && chosen[0].task === chosen[1].task;
  const [old, fresh] = [...chosen].sort((a, b) => String(a.since).localeCompare(String(b.since)));
  return h("section", null,
    h("div", { class: "tools" }, h("h1", null, "History"),
      h("label", null, "Task ", h("select", { id: "only" }, h("option", { value: "" }, "all"), names.map(name => h("option", { value: name }, name)))),
      two ? page(`/compare/${encodeURIComponent(old.task)}/${old.run}/${fresh.run}`, "Compare the two chosen runs")
        : h("span", { class: "soft" }, chosen.length === 2 ? "Both runs must be of one task to be compared." : "Choose two runs of a task to compare them.")),
    runs.length ? h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Runs" }, h("table", null,
      h("thead", null, h("tr", null, ["", "Started (UTC)", "Task", "Outcome", "Took", "Verdict", "Tables", "Report"].map(name => h("th", { scope: "col" }, name || h("span", { class: "unseen" }, "Choose"))))),
      h("tbody", null, runs.map(run => h("tr", { "data-key": run.run },
        h("td", null, run.report ? h("input", { type: "checkbox", value: run.run, "aria-label": `Choose run ${short(run.run)} of ${run.task}` }) : ""),
        h("td", { class: "tight" }, when(run.since)), h("td", null, run.task),
        h("td", { "data-label": "Outcome" }, badge(run.state), run.error ? h("p", { class: "wrong" }, run.error) : ""),
        h("td", { class: "tight", "data-label": "Took" }, duration(run.seconds)),
        h("td", { "data-label": "Verdict" }, badge(run.verdict), run.verdict_sentence ? h("p", { class: "soft" }, run.verdict_sentence) : ""),
        h("td", { "data-label": "Tables" }, run.outputs.map(each => `${each.name} (${number.format(each.rows)} rows)`).join(", ")),
        h("td", null, run.report ? page(`/report/${encodeURIComponent(run.task)}/${run.run}`, "Report") : "")))))) : h("p", { class: "soft" }, "Nothing was run yet."),
    seen.history && seen.history.more ? h("p", { class: "soft" }, "Older runs: ", h("code", null, "pamola-task history")) : "");
}

document.addEventListener("change", event => {
  if (event.target.id === "only") seen.only = event.target.value;
  else if (event.target.type === "checkbox") {
    seen.chosen = seen.chosen.filter(id => id !== event.target.value);
    if (event.target.checked) seen.chosen.push(event.target.value);
    while (seen.chosen.length > 2) {
      const gone = seen.chosen.shift();
      for (const box of document.querySelectorAll("input[type=checkbox]")) if (box.value === gone) box.checked = false;
    }
  }
  draw();
});

// ------------------------------------------------------------ connection

function told(text) {
  document.getElementById("told").textContent = text;
}

function listen() {
  const stream = new EventSource("/api/events");
  const on = (name, take) => stream.addEventListener(name, event => { take(JSON.parse(event.data)); draw(); });
  stream.onopen = () => { seen.link = "live"; draw(); };
  stream.onerror = () => {
    seen.link = "lost";
    draw();
    if (stream.readyState === EventSource.CLOSED) { stream.close(); setTimeout(begin, 1000); }
  };
  on("project", facts => { seen.project = facts.project; seen.showData = facts.show_data; seen.runs.clear(); seen.logs.clear(); });
  on("problem", text => { seen.problem = text; });
  on("tasks", rows => {
    for (const row of rows) {
      const before = seen.tasks.find(each => each.task === row.task);
      if (before && before.state !== row.state) { told(`${row.task}: ${row.state}`); seen.history = null; }
    }
    seen.tasks = rows;
    const running = rows.filter(row => row.state === "running").length;
    document.title = `${running ? `▸ ${running} running · ` : ""}${seen.project} – dashboard`;
  });
  on("run", run => { seen.runs.set(run.task, run); askForCharts(run); });
  on("log", ({ task, run, anew, lines }) => {
    const log = anew || !seen.logs.has(task) ? { run, lines: [], count: 0 } : seen.logs.get(task);
    log.lines.push(...lines);
    log.count += lines.length;
    log.lines.splice(0, log.lines.length - 400);
    seen.logs.set(task, log);
  });
}

async function begin() {
  const given = /^#token=(.+)$/.exec(location.hash);
  try {
    if (given) {
      history.replaceState(null, "", "/");
      const answer = await fetch("/api/session", { method: "POST", credentials: "same-origin", body: JSON.stringify({ token: given[1] }) });
      seen.open = answer.ok;
    } else {
      seen.open = (await (await fetch("/api/session", { credentials: "same-origin" })).json()).open;
    }
  } catch {
    seen.link = "lost";
    setTimeout(begin, 1000);
    return draw();
  }
  if (seen.open) listen();
  return draw();
}

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) begin();
  else draw();
});
document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault();
  document.getElementById("main").focus();
});
setInterval(() => { if (seen.tasks.some(task => task.state === "running")) draw(); }, 500);
begin();
