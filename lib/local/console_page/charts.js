"use strict";
// Draws one widget of the dashboard. Colours belong to labels, so that a tenant has one colour in all charts.
const dark = matchMedia("(prefers-color-scheme: dark)");
// Distinguishable for colour-blind people on white and on black: after Okabe and Ito (2008), darkened or lightened.
const LIGHT = ["#0072b2", "#d55e00", "#008a63", "#b0558d", "#8a6d00", "#3f8fc4", "#5b5b5b", "#7a3e9d", "#a33a2a", "#2f6f4f"];
const DARK = ["#56b4e9", "#f0833a", "#2cc295", "#de8fbd", "#e6c229", "#9ad0f5", "#b5b5b5", "#b89be0", "#ff8a7a", "#8fd3a8"];
const LEVELS = ["green", "yellow", "orange", "red"];
const named = new Set();  // tenants and profiles; everything else is a metric
const colours = { named: new Map(), metric: new Map([["InputTokens", 0], ["OutputTokens", 1], ["CacheReadTokens", 2], ["CacheWriteTokens", 3], ["InvocationSuccess", 2], ["InvocationDenied", 8], ["InvocationFailure", 4]]) };
const DAY = 86400;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function colour(label) {
  // A metric and its cost have one colour.
  const [map, key] = named.has(label) ? [colours.named, label] : [colours.metric, label.replace(/Cost$/, "")];
  if (!map.has(key)) map.set(key, map.size);
  const palette = dark.matches ? DARK : LIGHT;
  return palette[map.get(key) % palette.length];
}

function money(text) {
  const amount = Number(text);
  if (amount === 0) return "$0";
  return amount >= 1 ? `$${amount.toFixed(2)}` : `$${Number(amount.toPrecision(3))}`;
}

const isMoney = (widget) => (widget.title || "").includes("USD");
const isLevel = (widget) => widget.yAxis?.left?.max === 3;

function figure(widget, value) {
  if (isMoney(widget)) return money(value);
  if (isLevel(widget)) return LEVELS[value] || String(value);
  return value.toLocaleString("en", { maximumSignificantDigits: 5 });
}

// CloudWatch's own legend leaves out the statistic where it is the same for all.
const shortLabel = (label) => label.replace(/ (Sum|Average|Maximum|Minimum|SampleCount|p\d+)$/, "");

function dayName(moment) {
  return new Date(moment).toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
}

function traces(widget) {
  const daily = widget.view === "bar" || widget.period >= DAY;
  return [...widget.series].sort((a, b) => a.label.localeCompare(b.label)).map(({ label, points }) => {
    const name = shortLabel(label);
    const trace = {
      name, y: points.map(([, value]) => value), customdata: points.map(([, value]) => figure(widget, value)),
      // Plotly draws times as they are written; here that is UTC, as in CloudWatch.
      x: points.map(([moment]) => (daily ? dayName(moment) : new Date(moment + (widget.stacked ? widget.period * 500 : 0)).toISOString().slice(0, 19))),
      hovertemplate: `%{customdata}<extra>${name}</extra>`,
    };
    if (daily || widget.stacked) return { ...trace, type: "bar", marker: { color: colour(name) }, ...(daily ? { width: 0.5 } : {}) };
    return {
      ...trace, type: "scatter", mode: points.length < 40 ? "lines+markers" : "lines", marker: { color: colour(name), size: 5 },
      line: { color: colour(name), width: 2, shape: isLevel(widget) ? "hv" : "linear" },
    };
  });
}

function layout(widget, span) {
  const style = getComputedStyle(document.body);
  const line = style.getPropertyValue("--line");
  const daily = widget.view === "bar" || widget.period >= DAY;
  const utc = (moment) => new Date(moment).toISOString().slice(0, 19);
  return {
    margin: { l: 48, r: 8, t: 6, b: 24 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: style.getPropertyValue("--soft"), size: 11, family: "system-ui, sans-serif" },
    showlegend: widget.series.length > 1, legend: { orientation: "h", y: -0.16, yanchor: "top", x: 0, font: { size: 10 }, itemwidth: 30 },
    hovermode: "x unified", hoverlabel: { bgcolor: style.getPropertyValue("--card"), bordercolor: line, font: { color: style.color } },
    barmode: "stack", bargap: 0.15,
    xaxis: daily ? { type: "category", linecolor: line } : { type: "date", range: [utc(span.first), utc(span.last)], gridcolor: line, linecolor: line, nticks: 6, tickformat: span.last - span.first > 2 * DAY * 1000 ? "%d %b" : "%H:%M" },
    yaxis: {
      gridcolor: line, zerolinecolor: line, rangemode: "tozero", nticks: 5, tickprefix: isMoney(widget) ? "$" : "", exponentformat: "none", separatethousands: true,
      ...(isLevel(widget) ? { range: [-0.15, 3.15], tickvals: [0, 1, 2, 3], ticktext: LEVELS, tickprefix: "" } : {}),
    },
  };
}

function summary(widget) {
  const told = widget.series.map(({ label, points }) => {
    const values = points.map(([, value]) => value);
    return `${shortLabel(label)}: latest ${figure(widget, values.at(-1))}, highest ${figure(widget, Math.max(...values))}`;
  });
  return `${widget.title}. ${told.join(". ")}`;
}

function drawMetric(box, widget, span) {
  box.removeAttribute("role");
  if (!widget.series.length) {
    if (box.classList.contains("js-plotly-plot")) Plotly.purge(box);
    return box.replaceChildren(element("p", { class: "empty" }, "No data in this time."));
  }
  if (widget.view === "singleValue") {
    return box.replaceChildren(element("dl", { class: "numbers" }, ...widget.series.map(({ label, points }) =>
      element("div", {}, element("dt", {}, shortLabel(label)), element("dd", {}, figure(widget, points.at(-1)[1]))))));
  }
  if (!box.classList.contains("js-plotly-plot")) box.replaceChildren();
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", summary(widget));
  Plotly.react(box, traces(widget), layout(widget, span), { displayModeBar: false, responsive: true });
}

function drawStates(box, widget, alarms) {
  const names = widget.alarms.map((arn) => arn.split(":alarm:")[1]);
  const states = new Map(alarms.map((alarm) => [alarm.name, alarm.state]));
  box.replaceChildren(element("ul", { class: "states" }, ...names.map((name) => {
    const state = states.get(name) || "INSUFFICIENT_DATA";
    return element("li", { class: state }, name, element("span", { class: state === "OK" ? "unseen" : "" }, `: ${state.replace("_", " ").toLowerCase()}`));
  })));
}
