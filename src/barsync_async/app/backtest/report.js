"use strict";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const charts = JSON.parse(document.getElementById("charts").textContent);

function colors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: of("--line"), linecolor: of("--line"), zerolinecolor: of("--line") };
  return {
    paper: { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" },
    font: { color: of("--ink"), family: "system-ui, sans-serif", size: 12 },
    hoverlabel: { bgcolor: of("--card"), bordercolor: of("--line"), font: { color: of("--ink") } },
    axis: axis,
  };
}

function layoutOf(chart) {
  const look = colors();
  return Object.assign({}, chart.layout, look.paper, {
    font: look.font,
    hoverlabel: look.hoverlabel,
    margin: { l: 8, r: 16, t: chart.layout.showlegend ? 36 : 10, b: 8 },
    hovermode: "x unified",
    dragmode: "zoom",
    legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0 },
    xaxis: Object.assign({ type: "date", automargin: true, nticks: 8 }, look.axis, chart.layout.xaxis),
    yaxis: Object.assign({ automargin: true, nticks: 6, fixedrange: true }, look.axis, chart.layout.yaxis),
  });
}

function draw() {
  const options = { responsive: true, displaylogo: false, displayModeBar: false };
  const drawn = charts.map((chart) => Plotly.react(chart.id, chart.data, layoutOf(chart), options));
  Promise.all(drawn).then(align).then(() => { document.documentElement.dataset.drawn = drawn.length; });
}

// The widest label of all decides where every chart begins: a moment stands at one x in all of them.
function align() {
  const left = Math.max(...charts.map((chart) => document.getElementById(chart.id)._fullLayout._size.l));
  return Promise.all(charts.map((chart) =>
    Plotly.relayout(chart.id, { "margin.l": left, "yaxis.automargin": false })));
}

draw();
dark.addEventListener("change", draw);
