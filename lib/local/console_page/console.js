"use strict";
// Everything on the page comes from three JSON addresses, asked again every few seconds.
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const COLOURS = ["#3b6fb6", "#d9822b", "#4f9d69", "#b04a5a", "#7a5ba6", "#8c6d4f", "#c977a8", "#5f8f9f", "#a8a13a", "#3aa6a6"];
const ROW_HEIGHT = 52;
let overview = { tenants: [], alarms: [], mails: [] };
let shown = {};  // what was last drawn of each part, so that nothing that did not change is touched

async function ask(path, options) {
  const reply = await fetch(path, options);
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`);
  return reply.json();
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function changed(part, value) {
  const text = JSON.stringify(value);
  if (shown[part] === text) return false;
  shown[part] = text;
  return true;
}

function money(text) {
  const amount = Number(text);
  if (amount === 0) return "$0";
  return amount >= 1 ? `$${amount.toFixed(2)}` : `$${amount.toPrecision(3)}`;
}

function budgetLines(usage) {
  const windows = [["month", "This month"], ["day", "Today"]];
  return windows.flatMap(([key, name]) => {
    const window = (usage.budgets || {})[key] || {};
    if (!window.limit_usd) return window.spent_usd ? [element("p", {}, `${name}: ${money(window.spent_usd)}`)] : [];
    const share = Math.min(1, Number(window.spent_usd) / Number(window.limit_usd));
    const colour = share >= 1 ? "red" : share >= 0.9 ? "orange" : share >= 0.75 ? "yellow" : "green";
    const bar = element("div", {
      class: `bar ${colour}`, role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-valuenow": Math.round(share * 100), "aria-label": `${name}, share of the budget`,
    }, element("div", { style: `width:${share * 100}%` }));
    return [bar, element("p", {}, `${name}: ${money(window.spent_usd)} of ${money(window.limit_usd)} (${Math.round(share * 100)} %)`)];
  });
}

function drawTenants(tenants) {
  if (!changed("tenants", tenants)) return;
  byId("tenants").replaceChildren(...tenants.map(({ name, profiles, usage }) => {
    const level = usage.level || "green";
    return element("article", { class: "card", "data-tenant": name },
      element("h3", {}, name, element("span", { class: `level ${level}` }, level)),
      ...budgetLines(usage),
      ...(usage.suspended ? [element("p", { class: "red" }, "Suspended: requests are refused.")] : []),
      element("p", {}, `${profiles.length} profile${profiles.length === 1 ? "" : "s"}`));
  }));
  fillForm(tenants);
}

function options(select, values) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => element("option", { value }, value)));
  if (values.includes(before)) select.value = before;
}

function fillForm(tenants) {
  options(byId("send-tenant"), tenants.map((tenant) => tenant.name));
  fillProfiles();
}

function fillProfiles() {
  const tenant = overview.tenants.find((one) => one.name === byId("send-tenant").value);
  options(byId("send-profile"), tenant ? tenant.profiles : []);
}

function drawAlarms(alarms) {
  if (!changed("alarms", alarms)) return;
  const order = { ALARM: 0, INSUFFICIENT_DATA: 2, OK: 1 };
  const colours = { ALARM: "red", OK: "green", INSUFFICIENT_DATA: "" };
  const sorted = [...alarms].sort((a, b) => order[a.state] - order[b.state] || a.name.localeCompare(b.name));
  byId("alarms").replaceChildren(...sorted.map((alarm) => element("tr", { "data-alarm": alarm.name, title: alarm.reason },
    element("td", {}, alarm.name),
    element("td", {}, element("span", { class: `level ${colours[alarm.state]}` }, alarm.state.replace("_", " "))))));
}

function drawMails(mails) {
  if (!changed("mails", mails)) return;
  byId("mails").replaceChildren(...mails.map((mail) => element("li", {},
    element("button", { type: "button", onclick: () => openMail(mail.file) }, mail.subject, element("small", {}, `${mail.to} · ${mail.date}`)))));
  if (!mails.length) byId("mails").append(element("li", {}, "No mail yet."));
}

async function openMail(file) {
  const mail = await ask(`/_console/mail?file=${encodeURIComponent(file)}`);
  byId("mail-subject").textContent = mail.subject;
  byId("mail-to").textContent = `${mail.to || ""} · ${mail.date || ""}`;
  byId("mail-text").textContent = mail.text;
  byId("mail").showModal();
}

async function send(event) {
  event.preventDefault();
  const body = { messages: [{ role: "user", content: [{ text: byId("send-text").value }] }], inferenceConfig: { maxTokens: Number(byId("send-tokens").value) } };
  const headers = { "inference-profile-id": byId("send-profile").value };
  const answer = await ask("/_console/send", { method: "POST", body: JSON.stringify({ tenant: byId("send-tenant").value, headers, body }) });
  const rows = [["status", answer.status], ...Object.entries(answer.headers)];
  const said = answer.body?.output?.message?.content?.map((block) => block.text).join("\n") ?? JSON.stringify(answer.body, null, 2);
  byId("answer").replaceChildren(
    element("pre", { tabindex: 0 }, said),
    element("table", {}, element("tbody", {}, ...rows.map(([name, value]) =>
      element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "number", "data-header": name }, String(value)))))));
  await refresh();
}

function layout(widget) {
  const ink = getComputedStyle(document.body).color;
  const line = "rgba(128,128,128,.25)";
  return {
    margin: { l: 45, r: 10, t: 8, b: 30 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 11 }, colorway: COLOURS, showlegend: true, legend: { orientation: "h", y: -0.2 },
    xaxis: { gridcolor: line, type: "date" }, barmode: "stack",
    yaxis: { gridcolor: line, rangemode: "tozero", range: widget.yAxis?.left?.max !== undefined ? [0, widget.yAxis.left.max] : undefined },
  };
}

function traces(widget) {
  return widget.series.map(({ label, points }) => {
    const trace = { name: label, x: points.map(([moment]) => new Date(moment)), y: points.map(([, value]) => value) };
    if (widget.view === "bar" || widget.stacked) return { ...trace, type: "bar" };
    return { ...trace, type: "scatter", mode: points.length < 60 ? "lines+markers" : "lines", line: { shape: "linear", width: 2 } };
  });
}

function drawMetric(box, widget) {
  if (!widget.series.length) return box.replaceChildren(element("p", { class: "empty" }, "No data in this time."));
  if (widget.view === "singleValue") {
    return box.replaceChildren(element("div", { class: "numbers" }, ...widget.series.map(({ label, points }) =>
      element("div", {}, element("strong", {}, Number(points.at(-1)[1].toPrecision(5)).toString()), label))));
  }
  if (!box.classList.contains("js-plotly-plot")) box.replaceChildren();
  Plotly.react(box, traces(widget), layout(widget), { displayModeBar: false, responsive: true });
}

function drawStates(box, widget) {
  const names = widget.alarms.map((arn) => arn.split(":alarm:")[1]);
  const states = new Map(overview.alarms.map((alarm) => [alarm.name, alarm.state]));
  box.replaceChildren(element("div", { class: "states" }, ...names.map((name) => {
    const state = states.get(name) || "INSUFFICIENT_DATA";
    return element("span", { class: state }, `${name}: ${state.replace("_", " ")}`);
  })));
}

function drawDashboard({ variables, widgets }) {
  if (changed("variables", variables)) drawVariables(variables);
  const grid = byId("dashboard");
  if (grid.children.length !== widgets.length) grid.replaceChildren(...widgets.map(frame));
  widgets.forEach((widget, index) => {
    if (widget.type === "text") return;
    const box = grid.children[index].querySelector(".plot");
    if (widget.type === "alarm") return drawStates(box, widget);
    if (changed(`widget ${index} ${dark.matches}`, widget)) drawMetric(box, widget);
  });
}

function frame(widget) {
  const style = `grid-column:${widget.x + 1}/span ${widget.width};grid-row:${widget.y + 1}/span ${widget.height};height:${widget.height * ROW_HEIGHT}px`;
  if (widget.type === "text") {
    return element("div", { class: "widget text", style: style.replace(/height:[^;]*$/, "") }, element("h3", {}, widget.markdown.replace(/^#+ */, "")));
  }
  return element("article", { class: "widget", style, "aria-label": widget.title },
    element("h3", {}, widget.title), element("div", { class: "plot" }));
}

function drawVariables(variables) {
  const place = byId("variables");
  place.querySelectorAll("[data-variable]").forEach((old) => old.remove());
  place.prepend(...variables.map((variable) => {
    const choices = (variable.values || []).map(({ value, label }) => element("option", { value }, label || value));
    const select = element("select", { id: `variable-${variable.id}`, onchange: refreshDashboard }, ...choices);
    select.value = variable.defaultValue;
    return element("label", { "data-variable": variable.id }, variable.label, select);
  }));
}

async function refreshDashboard() {
  const query = new URLSearchParams({ minutes: byId("minutes").value });
  document.querySelectorAll("#variables [data-variable] select").forEach((select) => query.set(select.parentElement.dataset.variable, select.value));
  drawDashboard(await ask(`/_console/dashboard?${query}`));
}

async function refreshOverview() {
  overview = await ask("/_console/overview");
  drawTenants(overview.tenants);
  drawAlarms(overview.alarms);
  drawMails(overview.mails);
}

async function refresh() {
  try {
    await refreshOverview();
    await refreshDashboard();
    byId("status").textContent = overview.ready ? "" : "Nothing is set up yet.";
  } catch (error) {
    byId("status").textContent = "The embedded AWS does not answer; trying again.";
  }
}

async function forever() {
  await refresh();
  setTimeout(forever, document.hidden ? 20000 : 4000);
}

byId("send").addEventListener("submit", send);
byId("send-tenant").addEventListener("change", fillProfiles);
byId("minutes").addEventListener("change", refreshDashboard);
dark.addEventListener("change", () => { shown = {}; refresh(); });
forever();
