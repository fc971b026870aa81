"use strict";
// Everything on the page comes from three JSON addresses, asked again every few seconds.
const byId = (id) => document.getElementById(id);
const ROW_HEIGHT = 46;
const EVERY = 3000;
let overview = { tenants: [], alarms: [], mails: [] };
let shown = {};  // what was last drawn of each part, so that nothing that did not change is touched

async function ask(path, options) {
  const reply = await fetch(path, options);
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`);
  return reply.json();
}

function changed(part, value) {
  const text = JSON.stringify(value);
  if (shown[part] === text) return false;
  shown[part] = text;
  return true;
}

function shareOf(window) {
  return window?.limit_usd ? 1 - Number(window.remaining_usd) / Number(window.limit_usd) : 0;
}

const fullest = (tenant) => Math.max(...["month", "day"].map((key) => shareOf(tenant.usage.budgets[key])));

function budgetLines({ budgets }) {
  return [["day", "Today"], ["month", "This month"]].flatMap(([key, name]) => {
    const window = budgets[key];
    if (!window.limit_usd) return [element("p", {}, element("span", {}, `${name}: `, element("strong", { "data-spent": key }, money(window.spent_usd)), ", no budget"))];
    const share = shareOf(window);
    const percent = Math.floor(share * 100);
    const colour = share >= 0.98 ? "red" : share >= 0.9 ? "orange" : share >= 0.5 ? "yellow" : "green";
    const said = `${money(window.spent_usd)} of ${money(window.limit_usd)}`;
    return [element("p", {}, element("span", {}, `${name}: `, element("strong", { "data-spent": key }, money(window.spent_usd)), ` of ${money(window.limit_usd)}`), element("span", {}, `${percent} %`)),
      element("div", { class: `bar ${colour}`, role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent, "aria-valuetext": said, "aria-label": `${name}, share of the budget` },
        element("div", { style: `width:${share * 100}%` }))];
  });
}

function trouble(tenant) {
  const { usage, refused, why } = tenant;
  const lines = [];
  if (usage.suspended) lines.push(element("p", { class: "notice red" }, "Suspended: every request is refused."));
  else if (refused || fullest(tenant) >= 0.98) {
    const told = fullest(tenant) >= 0.98 ? ["Stopped at its budget."] : [];
    if (refused) told.push(`${refused} request${refused === 1 ? "" : "s"} refused in the last 15 minutes.`);
    lines.push(element("p", { class: "notice red" }, told.join(" ")));
  }
  if (usage.level !== "green" && why) lines.push(element("p", { class: "why" }, why));
  return lines;
}

function card(tenant) {
  const { name, tier, profiles, usage } = tenant;
  return element("article", { class: `card edge-${usage.level}`, "data-tenant": name, "aria-label": name },
    element("h3", {}, name, element("span", { class: `level ${usage.level}` }, usage.level)),
    ...trouble(tenant), ...budgetLines(usage),
    element("footer", {}, element("span", {}, `${tier} · ${profiles.length} profile${profiles.length === 1 ? "" : "s"}`),
      element("button", { type: "button", class: "quiet", "data-pick": name, "aria-label": `Pick ${name}`, onclick: () => pick(name) }, "Pick")));
}

function drawTenants() {
  const wanted = byId("filter").value.trim().toLowerCase();
  const chosen = overview.tenants.filter(({ name }) => name.toLowerCase().includes(wanted));
  chosen.sort((a, b) => LEVELS.indexOf(b.usage.level) - LEVELS.indexOf(a.usage.level) || fullest(b) - fullest(a) || a.name.localeCompare(b.name));
  byId("filter-label").hidden = overview.tenants.length <= 8;
  if (!changed("tenants", chosen)) return;
  const focused = document.activeElement?.dataset?.pick;
  byId("tenants").replaceChildren(...chosen.map(card));
  if (!chosen.length) byId("tenants").append(element("p", {}, wanted ? "No tenant has this name." : "No tenant yet: run setup.py --local."));
  if (focused) byId("tenants").querySelector(`[data-pick="${CSS.escape(focused)}"]`)?.focus();
}

// Form and dashboard turn to one tenant.
function pick(name) {
  byId("send-tenant").value = name;
  fillProfiles();
  const places = [["TenantID", name], ["InferenceProfile", byId("send-profile").value]];
  for (const [property, value] of places) {
    const select = document.querySelector(`select[data-property="${property}"]`);
    if (select) select.value = value;
  }
  document.querySelectorAll("[data-pick]").forEach((button) => button.setAttribute("aria-pressed", button.dataset.pick === name));
  byId("status").textContent = `Form and dashboard show ${name}.`;
  refreshDashboard();
}

function drawSummary({ tenants, alarms, mails }) {
  const sum = (key) => tenants.reduce((total, tenant) => total + Number(tenant.usage.budgets[key].spent_usd), 0);
  const above = tenants.filter((tenant) => tenant.usage.level !== "green").length;
  const refused = tenants.reduce((total, tenant) => total + tenant.refused, 0);
  const on = alarms.filter((alarm) => alarm.state === "ALARM").length;
  const facts = [
    ["Spent this month", money(sum("month")), ""], ["Tenants above green", `${above} of ${tenants.length}`, above ? "orange" : ""],
    ["Refused in 15 minutes", refused, refused ? "red" : ""], ["Alarms on", `${on} of ${alarms.length}`, on ? "red" : ""], ["Mails", mails.length, ""],
  ];
  if (changed("summary", facts)) byId("summary").replaceChildren(...facts.map(([name, value, colour]) => element("div", {}, element("dt", {}, name), element("dd", { class: colour }, String(value)))));
}

function options(select, values) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => element("option", { value }, value)));
  if (values.includes(before)) select.value = before;
}

function fillForm(tenants) {
  if (!changed("form", tenants.map(({ name, profiles }) => [name, profiles]))) return;
  options(byId("send-tenant"), tenants.map((tenant) => tenant.name));
  fillProfiles();
}

function fillProfiles() {
  const tenant = overview.tenants.find((one) => one.name === byId("send-tenant").value);
  options(byId("send-profile"), tenant ? tenant.profiles : []);
}

const clockTime = (moment) => `${new Date(moment).toISOString().slice(11, 16)} UTC`;

function drawAlarms(alarms) {
  if (!changed("alarms", alarms)) return;
  const order = { ALARM: 0, OK: 1, INSUFFICIENT_DATA: 2 };
  const colours = { ALARM: "red", OK: "green", INSUFFICIENT_DATA: "grey" };
  const sorted = [...alarms].sort((a, b) => order[a.state] - order[b.state] || b.since - a.since || a.name.localeCompare(b.name));
  byId("alarms").replaceChildren(...sorted.map((alarm) => element("li", { "data-alarm": alarm.name, "data-state": alarm.state },
    element("div", { class: "row" }, element("span", {}, alarm.name), element("span", { class: `level ${colours[alarm.state]}` }, alarm.state.replace("_", " ").toLowerCase())),
    element("small", {}, `since ${clockTime(alarm.since)}${alarm.state === "ALARM" ? `: ${alarm.reason}` : ""}`))));
}

function drawMails(mails) {
  if (!changed("mails", mails)) return;
  const focused = document.activeElement?.dataset?.mail;
  byId("mails").replaceChildren(...mails.map((mail) => element("li", {},
    element("button", { type: "button", "data-mail": mail.file, onclick: () => openMail(mail.file) }, mail.subject, element("small", {}, `${mail.to} · ${mail.date.replace(/ [+]0000$/, " UTC")}`)))));
  if (!mails.length) byId("mails").append(element("li", {}, "No mail yet."));
  if (focused) byId("mails").querySelector(`[data-mail="${CSS.escape(focused)}"]`)?.focus();
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
  const button = event.target.querySelector("button");
  button.disabled = true;
  byId("outcome").textContent = "Sending…";
  try {
    const body = { messages: [{ role: "user", content: [{ text: byId("send-text").value }] }], inferenceConfig: { maxTokens: Number(byId("send-tokens").value) } };
    const headers = { "inference-profile-id": byId("send-profile").value };
    showAnswer(await ask("/_console/send", { method: "POST", body: JSON.stringify({ tenant: byId("send-tenant").value, headers, body }) }));
  } catch (error) {
    byId("outcome").className = "red";
    byId("outcome").textContent = "The request could not be sent; the embedded AWS does not answer.";
  } finally {
    button.disabled = false;
    button.focus();
  }
  await refresh();
}

function showAnswer({ status, headers, body }) {
  const said = status === 200 ? body.output.message.content.map((block) => block.text).join("\n") : body.error?.message ?? JSON.stringify(body);
  const facts = status === 200
    ? [`Cost ${money(headers["x-cost-usd"])}`, `level ${headers["x-alert-level"]}`, `${body.usage.inputTokens} tokens in, ${body.usage.outputTokens} out`]
    : [`Refused: ${status} ${body.error?.code ?? ""}`];
  if (headers["x-budget-remaining-usd"]) facts.push(`${money(headers["x-budget-remaining-usd"])} of the budget left`);
  byId("outcome").className = status === 200 ? "" : "red";
  byId("outcome").textContent = facts.join(" · ");
  const rows = [["status", status], ...Object.entries(headers)];
  byId("answer").hidden = false;
  byId("answer").replaceChildren(element("blockquote", {}, said), element("table", {}, element("caption", {}, "Reply headers"), element("tbody", {}, ...rows.map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", { "data-header": name }, String(value)))))));
}

function drawDashboard(board) {
  if (changed("variables", board.variables)) drawVariables(board.variables);
  const grid = byId("dashboard");
  if (changed("frames", board.widgets.map(({ type, x, y, width, height, title, markdown }) => [type, x, y, width, height, title, markdown]))) {
    grid.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.purge(plot));
    grid.replaceChildren(...board.widgets.map(frame));
    shown = Object.fromEntries(Object.entries(shown).filter(([part]) => !part.startsWith("widget")));
  }
  // Moving the axis by less than a minute is not worth drawing anew.
  const span = { first: Math.floor(board.first / 60000) * 60000, last: Math.ceil(board.last / 60000) * 60000 };
  board.widgets.forEach((widget, index) => {
    const box = grid.children[index].querySelector(".plot");
    if (widget.type === "alarm" && changed(`widget ${index}`, overview.alarms)) drawStates(box, widget, overview.alarms);
    if (widget.type === "metric" && changed(`widget ${index}`, [widget, span, dark.matches])) drawMetric(box, widget, span);
  });
}

function frame(widget) {
  const style = `grid-column:${widget.x + 1}/span ${widget.width};grid-row:${widget.y + 1}/span ${widget.height}`;
  if (widget.type === "text") return element("div", { class: "widget text", style }, element("h3", {}, widget.markdown.replace(/^#+ */, "")));
  return element("article", { class: `widget ${widget.type} view-${widget.view}`, style, "aria-label": widget.title, "data-title": widget.title },
    element("h4", {}, widget.title), element("div", { class: "plot", style: `--height:${widget.height * ROW_HEIGHT}px` }));
}

function drawVariables(variables) {
  const place = byId("variables");
  const before = new Map([...place.querySelectorAll("[data-variable] select")].map((select) => [select.id, select.value]));
  place.querySelectorAll("[data-variable]").forEach((old) => old.remove());
  place.prepend(...variables.map((variable) => {
    const choices = (variable.values || []).map(({ value, label }) => element("option", { value }, label || value));
    const select = element("select", { id: `variable-${variable.id}`, "data-property": variable.property, onchange: refreshDashboard }, ...choices);
    select.value = before.get(select.id) || variable.defaultValue;
    return element("label", { "data-variable": variable.id }, variable.label, select);
  }));
}

let latest = 0;
async function refreshDashboard() {
  const query = new URLSearchParams({ minutes: byId("minutes").value });
  document.querySelectorAll("#variables [data-variable] select").forEach((select) => query.set(select.parentElement.dataset.variable, select.value));
  const mine = ++latest;
  const board = await ask(`/_console/dashboard?${query}`);
  if (mine === latest) drawDashboard(board);  // an older choice that is answered late is not drawn
}

async function refreshOverview() {
  overview = await ask("/_console/overview");
  byId("now").textContent = overview.now ? `${new Date(overview.now).toISOString().slice(0, 16).replace("T", " ")} UTC` : "";
  fillForm(overview.tenants);
  overview.tenants.forEach(({ name, profiles }) => [name, ...profiles].forEach((one) => named.add(one)));
  drawSummary(overview);
  drawTenants();
  drawAlarms(overview.alarms);
  drawMails(overview.mails);
}

async function refresh() {
  try {
    await refreshOverview();
    await refreshDashboard();
    const said = overview.ready ? "" : "Nothing is set up yet: run python setup.py --local";
    if (!byId("status").textContent.startsWith("Form") || said) byId("status").textContent = said;
  } catch (error) {
    byId("status").textContent = "The embedded AWS does not answer; trying again.";
  }
}

async function forever() {
  await refresh();
  setTimeout(forever, document.hidden ? 5 * EVERY : EVERY);
}

byId("send").addEventListener("submit", send);
byId("send-tenant").addEventListener("change", fillProfiles);
byId("filter").addEventListener("input", drawTenants);
byId("minutes").addEventListener("change", refreshDashboard);
dark.addEventListener("change", refresh);
forever();
