// Draws the figures of a load test from the object in #report-data, when the page is loaded and when its width or the
// theme changes. Names and failures are untrusted: they go into text nodes only.
(() => {
  "use strict";
  const root = document.documentElement;
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
  const formats = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));
  const brief = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
  const seconds = (x) => `${formats[x < 10 ? 2 : 1].format(x)}\u00a0s`;
  const percent = (x) => `${formats[0].format(x * 100)}\u00a0%`;
  const place = (n) => (n === null ? "cluster" : n === 0 ? "embedded" : String(n));
  const workers = [...new Set(report.scale.map((s) => s.workers))].sort((a, b) => (a ?? -1) - (b ?? -1));
  const SMALL = 11;

  let theme;
  function readTheme() {
    const style = getComputedStyle(root);
    theme = { font: getComputedStyle(document.body).fontFamily };
    for (const name of ["raised", "ink", "muted", "line", "grid"]) theme[name] = style.getPropertyValue(`--${name}`).trim();
    theme.colour = (i) => style.getPropertyValue(`--c${i % 24}`).trim();
  }

  function tooltip([title, ...lines]) {
    const box = document.createElement("div");
    box.className = "tip";
    box.append(Object.assign(document.createElement("b"), { textContent: title }));
    for (const line of lines) box.append(Object.assign(document.createElement("div"), { textContent: line }));
    return box;
  }

  function chart(grid, xAxis, yAxis, series) {
    const text = { color: theme.muted, fontSize: SMALL, fontFamily: theme.font };
    const common = { nameLocation: "middle", nameTextStyle: text, axisLabel: { color: theme.muted, fontSize: SMALL }, axisLine: { show: true, onZero: false, lineStyle: { color: theme.line } }, axisTick: { show: false } };
    const merged = (axis) => ({ ...common, ...axis, axisLabel: { ...common.axisLabel, ...axis.axisLabel }, splitLine: { show: false, lineStyle: { color: theme.grid }, ...axis.splitLine } });
    return {
      animation: false,
      textStyle: { fontFamily: theme.font, color: theme.ink },
      grid: { left: 64, right: 24, top: 12, bottom: 44, ...grid },
      tooltip: { trigger: "item", confine: true, backgroundColor: theme.raised, borderColor: theme.line, textStyle: { color: theme.ink, fontSize: 12, fontFamily: theme.font }, formatter: (params) => tooltip(params.data.tip || [""]), transitionDuration: 0 },
      xAxis: merged(xAxis),
      yAxis: merged(yAxis),
      series,
    };
  }

  const figures = [];
  function figure(id, draw) {
    const element = document.getElementById(id);
    if (element) figures.push({ element, plot: element.querySelector(".plot"), draw, chart: null });
  }

  // A line for each number of rows, by workers.
  function byWorkers(id, value, name, format, ideal) {
    figure(id, () => {
      const lines = report.sizes.map((rows, i) => ({
        colour: theme.colour(i),
        points: report.scale.filter((s) => s.rows === rows && isNumber(value(s))).map((s) => ({
          value: [workers.indexOf(s.workers), value(s)],
          tip: [`${formats[0].format(s.rows)} customers`, `workers: ${place(s.workers)}`, `${name}: ${format(value(s))}`, `median of ${s.runs}: ${seconds(s.seconds)}`],
        })),
      })).filter((line) => line.points.length);
      const series = lines.map((line) => ({ type: "line", data: line.points, symbol: "circle", symbolSize: 8, itemStyle: { color: line.colour }, lineStyle: { color: line.colour, width: 2 } }));
      const known = workers.filter((n) => n !== null);
      if (ideal && known.length > 1) {
        const slots = (n) => Math.max(n, 1) / Math.max(known[0], 1);
        series.push({ type: "line", silent: true, symbol: "none", data: known.map((n) => ({ value: [workers.indexOf(n), ideal(slots(n))] })), lineStyle: { color: theme.muted, width: 1, type: [4, 4] } });
      }
      const marks = lines.reduce((sum, line) => sum + line.points.length, 0);
      const last = lines.map((line) => line.points[line.points.length - 1].tip.slice(0, 3).join(", ")).join("; ");
      return {
        option: chart({}, { type: "value", min: -0.3, max: workers.length - 0.7, interval: 1, name: "workers", nameGap: 28, axisLabel: { customValues: workers.map((_, i) => i), formatter: (i) => (i in workers ? place(workers[i]) : "") } },
          { type: "value", min: 0, name, nameGap: 46, axisLabel: { formatter: format }, splitLine: { show: true } }, series),
        height: 280,
        marks,
        label: `Line chart of ${name} by workers, a line for each number of rows. ${last}.`,
      };
    });
  }
  byWorkers("throughput", (s) => s.rows_per_second, "customers a second", (x) => brief.format(x));
  byWorkers("speed-up", (s) => s.speed_up, "speed-up", (x) => formats[2].format(x), (slots) => slots);
  byWorkers("efficiency", (s) => s.efficiency, "efficiency", percent, () => 1);

  // A bar for each number of rows and workers, a piece for each stage.
  figure("stages", (width) => {
    const bars = report.scale.filter((s) => s.stages.length);
    const name = (s) => `${brief.format(s.rows)}, ${place(s.workers)}`;
    const tall = 26;
    const pieces = bars.flatMap((s, row) => {
      let from = 0;
      return s.stages.map(([stage, took]) => {
        const piece = { row, stage, from, took, of: s };
        from += took;
        return piece;
      });
    });
    const most = Math.max(...pieces.map((p) => p.from + p.took)) || 1;
    const left = Math.min(150, width * 0.3);
    const series = {
      type: "custom",
      data: pieces.map((p) => ({ value: [p.from, p.row], tip: [p.stage, `${name(p.of)}`, seconds(p.took), `${percent(p.took / p.of.stages.reduce((sum, [, took]) => sum + took, 0))} of all stages`] })),
      renderItem(params, api) {
        const p = pieces[params.dataIndex];
        const [x, y] = api.coord([p.from, p.row + 0.5]);
        const [end] = api.coord([p.from + p.took, p.row + 0.5]);
        return { type: "rect", shape: { x, y: y - 8, width: Math.max(0.5, end - x), height: 16 }, style: { fill: theme.colour(report.stages.indexOf(p.stage)) } };
      },
      clip: false,
    };
    const option = chart({ left, top: 4, bottom: 40, height: tall * bars.length }, { type: "value", min: 0, max: most, name: "seconds", nameGap: 26, axisLabel: { formatter: (x) => formats[2].format(x), showMaxLabel: false }, splitLine: { show: true } },
      { type: "value", min: 0, max: bars.length, inverse: true, axisLine: { show: false }, axisLabel: { customValues: bars.map((_, i) => i + 0.5), formatter: (y) => (bars[Math.floor(y)] ? name(bars[Math.floor(y)]) : "") } }, [series]);
    const slowest = pieces.reduce((a, b) => (b.took > a.took ? b : a));
    return { option, height: tall * bars.length + 48, marks: pieces.length, label: `Bars of the seconds of each stage, by rows and workers. ${slowest.stage} takes most: ${seconds(slowest.took)} of ${name(slowest.of)}.` };
  });

  // The share of jobs that are done, by seconds from submission.
  figure("latency", () => {
    const series = [];
    const said = [];
    report.bursts.forEach((burst, i) => {
      const done = burst.jobs.filter((job) => !job.failure && isNumber(job.seconds)).map((job) => job.seconds).sort((a, b) => a - b);
      if (!done.length) return;
      const colour = theme.colour(i);
      const of = `${burst.jobs.length} jobs, workers: ${place(burst.workers)}`;
      series.push({ type: "line", step: "end", silent: true, symbol: "none", data: [{ value: [0, 0] }, ...done.map((s, n) => ({ value: [s, (n + 1) / done.length] }))], lineStyle: { color: colour, width: 2 } });
      const marks = [50, 90, 99].map((p) => ({ value: [burst.latency[`p${p}`], p / 100], tip: [of, `${p} in 100 within ${seconds(burst.latency[`p${p}`])}`] }));
      series.push({ type: "line", data: marks, symbol: "circle", symbolSize: 9, lineStyle: { width: 0, opacity: 0 }, itemStyle: { color: colour } });
      said.push(`${of}: half within ${seconds(burst.latency.p50)}, 99 in 100 within ${seconds(burst.latency.p99)}`);
    });
    return {
      option: chart({}, { type: "value", min: 0, name: "seconds from submission to done", nameGap: 28, axisLabel: { formatter: (x) => formats[2].format(x) } }, { type: "value", min: 0, max: 1, name: "share of jobs", nameGap: 46, axisLabel: { formatter: percent }, splitLine: { show: true } }, series),
      height: 300,
      marks: series.length,
      label: `Share of jobs that are done within so many seconds. ${said.join("; ")}.`,
    };
  });

  function fail(error, where) {
    console.error(`${where}: ${error && error.stack ? error.stack : error}`);
    root.dataset.failed = [root.dataset.failed, where].filter(Boolean).join(" ");
  }

  function draw() {
    readTheme();
    for (const item of figures) {
      try {
        const width = item.plot.clientWidth;
        if (!width) continue;
        const { option, height, marks, label } = item.draw(width);
        item.plot.style.height = `${height}px`;
        item.chart ??= echarts.init(item.plot, null, { renderer: "svg", width, height });
        item.chart.resize({ width, height, silent: true });
        item.chart.setOption(option, { notMerge: true });
        item.plot.setAttribute("aria-label", label);
        item.element.dataset.marks = marks;
      } catch (error) {
        fail(error, item.element.id);
      }
    }
  }

  try {
    root.classList.add("drawn");
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    let width = document.getElementById("main").clientWidth;
    new ResizeObserver(() => {
      const now = document.getElementById("main").clientWidth;
      if (now !== width) {
        width = now;
        draw();
      }
    }).observe(document.getElementById("main"));
    draw();
    if (!root.dataset.failed) root.dataset.ready = "true";
  } catch (error) {
    fail(error, "page");
  }
})();
