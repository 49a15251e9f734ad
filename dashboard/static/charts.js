// Draws the charts of a page with uPlot; what each shows stands in a table beside it as well.
"use strict";

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const inks = () => ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6"].map(style);
const dashes = [[], [6, 3], [2, 3], [8, 3, 2, 3], [12, 4], [4, 4]]; // told apart without colour too

// Hours as everywhere here, in UTC, and the day where it begins.
function moments(_, ticks) {
  const told = ticks.map((tick) => new Date(1000 * tick).toISOString());
  return told.map((each, at) => {
    const [day, hour] = [each.slice(0, 10), each.slice(11, 16)];
    if (hour === "00:00") return day;
    return told[at - 1]?.startsWith(day) ? hour : `${hour}\n${day}`;
  });
}

function draw(place) {
  const told = JSON.parse(place.dataset.chart);
  const axis = { stroke: style("--quiet"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line") } };
  const number = (_, value) => (value === null ? "-" : `${+value.toPrecision(4)} ${told.unit}`);
  const options = {
    width: place.clientWidth,
    height: 240,
    cursor: { drag: { x: true, y: false } },
    tzDate: (at) => uPlot.tzDate(new Date(1000 * at), "Etc/UTC"),
    scales: { x: { time: true }, ...(told.unit === "%" ? { y: { range: [0, 100] } } : {}) },
    axes: [{ ...axis, space: 84, values: moments }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => `${tick} ${told.unit}`) }],
    series: [
      { label: "run", value: (_, at, __, index) => (index === null ? "-" : told.names[index]) },
      ...told.lines.map((line, number_) => ({
        label: line.name,
        stroke: inks()[number_ % 6],
        dash: dashes[number_ % dashes.length],
        width: 2,
        spanGaps: true,
        points: { size: 6 },
        value: number,
      })),
    ],
  };
  place.replaceChildren();
  const plot = new uPlot(options, [told.at, ...told.lines.map((line) => line.values)], place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 240 })).observe(place);
}

const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
