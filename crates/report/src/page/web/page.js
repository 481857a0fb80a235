// Draws the figures of the report from the object in #report-data.
//
// A figure is a list of plots, a plot an element and a function that makes what ECharts draws from the element's width. All
// are drawn when the page is loaded, and again when the width, the theme or the clustering shown changes, and for printing.
// Axes are linear to ECharts: a scale (linear, log, symlog) turns values into positions and names its ticks, and a layer
// draws its marks through `at(x, y)`, which turns positions into pixels. Names are untrusted: they go into text nodes only.
(() => {
  "use strict";
  const root = document.documentElement;
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const kmeans = report.clusterings[0];
  const PALETTE = 24;
  const LISTED = 24; // plots with a row for each segment show at most this many
  let shown = kmeans;
  let printing = false;
  let theme;

  // --- numbers and text ----------------------------------------------------------------------------------------------

  const NBSP = "\u00a0";
  const MINUS = "\u2212";
  const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
  const grouped = (text) => text.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));
  const signed = (x, text) => (x < 0 && /[1-9]/.test(text) ? MINUS : "") + text;

  function thousands(x) {
    return isNumber(x) ? signed(x, grouped(Math.round(Math.abs(x)).toFixed(0))) : "–";
  }

  // Four significant digits, or as many as asked for.
  function number(x, digits = 4) {
    if (!isNumber(x)) return "–";
    const a = Math.abs(x);
    if (a === 0) return "0";
    if (a < 1e-4 || a >= 1e15) return signed(x, a.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("+", "").replace("-", MINUS));
    const text = a.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(a))));
    return signed(x, grouped(text.includes(".") ? text.replace(/\.?0+$/, "") : text));
  }

  function percent(x) {
    if (!isNumber(x)) return "–";
    const p = x * 100;
    if (p === 0 || p === 100) return `${p}${NBSP}%`;
    if (Math.abs(p) < 0.05) return `<${NBSP}0.1${NBSP}%`;
    if (p >= 99.95 && p < 100) return `>${NBSP}99.9${NBSP}%`;
    return `${signed(p, Math.abs(p).toFixed(1))}${NBSP}%`;
  }

  // For ticks and cells: 12,000 is 12k.
  function brief(x) {
    const a = Math.abs(x);
    for (const [unit, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
      if (a >= unit && a < 1e15) return number(x / (name === "k" ? 1e3 : unit), 3) + name;
    }
    return number(x, 4);
  }

  function duration(s) {
    if (!isNumber(s)) return "–";
    if (s < 9.995) return `${s.toFixed(2)}${NBSP}s`;
    if (s < 59.95) return `${s.toFixed(1)}${NBSP}s`;
    const two = (n) => String(n).padStart(2, "0");
    const whole = Math.round(s);
    if (whole < 3600) return `${Math.floor(whole / 60)}${NBSP}min ${two(whole % 60)}${NBSP}s`;
    const minutes = Math.round(s / 60);
    return `${Math.floor(minutes / 60)}${NBSP}h ${two(minutes % 60)}${NBSP}min`;
  }

  const one = (x) => String(x).replace(/\s+/g, " ");
  const listed = (texts) => (texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts[texts.length - 1]}`);
  const extent = (values) => values.reduce(([low, high], v) => (isNumber(v) ? [Math.min(low, v), Math.max(high, v)] : [low, high]), [Infinity, -Infinity]);
  const median = (values) => {
    const sorted = values.filter(isNumber).sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : NaN;
  };

  const SIZE = 12;
  const SMALL = 11;
  const pen = document.createElement("canvas").getContext("2d");
  function textWidth(text, size = SIZE, weight = 400) {
    pen.font = `${weight} ${size}px ${theme.font}`;
    return pen.measureText(text).width;
  }
  function cut(text, width, size = SIZE) {
    text = one(text);
    if (textWidth(text, size) <= width) return text;
    const signs = Array.from(text);
    let [low, high] = [0, signs.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (textWidth(signs.slice(0, middle).join("") + "…", size) <= width) low = middle;
      else high = middle - 1;
    }
    return signs.slice(0, low).join("").trimEnd() + "…";
  }
  const widest = (texts, size = SIZE) => texts.reduce((w, text) => Math.max(w, textWidth(one(text), size)), 0);

  // --- colours and symbols -------------------------------------------------------------------------------------------

  function readTheme() {
    const style = getComputedStyle(root);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    theme = { font: getComputedStyle(document.body).fontFamily, palette: [] };
    for (const name of ["paper", "raised", "ink", "muted", "line", "grid", "accent", "low", "mid", "high", "noise"]) theme[name] = get(name);
    for (let i = 0; i < PALETTE; i++) theme.palette.push(get(`c${i}`));
  }

  const colour = (color) => (color === null || color === undefined ? theme.muted : color < 0 ? theme.noise : theme.palette[color % PALETTE]);
  const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  function mix(from, to, share) {
    const [a, b] = [channels(from), channels(to)];
    return "#" + a.map((x, i) => Math.round(x + (b[i] - x) * share).toString(16).padStart(2, "0")).join("");
  }
  function luminance(hex) {
    const [r, g, b] = channels(hex).map((x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  const onto = (fill) => (luminance(fill) > 0.22 ? "#14171b" : "#ffffff");

  // The symbols of page.html as polygons about 0; the first is a circle.
  const POLYGONS = [
    null,
    [0, -5, 5, 4, -5, 4],
    [-3.8, -3.8, 3.8, -3.8, 3.8, 3.8, -3.8, 3.8],
    [0, -5.4, 4.6, 0, 0, 5.4, -4.6, 0],
    [0, 5, -5, -4, 5, -4],
    [-1.6, -5, 1.6, -5, 1.6, -1.6, 5, -1.6, 5, 1.6, 1.6, 1.6, 1.6, 5, -1.6, 5, -1.6, 1.6, -5, 1.6, -5, -1.6, -1.6, -1.6],
    [-5, -2.6, -2.6, -5, 0, -2.4, 2.6, -5, 5, -2.6, 2.4, 0, 5, 2.6, 2.6, 5, 0, 2.4, -2.6, 5, -5, 2.6, -2.4, 0],
    [0, -5.4, 1.5, -1.6, 5.4, -1.5, 2.3, 0.9, 3.4, 4.6, 0, 2.3, -3.4, 4.6, -2.3, 0.9, -5.4, -1.5, -1.5, -1.6],
  ];
  const symbolOf = (color) => (color < 0 ? "noise" : (color + Math.floor(color / POLYGONS.length)) % POLYGONS.length);
  const fixed = (x) => Math.round(x * 10) / 10;

  function symbolPath(symbol, x, y, r) {
    const polygon = POLYGONS[symbol];
    if (!polygon) {
      const radius = symbol === "noise" ? 0.3 * r : 0.84 * r;
      return `M${fixed(x - radius)} ${fixed(y)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0Z`;
    }
    let path = "";
    for (let i = 0; i < polygon.length; i += 2) path += `${i ? "L" : "M"}${fixed(x + (polygon[i] * r) / 5)} ${fixed(y + (polygon[i + 1] * r) / 5)}`;
    return path + "Z";
  }

  // --- scales --------------------------------------------------------------------------------------------------------

  function niceStep(span, count) {
    const raw = span / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(raw));
    return power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
  }

  const ROOM = { across: 16, down: 24 };
  function fits(ticks, scale, length, across) {
    let end = -Infinity;
    for (const tick of ticks) {
      const at = ((tick.at - scale.low) / (scale.high - scale.low)) * length;
      const half = across ? textWidth(tick.text, SMALL) / 2 + ROOM.across / 2 : ROOM.down / 2;
      if (at - half < end) return false;
      end = at + half;
    }
    return true;
  }

  // { kind, to(value) -> position, low, high, ticks(length in pixels, across) }, from low to high.
  function linear(low, high, pad = 0) {
    if (!(high > low)) [low, high] = isNumber(low) ? [low - (Math.abs(low) * 0.05 || 0.5), low + (Math.abs(low) * 0.05 || 0.5)] : [0, 1];
    const margin = (high - low) * pad;
    const scale = { kind: "", to: (v) => v, low: low - margin, high: high + margin };
    scale.ticks = (length, across, whole) => {
      let ticks = [];
      for (let count = 8; count >= 1; count--) {
        let step = niceStep(scale.high - scale.low, count);
        if (whole) step = Math.max(1, step);
        ticks = [];
        for (let i = Math.ceil(scale.low / step - 1e-9); i * step <= scale.high + step * 1e-9; i++) ticks.push({ at: i * step, text: brief(Number((i * step).toPrecision(12))) });
        if (ticks.length <= Math.max(2, length / (across ? 44 : 30)) && fits(ticks, scale, length, across)) break;
      }
      return ticks;
    };
    return scale;
  }

  function bent(kind, low, high, to, values, pad) {
    const [from, until] = [to(low), to(high)];
    const margin = (until - from) * pad;
    const scale = { kind, to, low: from - margin, high: until + margin };
    scale.ticks = (length, across) => {
      let ticks = [];
      for (const list of values(scale)) {
        ticks = list.map((v) => ({ at: to(v), text: brief(v) })).filter((t) => t.at >= scale.low && t.at <= scale.high);
        if (fits(ticks, scale, length, across)) break;
      }
      return ticks;
    };
    return scale;
  }

  const power = (e) => Number(`1e${e}`);
  function log(low, high, pad = 0) {
    return bent("log scale", low, high, Math.log10, (scale) => {
      const [from, until] = [Math.floor(scale.low), Math.ceil(scale.high)];
      const exponents = Array.from({ length: until - from + 1 }, (_, i) => from + i);
      const lists = scale.high - scale.low < 2.2 ? [exponents.flatMap((e) => [1, 2, 5].map((m) => m * power(e))), exponents.flatMap((e) => [1, 3].map((m) => m * power(e)))] : [];
      for (let step = 1; step <= 12; step++) lists.push(exponents.filter((e) => e % step === 0).map(power));
      return lists;
    }, pad);
  }

  // Linear up to about `unit`, logarithmic beyond, for values that are zero or negative too.
  function symlog(low, high, unit, pad = 0) {
    const to = (v) => Math.sign(v) * Math.log10(1 + Math.abs(v) / unit);
    return bent("log scale, linear near 0", low, high, to, () => {
      const last = Math.ceil(Math.log10(Math.max(Math.abs(low), Math.abs(high), unit))) + 1;
      const first = Math.round(Math.log10(unit));
      const lists = [];
      for (let step = 1; step <= 12; step++) {
        const side = [];
        for (let e = last; e >= first; e--) if ((e - first) % step === 0 && !(step > 1 && e === first)) side.push(power(e));
        lists.push([...side.map((v) => -v), 0, ...[...side].reverse()]);
      }
      return lists;
    }, pad);
  }

  // Which kind of scale a feature asks for, told by quantiles of it: their bulk should not be squeezed into a corner.
  function kindOf(values) {
    const sizes = values.filter((v) => isNumber(v) && v !== 0).map(Math.abs).sort((a, b) => a - b);
    if (sizes.length < 3) return { kind: "linear" };
    const [low, high] = extent(values);
    const squeezed = high - low > 0 && Math.max(Math.abs(high), Math.abs(low)) / median(sizes);
    if (low > 0 && squeezed >= 6 && high / low >= 20) return { kind: "log" };
    if (low <= 0 && squeezed >= 8) {
      const unit = Math.max(sizes[Math.floor(sizes.length * 0.15)], Math.max(Math.abs(low), Math.abs(high)) / 1e5);
      return { kind: "symlog", unit: power(Math.floor(Math.log10(unit))) };
    }
    return { kind: "linear" };
  }
  // As the clusterings see a feature: by its transform, which is increasing. Ticks stand at about even distances, at short numbers.
  function transformed({ apply, name }, low, high, pad) {
    return bent(name, low, high, apply, (scale) => {
      const valueAt = (position) => {
        let [a, b] = [low, high];
        for (let i = 0; i < 60; i++) [a, b] = apply((a + b) / 2) < position ? [(a + b) / 2, b] : [a, (a + b) / 2];
        return (a + b) / 2;
      };
      const lists = [];
      for (let count = 8; count >= 1; count--) {
        const values = Array.from({ length: count + 1 }, (_, i) => valueAt(scale.low + ((scale.high - scale.low) * (i + 0.5)) / (count + 1)));
        const shortest = [1, 2, 3, 4].map((digits) => [...new Set(values.map((v) => Number(v.toPrecision(digits))))]).find((list) => list.length === values.length);
        lists.push((shortest || values).sort((a, b) => a - b));
      }
      return lists;
    }, pad);
  }
  const TRANSFORMS = {
    log1p: () => ({ name: "log(1 + x)", apply: Math.log1p }),
    signed_log1p: () => ({ name: "log(1 + x), both signs", apply: (x) => Math.sign(x) * Math.log1p(Math.abs(x)) }),
    yeo_johnson: ({ lambda, origin }) => {
      const power = (z, l) => (l === 0 ? z : Math.expm1(l * z) / l);
      const from = (x) => (x >= 0 ? power(Math.log1p(x), lambda) : -power(Math.log1p(-x), 2 - lambda));
      // With an origin, as docs/output.md has it: all values are on its side of 0.
      const about = (x) => (origin > 0 ? (1 + origin) * power(Math.log((1 + x) / (1 + origin)), lambda) : -(1 - origin) * power(Math.log((1 - x) / (1 - origin)), 2 - lambda));
      return { name: "Yeo-Johnson scale", apply: origin ? about : from };
    },
  };
  const transforms = report.transforms.map((t) => {
    const [name, parameters] = typeof t === "string" ? [t, {}] : Object.entries(t)[0];
    return TRANSFORMS[name]?.(parameters);
  });
  // The axis of a feature in a plot of customers.
  function axisOf(feature, low, high, pad) {
    const transform = transforms[feature];
    if (!transform || !(high > low)) return linear(low, high, pad);
    const scale = transformed(transform, low, high, pad);
    return isNumber(scale.low) && scale.high > scale.low ? scale : linear(low, high, pad);
  }
  function scaleOf(kind, low, high, pad) {
    if (kind.kind === "log" && low > 0 && high > low) return log(low, high, pad);
    if (kind.kind === "symlog" && high > low) return symlog(low, high, kind.unit, pad);
    return linear(low, high, pad);
  }
  const QUANTILES = ["p05", "p25", "p50", "p75", "p95"];
  const kinds = report.features.map((_, j) => kindOf(kmeans.segments.flatMap((s) => QUANTILES.map((q) => s.features[j][q]))));
  const unitOf = (feature) => report.units[feature] || "";
  const named = (feature, scale) => one(report.features[feature]) + (scale.kind || unitOf(feature) ? ` (${[unitOf(feature), scale.kind].filter(Boolean).join(", ")})` : "");

  // --- what ECharts is given -----------------------------------------------------------------------------------------

  function axis(scale, length, across, { name = "", grid = false, whole = false, show = true, gap = 0, format = null } = {}) {
    const ticks = show ? scale.ticks(length, across, whole) : [];
    const texts = new Map(ticks.map((t) => [t.at, format ? format(t.at) : t.text]));
    const near = (v) => texts.get(v) ?? ticks.reduce((best, t) => (Math.abs(t.at - v) < Math.abs(best.at - v) ? t : best), ticks[0] || { text: "" }).text;
    const places = ticks.map((t) => t.at);
    return {
      type: "value",
      show,
      min: scale.low,
      max: scale.high,
      name: cut(name, length),
      nameLocation: "middle",
      nameGap: gap,
      nameTextStyle: { color: theme.muted, fontSize: SIZE },
      axisLine: { show: across && show, onZero: false, lineStyle: { color: theme.line } },
      axisTick: { show: across, length: 4, customValues: places, lineStyle: { color: theme.line } },
      axisLabel: { customValues: places, formatter: near, color: theme.muted, fontSize: SMALL, margin: across ? 7 : 6, hideOverlap: false, showMinLabel: true, showMaxLabel: true },
      splitLine: { show: grid, lineStyle: { color: theme.grid } },
    };
  }
  const hiddenAxis = (low, high, inverse = false) => ({ type: "value", show: false, min: low, max: high, inverse });

  // One custom series: draw(item, at, area) makes the shapes of an item; tip(item) the lines of its tooltip.
  function layer(items, draw, tip) {
    return {
      type: "custom",
      data: items.map(() => [0, 0]),
      renderItem(params, api) {
        const shapes = draw(items[params.dataIndex], (x, y) => api.coord([x, y]), params.coordSys);
        return Array.isArray(shapes) ? { type: "group", children: shapes.filter(Boolean) } : shapes;
      },
      tooltip: tip ? { formatter: (params) => tooltip(tip(items[params.dataIndex])) } : { show: false },
      silent: !tip,
      clip: false,
      animation: false,
      emphasis: { disabled: true },
    };
  }

  function tooltip([title, ...lines]) {
    const box = document.createElement("div");
    box.className = "tip";
    box.append(Object.assign(document.createElement("b"), { textContent: title }));
    for (const line of lines) box.append(Object.assign(document.createElement("div"), { textContent: line }));
    return box;
  }

  const text = (value, x, y, style = {}) => ({
    type: "text",
    silent: true,
    style: { text: one(value), x, y, fill: theme.ink, font: `${style.weight || 400} ${style.size || SIZE}px ${theme.font}`, textAlign: style.align || "left", textVerticalAlign: style.vertical || "middle", ...(style.halo ? { stroke: theme.paper, lineWidth: 3 } : {}), ...(style.fill ? { fill: style.fill } : {}) },
  });
  const line = (points, style) => ({ type: "polyline", shape: { points }, style: { fill: "none", lineWidth: 1, stroke: theme.ink, ...style }, silent: true });
  const rect = (x, y, width, height, style) => ({ type: "rect", shape: { x, y, width, height }, style });

  function chart(grid, xAxis, yAxis, series) {
    return {
      animation: false,
      textStyle: { fontFamily: theme.font, fontSize: SIZE, color: theme.ink },
      grid: { outerBoundsMode: "none", containLabel: false, ...grid },
      tooltip: { trigger: "item", confine: true, backgroundColor: theme.raised, borderColor: theme.line, padding: [6, 10], textStyle: { color: theme.ink, fontSize: 12, fontFamily: theme.font }, extraCssText: "box-shadow:none;white-space:normal", transitionDuration: 0 },
      xAxis,
      yAxis,
      series,
    };
  }

  // --- figures -------------------------------------------------------------------------------------------------------

  const figures = [];
  // make(figure) -> plots: { element, draw(width) -> { option, height, marks, label, width? } }; again: for each clustering shown.
  function figure(id, make, again = false) {
    const element = document.getElementById(id);
    if (element) figures.push({ element, make, again, plots: null });
  }

  function panel(element, title, remark) {
    const box = document.createElement("div");
    box.className = "panel";
    if (title !== null) {
      const head = document.createElement("p");
      head.append(Object.assign(document.createElement("bdi"), { textContent: title }));
      if (remark) head.append(Object.assign(document.createElement("span"), { textContent: `, ${remark}` }));
      box.append(head);
    }
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("role", "img");
    box.append(plot);
    element.querySelector(".panels").append(box);
    return plot;
  }

  function clear(element) {
    for (const plot of element.querySelectorAll(".panels > .panel")) plot.remove();
  }
  const setTitle = (element, title) => (element.querySelector("figcaption h3").textContent = title);
  function setNote(element, note) {
    const place = element.querySelector("[data-note]");
    if (place) place.textContent = note;
  }

  function drawPlot(plot) {
    const { element } = plot;
    const room = element.clientWidth;
    if (!room) return 0;
    const { option, height, marks, label, width = room } = plot.draw(room);
    if (!plot.chart) {
      plot.inner = document.createElement("div");
      element.append(plot.inner);
    }
    element.classList.toggle("scrolls", width > room);
    if (width > room) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
    plot.inner.style.width = `${width}px`;
    plot.inner.style.height = `${height}px`;
    plot.chart ??= echarts.init(plot.inner, null, { renderer: "svg", width, height });
    plot.chart.resize({ width, height, silent: true });
    plot.chart.setOption(option, { notMerge: true });
    const svg = plot.inner.querySelector("svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("focusable", "false");
    element.setAttribute("aria-label", label);
    return marks;
  }

  function fail(error, where) {
    console.error(`${where}: ${error && error.stack ? error.stack : error}`);
    root.dataset.failed = [root.dataset.failed, where].filter(Boolean).join(" ");
  }

  function draw(only = () => true, remake = false) {
    readTheme();
    for (const item of figures) {
      if (!only(item)) continue;
      try {
        if (!item.plots || remake) {
          for (const plot of item.plots || []) plot.chart?.dispose();
          for (const plot of item.plots || []) plot.inner?.remove();
          item.plots = item.make(item.element);
        }
        const marks = item.plots.reduce((sum, plot) => sum + drawPlot(plot), 0);
        if (marks) item.element.dataset.marks = marks;
      } catch (error) {
        fail(error, item.element.id);
      }
    }
  }

  // A table of coloured cells: rows and columns are names, cell(i, j) is { fill, lines, tip } or null for an empty one.
  function cells(width, rows, columns, cell, least, tall) {
    const left = Math.min(widest(rows) + 12, Math.max(70, width * 0.3), 230);
    const most = columns.length < 5 ? 170 : 120;
    let side = Math.min(most, (width - left) / columns.length);
    const isFlat = widest(columns) <= side - 8;
    const slant = Math.min(130, widest(columns) + 2);
    const overhang = isFlat ? 0 : slant * 0.71;
    if (!isFlat) side = Math.min(most, (width - left - overhang - 4) / (columns.length - 0.5));
    if (!printing) side = Math.max(side, least);
    const head = isFlat ? 24 : Math.ceil(slant * 0.71 + 16);
    const total = Math.floor(left + side * columns.length + (isFlat ? 0 : Math.max(0, overhang - side / 2 + 4)));
    const size = Math.max(8, Math.min(SMALL, side / 3.6));
    const items = rows.flatMap((_, i) => columns.map((__, j) => ({ i, j, ...cell(i, j) })));
    const grid = { left, top: head, width: side * columns.length, height: tall * rows.length };
    const series = [
      layer(items, (d, at) => {
        const [x, y] = at(d.j, d.i);
        return [
          rect(x + 0.75, y + 0.75, side - 1.5, tall - 1.5, { fill: d.fill }),
          ...d.lines.map((value, l) => textWidth(value, size) <= side - 2 && text(value, x + side / 2, y + tall / 2 + (l - (d.lines.length - 1) / 2) * (size + 2.5), { align: "center", size: l ? size - 1 : size, fill: onto(d.fill) })),
        ];
      }, (d) => d.tip),
    ];
    series.push(layer(rows.map((name, i) => ({ name, i })), (d, at) => text(cut(d.name, left - 10), left - 8, at(0, d.i)[1] + tall / 2, { align: "right" })));
    series.push(layer(columns.map((name, j) => ({ name, j })), (d, at) => {
      const x = at(d.j, 0)[0] + side / 2;
      return isFlat ? text(d.name, x, head - 12, { align: "center" }) : { ...text(cut(d.name, slant), 0, 0), x: x - 2, y: head - 8, rotation: Math.PI / 4 };
    }));
    return { option: chart(grid, hiddenAxis(0, columns.length), hiddenAxis(0, rows.length, true), series), height: head + tall * rows.length + 2, width: total, marks: items.length };
  }

  const largest = (segments) => {
    if (segments.length <= LISTED) return segments;
    const kept = new Set([...segments].filter((s) => s.cluster >= 0).sort((a, b) => b.size - a.size).slice(0, LISTED));
    return segments.filter((s) => kept.has(s) || s.cluster < 0);
  };
  const onlyLargest = (segments) => (segments.length > LISTED + 1 ? `The ${LISTED} largest of ${segments.filter((s) => s.cluster >= 0).length} segments are shown. ` : "");

  // The mean of each segment in standard deviations from the mean of all.
  figure("standing", (element) => [{
    element: element.querySelector(".plot"),
    draw(width) {
      const segments = largest(shown.segments);
      const flip = report.features.length > segments.length && width < 120 + report.features.length * 40;
      const all = segments.flatMap((s) => s.features.map((f, j) => ({ s, j, z: f.z }))).filter((d) => isNumber(d.z));
      const top = all.filter((d) => d.s.cluster >= 0).reduce((best, d) => (!best || Math.abs(d.z) > Math.abs(best.z) ? d : best), null);
      const reach = Math.min(3, Math.max(1, top ? Math.abs(top.z) : 1));
      // Less recency is better: with its colours reversed, the same colour is good everywhere.
      const good = (f, z) => (f === report.recency ? -z : z);
      const fill = (f, z) => (isNumber(z) ? mix(theme.mid, good(f, z) < 0 ? theme.low : theme.high, Math.min(1, Math.abs(z) / reach)) : theme.paper);
      const cell = (i, j) => {
        const [s, f] = flip ? [segments[j], i] : [segments[i], j];
        const { z, mean } = s.features[f];
        const value = isNumber(z) ? (z > 0.005 ? "+" : "") + signed(z, Math.abs(z).toFixed(Math.abs(z) >= 9.95 ? 0 : 1)) : "–";
        return { fill: fill(f, z), lines: [value], tip: [s.short, one(report.features[f]), `mean ${number(mean)}, of all ${number(report.overall[f].mean)}`, `${number(z, 3)} standard deviations`] };
      };
      const finding = top && Math.abs(top.z) >= 0.25 && segments.length > 1 && `${top.s.short} stands out most: its mean ${one(report.features[top.j])} is ${number(Math.abs(top.z), 2)} standard deviations ${top.z > 0 ? "above" : "below"} that of all customers`;
      if (finding) setTitle(element, finding);
      const [worse, better] = report.recency === null ? ["", ""] : [" (worse)", " (better)"];
      element.querySelector("[data-low]").textContent = `${MINUS}${number(reach, 2)} or less${worse}`;
      element.querySelector("[data-high]").textContent = `+${number(reach, 2)} or more standard deviations${better}`;
      setNote(element, onlyLargest(shown.segments));
      const names = segments.map((s) => s.short);
      const made = flip ? cells(width, report.features, names, cell, 32, 28) : cells(width, names, report.features, cell, 32, 28);
      return { ...made, label: `Heat map of the mean of ${report.features.length} features in ${segments.length} segments of ${shown.title}, in standard deviations from the mean of all customers. ${finding || ""}.` };
    },
  }], true);

  // A horizontal box from p25 to p75 with its median, and whiskers to p05 and p95.
  function boxShapes(f, scale, at, y, half, fill) {
    const x = (q) => at(scale.to(f[q]), 0)[0];
    const [a, b, c, d, e] = QUANTILES.map(x);
    const cap = half * 0.6;
    return [
      line([[a, y], [b, y]], { stroke: fill, lineWidth: 1.5 }),
      line([[d, y], [e, y]], { stroke: fill, lineWidth: 1.5 }),
      line([[a, y - cap], [a, y + cap]], { stroke: fill, lineWidth: 1.5 }),
      line([[e, y - cap], [e, y + cap]], { stroke: fill, lineWidth: 1.5 }),
      rect(b, y - half, Math.max(1, d - b), 2 * half, { fill: mix(theme.paper, fill, 0.35), stroke: fill, lineWidth: 1.2 }),
      line([[c, y - half], [c, y + half]], { stroke: theme.ink, lineWidth: 2.2 }),
    ];
  }
  const hasQuantiles = (f) => f && QUANTILES.every((q) => isNumber(f[q]));
  const quantileLines = (f) => [`median ${number(f.p50)}`, `half lie from ${number(f.p25)} to ${number(f.p75)}`, `5${NBSP}% to 95${NBSP}%: ${number(f.p05)} to ${number(f.p95)}`];

  figure("spread", (element) => {
    clear(element);
    const segments = largest(shown.segments);
    setNote(element, onlyLargest(shown.segments));
    return report.features.map((feature, j) => {
      const rows = segments.filter((s) => hasQuantiles(s.features[j]));
      if (!rows.length) return null;
      const [low, high] = extent(rows.flatMap((s) => [s.features[j].p05, s.features[j].p95]));
      const scale = scaleOf(kinds[j], low, high, 0.04);
      return {
        element: panel(element, feature, [unitOf(j), scale.kind].filter(Boolean).join(", ")),
        draw(width) {
          const tall = rows.length > 12 ? 16 : 23;
          const left = Math.min(widest(rows.map((s) => s.short), SMALL) + 10, width * 0.42, 150);
          const grid = { left, right: 18, top: 4, height: tall * rows.length };
          const length = width - left - 18;
          const series = [
            layer(rows.map((s, i) => ({ s, i })), (d, at) => boxShapes(d.s.features[j], scale, at, at(0, d.i + 0.5)[1], tall * 0.3, colour(d.s.color)), (d) => [d.s.short, ...quantileLines(d.s.features[j])]),
            layer(rows.map((s, i) => ({ s, i })), (d, at) => text(cut(d.s.short, left - 8, SMALL), left - 7, at(0, d.i + 0.5)[1], { align: "right", size: SMALL })),
          ];
          const byMedian = [...rows].sort((a, b) => b.features[j].p50 - a.features[j].p50);
          return {
            option: chart(grid, axis(scale, length, true, { grid: true }), hiddenAxis(0, rows.length, true), series),
            height: tall * rows.length + 30,
            marks: rows.length,
            label: `Box plots of ${one(feature)} by segment. Highest median: ${byMedian[0].short}, ${number(byMedian[0].features[j].p50)}; lowest: ${byMedian[byMedian.length - 1].short}, ${number(byMedian[byMedian.length - 1].features[j].p50)}.`,
          };
        },
      };
    }).filter(Boolean);
  }, true);

  // --- points --------------------------------------------------------------------------------------------------------

  const labelsOf = (clustering) => report.sample[clustering.algorithm];

  function legend(element) {
    const list = element.querySelector(".legend");
    if (!list) return;
    list.textContent = "";
    const segments = largest(shown.segments);
    for (const s of segments) {
      const item = document.createElement("li");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", "-6 -6 12 12");
      svg.setAttribute("class", "swatch");
      svg.setAttribute("aria-hidden", "true");
      const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
      use.setAttribute("href", `#symbol-${symbolOf(s.color)}`);
      use.setAttribute("class", s.color < 0 ? "c-noise" : `c-${s.color % PALETTE}`);
      svg.append(use);
      item.append(svg, " ", Object.assign(document.createElement("bdi"), { textContent: s.short }));
      list.append(item);
    }
    if (segments.length < shown.segments.length) list.append(Object.assign(document.createElement("li"), { textContent: `and ${shown.segments.length - segments.length} smaller ones` }));
  }

  // Points in one path a segment and turn, turn by turn, so that no segment lies on top everywhere.
  function points(xs, ys, radius) {
    const labels = labelsOf(shown) || [];
    const colours = new Map(shown.segments.map((s) => [s.cluster, s.color]));
    const TURNS = 6;
    const groups = new Map();
    let count = 0;
    for (let i = 0; i < xs.length; i++) {
      if (!isNumber(xs[i]) || !isNumber(ys[i])) continue;
      const color = colours.get(labels[i]) ?? -1;
      const key = `${color < 0 ? 0 : 1 + (i % TURNS)} ${color}`;
      if (!groups.has(key)) groups.set(key, { turn: color < 0 ? 0 : 1 + (i % TURNS), color, at: [] });
      groups.get(key).at.push(i);
      count++;
    }
    const items = [...groups.values()].sort((a, b) => a.turn - b.turn || a.color - b.color);
    const series = layer(items, (d, at) => ({
      type: "path",
      silent: true,
      shape: { pathData: d.at.map((i) => { const [x, y] = at(xs[i], ys[i]); return symbolPath(symbolOf(d.color), x, y, radius); }).join("") },
      style: { fill: colour(d.color), opacity: d.color < 0 ? 0.75 : 0.72 },
    }));
    return { series, count };
  }

  // Names at the medians of the largest segments, where they do not run into one another, or into others.
  function names(xs, ys, most = 8, others = []) {
    const labels = labelsOf(shown) || [];
    const rows = new Map();
    labels.forEach((c, i) => { if (!rows.has(c)) rows.set(c, []); rows.get(c).push(i); });
    const items = shown.segments.filter((s) => s.cluster >= 0 && rows.has(s.cluster)).sort((a, b) => b.size - a.size).slice(0, most)
      .map((s) => ({ s, x: median(rows.get(s.cluster).map((i) => xs[i])), y: median(rows.get(s.cluster).map((i) => ys[i])) }));
    return layer([items], (list, at, area) => {
      const taken = [...others];
      return list.map((d) => {
        const label = cut(d.s.short, 110, SMALL);
        const w = textWidth(label, SMALL, 650) + 6;
        const [px, py] = at(d.x, d.y);
        for (const [dx, dy] of [[0, 0], [0, -14], [0, 14], [w * 0.6, 0], [-w * 0.6, 0], [w * 0.6, -14], [-w * 0.6, 14], [0, -28], [0, 28]]) {
          const x = Math.min(area.x + area.width - w / 2, Math.max(area.x + w / 2, px + dx));
          const y = Math.min(area.y + area.height - 8, Math.max(area.y + 8, py + dy));
          if (taken.some((t) => Math.abs(t.x - x) < (t.w + w) / 2 && Math.abs(t.y - y) < 14)) continue;
          taken.push({ x, y, w });
          return text(label, x, y, { align: "center", size: SMALL, weight: 650, halo: true });
        }
        return null;
      });
    });
  }
  const centres = (feature, other) => listed(shown.segments.filter((s) => s.cluster >= 0).slice(0, 6).map((s) => `${s.short} at ${number(s.features[feature].p50, 3)} and ${number(s.features[other].p50, 3)}`));

  // Values of few kinds, such as counts, would hide one another: they are spread by up to 0.3 of the step between them.
  const FEW = 60;
  function stepOf(values) {
    const kinds = [...new Set(values.filter(isNumber))].sort((a, b) => a - b);
    if (kinds.length < 2 || kinds.length > FEW) return 0;
    return kinds.slice(1).reduce((least, v, i) => Math.min(least, v - kinds[i]), Infinity);
  }
  function scattered(values, turn) {
    const step = stepOf(values);
    const noise = (i) => (((i + 1) * (turn ? 0.7548776662 : 0.5698402910)) % 1) - 0.5;
    return step ? values.map((v, i) => (isNumber(v) ? v + 0.6 * step * noise(i) : v)) : values;
  }

  // A value that was spread out of the domain of its transform stays where it was.
  const within = (values, moved, feature) => moved.map((x, i) => (!transforms[feature] || isNumber(transforms[feature].apply(x)) ? x : values[i]));

  figure("pairs", (element) => {
    clear(element);
    legend(element);
    const order = report.sample.shown;
    const pairs = [];
    for (let b = 1; b < order.length; b++) for (let a = 0; a < b; a++) pairs.push([order[a], order[b]]);
    const spread = order.filter((f) => stepOf(report.sample.values[plotted(f)])).map((f) => one(report.features[f]));
    setNote(element, spread.length ? `Marks are spread a little along ${listed(spread)}, for which there are few distinct values.` : "");
    return pairs.slice(0, 6).map(([a, b]) => {
      const values = [a, b].map((f) => report.sample.values[plotted(f)]);
      const scales = values.map((v, i) => axisOf([a, b][i], ...extent(within(v, scattered(v, i), [a, b][i])), 0.03));
      const [xs, ys] = values.map((v, i) => within(v, scattered(v, i), [a, b][i]).map((x) => (isNumber(x) ? scales[i].to(x) : NaN)));
      return {
        element: panel(element, null),
        draw(width) {
          const height = Math.round(Math.min(width * 0.86, 400));
          const bottom = 42;
          const ticks = scales[1].ticks(height - bottom - 8, false);
          const left = Math.ceil(widest(ticks.map((t) => t.text), SMALL)) + 28;
          const { series, count } = points(xs, ys, 2.7);
          const [x, y] = [axis(scales[0], width - left - 10, true, { name: named(a, scales[0]), grid: true, gap: 26 }), axis(scales[1], height - bottom - 8, false, { name: named(b, scales[1]), grid: true, gap: left - 16 })];
          return {
            option: chart({ left, right: 10, top: 8, bottom }, x, y, [series, names(xs, ys, shown.segments.length > 9 ? 5 : 8)]),
            height,
            marks: count,
            label: `Scatter plot of ${count} customers, ${named(a, scales[0])} across, ${named(b, scales[1])} upwards. Medians of the segments: ${centres(a, b)}.`,
          };
        },
      };
    });
  }, true);

  // Values are given for all features, or for those shown, in that order of the features' list.
  function plotted(feature) {
    return report.sample.values.length === report.features.length ? feature : [...report.sample.shown].sort((a, b) => a - b).indexOf(feature);
  }

  figure("components", (element) => {
    legend(element);
    const [xs, ys] = report.sample.pc;
    const { explained, loadings } = report.components;
    return [{
      element: element.querySelector(".plot"),
      draw(width) {
        const [left, right, bottom] = [48, 12, 44];
        let [[x0, x1], [y0, y1]] = [extent(xs), extent(ys)];
        const grow = (low, high, share) => [low - (high - low || 1) * share, high + (high - low || 1) * share];
        [x0, x1] = grow(x0, x1, 0.04);
        [y0, y1] = grow(y0, y1, 0.04);
        // One unit is as long upwards as across, within what fits.
        const across = width - left - right;
        let up = (across * (y1 - y0)) / (x1 - x0);
        const bounded = Math.min(Math.max(up, across * 0.55), Math.min(across * 0.95, 560));
        if (bounded > up) [y0, y1] = grow(y0, y1, (bounded / up - 1) / 2);
        else [x0, x1] = grow(x0, x1, (up / bounded - 1) / 2);
        up = bounded;
        const scales = [linear(x0, x1), linear(y0, y1)];
        const { series, count } = points(xs, ys, 2.9);
        const length = loadings[0].map((_, j) => Math.hypot(loadings[0][j], loadings[1][j]));
        const unit = (0.42 * Math.min(x1 - x0, y1 - y0)) / Math.max(...length);
        const [cx, cy] = [Math.min(Math.max(0, x0), x1), Math.min(Math.max(0, y0), y1)];
        const arrows = report.features.map((name, j) => ({ name, j })).sort((a, b) => length[b.j] - length[a.j]).slice(0, 6);
        const taken = [];
        const arrowLayer = layer([arrows], (list, at, area) => {
          taken.length = 0;
          return list.flatMap(({ name, j }) => {
            const [ax, ay] = at(cx, cy);
            const [bx, by] = at(cx + loadings[0][j] * unit, cy + loadings[1][j] * unit);
            const angle = Math.atan2(by - ay, bx - ax);
            const wing = (turn) => [bx - 7 * Math.cos(angle + turn), by - 7 * Math.sin(angle + turn)];
            const label = cut(name, 120, SMALL);
            const w = textWidth(label, SMALL) + 6;
            const x = Math.min(area.x + area.width - w / 2, Math.max(area.x + w / 2, bx + Math.cos(angle) * (w / 2 + 4)));
            let y = Math.min(area.y + area.height - 8, Math.max(area.y + 8, by + Math.sin(angle) * 11));
            for (let tries = 0; tries < 6 && taken.some((t) => Math.abs(t.x - x) < (t.w + w) / 2 && Math.abs(t.y - y) < 13); tries++) y += by > ay ? 13 : -13;
            taken.push({ x, y, w });
            return [
              line([[ax, ay], [bx, by]], { stroke: theme.paper, lineWidth: 4 }),
              line([[ax, ay], [bx, by]], { lineWidth: 1.4 }),
              line([wing(0.4), [bx, by], wing(-0.4)], { lineWidth: 1.4 }),
              text(label, x, y, { align: "center", size: SMALL, halo: true }),
            ];
          });
        });
        const axisName = (i, nth) => `${nth} component (${percent(explained[i])} of variance)`;
        return {
          option: chart({ left, right, top: 8, height: up }, axis(scales[0], across, true, { name: axisName(0, "1st"), grid: true, gap: 26 }), axis(scales[1], up, false, { name: axisName(1, "2nd"), grid: true, gap: 32 }), [series, arrowLayer, names(xs, ys, 8, taken)]),
          height: Math.round(up + bottom + 8),
          marks: count + arrows.length,
          label: `Scatter plot of ${count} customers on the first two principal components, which hold ${percent(explained[0])} and ${percent(explained[1])} of the variance, by segment of ${shown.title}. The longest loadings are those of ${listed(arrows.slice(0, 3).map((a) => one(a.name)))}.`,
        };
      },
    }];
  }, true);

  // --- how many segments ---------------------------------------------------------------------------------------------

  const curve = (ks, ys, style) => ({ type: "line", data: ks.map((k, i) => [k, isNumber(ys[i]) ? ys[i] : null]).filter((d) => d[1] !== null), symbol: "circle", symbolSize: 6, showSymbol: true, animation: false, emphasis: { disabled: true }, lineStyle: { width: 2, color: theme.ink, ...style }, itemStyle: { color: theme.paper, borderColor: theme.ink, borderWidth: 1.6 }, clip: false });

  function chosenMark(k, y, said) {
    return { ...layer([0], (_, at, area) => {
      const [x, py] = at(k, y);
      const right = x + textWidth(said, SIZE, 650) + 14 < area.x + area.width + 8;
      return [
        line([[x, area.y], [x, area.y + area.height]], { stroke: theme.accent, lineDash: [4, 3] }),
        { type: "circle", shape: { cx: x, cy: py, r: 5.5 }, style: { fill: theme.accent }, silent: true },
        text(said, right ? x + 8 : x - 8, area.y + 9, { align: right ? "left" : "right", fill: theme.accent, halo: true, weight: 650 }),
      ];
    }), z: 4 };
  }
  const overK = (ks) => linear(ks[0] - 0.4, ks[ks.length - 1] + 0.4);

  figure("elbow", (element) => [{
    element: element.querySelector(".plot"),
    draw(width) {
      const { k, inertia, chosen, knee } = report.elbow;
      const height = 280;
      const y = linear(0, extent(inertia)[1] * 1.08);
      const left = Math.ceil(widest(y.ticks(height - 54, false).map((t) => t.text), SMALL)) + 32;
      const said = `k = ${chosen}${knee === chosen ? ", the knee" : ""}`;
      const kneeMark = knee !== null && knee !== undefined && knee !== chosen ? [layer([0], (_, at) => { const [x, py] = at(knee, inertia[k.indexOf(knee)]); return [{ type: "circle", shape: { cx: x, cy: py, r: 8 }, style: { fill: "none", stroke: theme.ink, lineWidth: 1.5 } }, text(`knee at ${knee}`, x + 10, py - 12, { size: SMALL, halo: true })]; })] : [];
      const tips = layer(k.map((q, i) => ({ q, v: inertia[i] })), (d, at) => { const [cx, cy] = at(d.q, d.v); return { type: "circle", shape: { cx, cy, r: 10 }, style: { fill: theme.paper, opacity: 0 } }; }, (d) => [`${d.q} segments`, `inertia ${number(d.v)}`]);
      return {
        option: chart({ left, right: 12, top: 10, bottom: 44 }, axis(overK(k), width - left - 12, true, { name: "segments (k)", whole: true, gap: 26 }), axis(y, height - 54, false, { name: "inertia (squared scaled units)", grid: true, gap: left - 16 }), [curve(k, inertia), ...kneeMark, chosenMark(chosen, inertia[k.indexOf(chosen)], said), tips]),
        height,
        marks: inertia.length,
        label: `Line chart of inertia by the number of segments. It falls from ${number(inertia[0], 3)} at ${k[0]} to ${number(inertia[inertia.length - 1], 3)} at ${k[k.length - 1]}; ${chosen} segments were chosen, with ${number(inertia[k.indexOf(chosen)], 3)}${isNumber(knee) ? `; the knee is at ${knee}` : ""}.`,
      };
    },
  }]);

  figure("silhouette-by-k", (element) => {
    const { k, silhouette, error, simplified, chosen } = report.silhouette_by_k;
    const known = k.map((q, i) => ({ q, v: silhouette[i], e: isNumber(error[i]) ? error[i] : 0 })).filter((d) => isNumber(d.v));
    const best = known.reduce((a, b) => (!a || b.v > a.v ? b : a), null);
    if (best) setTitle(element, best.q === chosen ? `The silhouette is best with ${chosen} segments` : `The silhouette is best with ${best.q} segments; ${chosen} were chosen`);
    return [{
      element: element.querySelector(".plot"),
      draw(width) {
        const height = 280;
        const [low, high] = extent([...known.flatMap((d) => [d.v - d.e, d.v + d.e]), ...simplified.filter(isNumber)]);
        const y = linear(low, high, 0.18);
        const left = Math.ceil(widest(y.ticks(height - 54, false).map((t) => t.text), SMALL)) + 32;
        const bars = layer(known, (d, at) => {
          const [x, top] = at(d.q, d.v + d.e);
          const bottom = at(d.q, d.v - d.e)[1];
          return [line([[x, top], [x, bottom]], { lineWidth: 1.4 }), line([[x - 4, top], [x + 4, top]]), line([[x - 4, bottom], [x + 4, bottom]]), { type: "circle", shape: { cx: x, cy: (top + bottom) / 2, r: 10 }, style: { fill: theme.paper, opacity: 0 } }];
        }, (d) => [`${d.q} segments`, `silhouette ${number(d.v, 3)} ± ${number(d.e, 2)}`]);
        const last = (values) => { for (let i = k.length - 1; i >= 0; i--) if (isNumber(values[i])) return { q: k[i], v: values[i] }; return null; };
        const ends = [{ name: "silhouette", ...last(silhouette) }, { name: "simplified", ...last(simplified) }].filter((d) => isNumber(d.v));
        const right = Math.ceil(widest(ends.map((d) => d.name), SMALL)) + 16;
        const apart = ends.length > 1 ? Math.max(0, 14 - (Math.abs(ends[0].v - ends[1].v) / (y.high - y.low)) * (height - 54)) / 2 : 0;
        const ended = layer(ends.map((d, i) => ({ ...d, side: ends.length < 2 ? 0 : (d.v > ends[1 - i].v ? -1 : 1) * apart })), (d, at) => {
          const [x, py] = at(d.q, d.v);
          return text(d.name, x + 8, py + d.side, { size: SMALL, fill: theme.muted });
        });
        const at = k.indexOf(chosen);
        const mark = isNumber(silhouette[at]) ? [chosenMark(chosen, silhouette[at], `k = ${chosen}`)] : [];
        return {
          option: chart({ left, right, top: 10, bottom: 44 }, axis(overK(k), width - left - right, true, { name: "segments (k)", whole: true, gap: 26 }), axis(y, height - 54, false, { name: "mean silhouette (−1 to 1)", grid: true, gap: left - 16 }), [curve(k, simplified, { color: theme.muted, type: "dashed", width: 1.4 }), curve(k, silhouette), ...mark, bars, ended]),
          height,
          marks: known.length + simplified.filter(isNumber).length,
          label: best ? `Line chart of the mean silhouette by the number of segments, with standard errors. It is highest at ${best.q} with ${number(best.v, 3)}; at the chosen ${chosen} it is ${number(silhouette[at], 3)}. A dashed line shows the simplified silhouette.` : "The silhouette is not known for any number of segments.",
        };
      },
    }];
  });

  figure("silhouettes", (element) => {
    const { clusters, mean } = report.silhouettes;
    const negative = clusters.reduce((sum, c) => sum + (c.share * c.values.filter((v) => v < 0).length) / c.values.length, 0) / (clusters.reduce((sum, c) => sum + c.share, 0) || 1);
    setNote(element, negative > 0.0005 ? `Below 0, at ${percent(negative)} of them, customers are nearer to another segment.` : "None is nearer to another segment than to its own.");
    return [{
      element: element.querySelector(".plot"),
      draw(width) {
        const gap = clusters.length > 12 ? 3 : 7;
        const tall = Math.min(600, Math.max(230, clusters.length * 44));
        const sum = clusters.reduce((s, c) => s + c.share, 0) || 1;
        const least = 3;
        const free = tall - gap * (clusters.length - 1);
        let y = 0;
        const knives = clusters.map((c) => {
          const height = Math.max(least, (c.share / sum) * free);
          const knife = { c, y, height };
          y += height + gap;
          return knife;
        });
        const whole = y - gap;
        const [low, high] = extent(clusters.flatMap((c) => c.values));
        const scale = linear(Math.min(0, Math.floor(low * 10) / 10), Math.min(1, Math.ceil(high * 10 + 0.01) / 10));
        const left = Math.min(widest(clusters.map((c) => c.short)) + 16, Math.max(70, width * 0.3), 230);
        const length = width - left - 16;
        let floor = -Infinity;
        const labels = knives.map((d) => {
          const at = Math.max(d.y + d.height / 2, floor + 13);
          floor = at;
          return { d, at };
        });
        // Labels that were pushed below the end are pushed back up.
        let ceiling = whole;
        for (let i = labels.length - 1; i >= 0; i--) {
          labels[i].at = Math.min(labels[i].at, ceiling);
          ceiling = labels[i].at - 13;
        }
        const series = [
          layer(knives, (d, at) => {
            const v = d.c.values;
            const side = v.map((value, i) => at(value, d.y + d.height * (1 - i / (v.length - 1))));
            const [zeroX] = at(0, 0);
            return { type: "polygon", shape: { points: [[zeroX, side[0][1]], ...side, [zeroX, side[side.length - 1][1]]] }, style: { fill: colour(d.c.color) } };
          }, (d) => [d.c.short, `${percent(d.c.share)} of the customers`, `median ${number(d.c.values[50], 2)}`, `below 0: ${percent(d.c.values.filter((v) => v < 0).length / d.c.values.length)}`]),
          layer(labels, (l, at) => {
            const mid = at(0, l.d.y + l.d.height / 2)[1];
            const place = at(0, l.at)[1];
            return [text(cut(l.d.c.short, left - 12), left - 12, place, { align: "right" }), line([[left - 9, place], [left - 2, mid]], { stroke: theme.line })];
          }),
          layer([0], (_, at, area) => {
            const [x] = at(mean, 0);
            const said = `mean ${number(mean, 2)}`;
            return [line([[x, area.y - 4], [x, area.y + area.height]], { lineDash: [5, 4], lineWidth: 1.5 }), text(said, x, area.y - 13, { align: "center", weight: 650 })];
          }),
          layer([0], (_, at, area) => line([[at(0, 0)[0], area.y], [at(0, 0)[0], area.y + area.height]], { stroke: theme.muted })),
        ];
        return {
          option: chart({ left, right: 16, top: 24, height: whole }, axis(scale, length, true, { name: "silhouette (−1 to 1)", grid: true, gap: 26 }), hiddenAxis(0, whole, true), series),
          height: Math.ceil(whole + 24 + 44),
          marks: clusters.length,
          label: `Silhouette plot of ${clusters.length} segments, mean ${number(mean, 2)}. Medians: ${listed(clusters.slice(0, 8).map((c) => `${c.short} ${number(c.values[50], 2)}`))}. ${percent(negative)} of the customers are below 0.`,
        };
      },
    }];
  });

  // --- other clusterings ---------------------------------------------------------------------------------------------

  figure("dendrogram", (element) => [{
    element: element.querySelector(".plot"),
    draw(width) {
      const { leaves, links, linkage, cut_below: below, cut_above: above } = report.dendrogram;
      const heights = links.map((l) => l.y[1]);
      const top = extent([...heights, above])[1];
      const y = top / median(heights) > 60 ? symlog(0, top * 1.03, power(Math.floor(Math.log10(median(heights) / 5)))) : linear(0, top * 1.04);
      const xs = leaves.map((l) => l.x);
      const step = xs.length > 1 ? (extent(xs)[1] - extent(xs)[0]) / (xs.length - 1) : 1;
      const x = linear(extent(xs)[0] - step / 2, extent(xs)[1] + step / 2);
      const left = Math.ceil(widest(y.ticks(290, false).map((t) => t.text), SMALL)) + 32;
      const length = width - left - 10;
      const sized = (length / leaves.length) >= 11;
      const sizes = leaves.map((l) => brief(l.size));
      const foot = sized ? Math.ceil(widest(sizes, SMALL - 1)) + 8 : 6;
      const groups = [];
      for (const leaf of [...leaves].sort((a, b) => a.x - b.x)) {
        const last = groups[groups.length - 1];
        if (last && last.color === leaf.color && last.short === leaf.short) { last.until = leaf.x; last.size += leaf.size; last.count++; }
        else groups.push({ color: leaf.color, short: leaf.short, from: leaf.x, until: leaf.x, size: leaf.size, count: 1 });
      }
      const tall = 300;
      const pixels = (g) => ((g.until - g.from + 0.8 * step) / (x.high - x.low)) * length;
      const isFlat = groups.every((g) => textWidth(one(g.short), SMALL) <= pixels(g) + 4);
      const under = isFlat ? 22 : Math.min(110, widest(groups.map((g) => g.short), SMALL)) + 14;
      const cutAt = isNumber(below) && isNumber(above) ? [below, above] : isNumber(above) ? [above, above] : isNumber(below) ? [below, below] : null;
      const series = [
        layer(cutAt ? [cutAt] : [], ([a, b], at, area) => {
          const [ya, yb] = [at(0, y.to(a))[1], at(0, y.to(b))[1]];
          const mid = (ya + yb) / 2;
          return [rect(area.x, Math.min(ya, yb), area.width, Math.max(2, Math.abs(ya - yb)), { fill: theme.accent, opacity: 0.13 }), line([[area.x, mid], [area.x + area.width, mid]], { stroke: theme.accent, lineDash: [5, 4] })];
        }),
        layer(links, (l, at) => line([[l.x[0], l.y[0]], [l.x[0], l.y[1]], [l.x[1], l.y[1]], [l.x[1], l.y[2]]].map(([a, b]) => at(a, y.to(b))), { stroke: l.color === null ? theme.ink : colour(l.color), lineWidth: l.color === null ? 1.3 : 1.6 })),
        layer(cutAt ? [cutAt] : [], ([a, b], at, area) => text(`cut into ${report.clusterings.find((c) => c.algorithm === "hierarchy")?.segments.length ?? groups.length} segments`, area.x + area.width - 2, at(0, y.to(b))[1] - 9, { align: "right", size: SMALL, fill: theme.accent, halo: true, weight: 650 })),
        layer(sized ? leaves : [], (l, at) => ({ ...text(brief(l.size), 0, 0, { align: "right", size: SMALL - 1, fill: theme.muted }), x: at(l.x, 0)[0], y: at(0, y.to(0))[1] + 4, rotation: Math.PI / 2 })),
        layer(groups, (g, at, area) => {
          const [a, b] = [at(g.from - step * 0.4, 0)[0], at(g.until + step * 0.4, 0)[0]];
          const base = area.y + area.height + foot + 3;
          const room = b - a;
          return [rect(a, base, room, 4, { fill: colour(g.color) }), isFlat ? text(g.short, (a + b) / 2, base + 14, { align: "center", size: SMALL }) : room > 9 && { ...text(cut(g.short, 110, SMALL), 0, 0, { align: "right", size: SMALL }), x: (a + b) / 2, y: base + 9, rotation: Math.PI / 2 }];
        }, (g) => [g.short, `${thousands(g.size)} customers`, g.count > 1 ? `${g.count} leaves` : "one leaf"]),
      ];
      return {
        option: chart({ left, right: 10, top: 10, height: tall }, hiddenAxis(x.low, x.high), axis(y, tall, false, { name: `height (${["scaled units", y.kind].filter(Boolean).join(", ")})`, grid: true, gap: left - 16 }), series),
        height: tall + foot + 16 + under,
        marks: links.length,
        label: `Dendrogram of ${leaves.length} groups of customers, joined by ${linkage} linkage up to a height of ${number(top, 3)}${cutAt ? `; it is cut between ${number(cutAt[0], 3)} and ${number(cutAt[1], 3)}` : ""}. Segments from left to right: ${listed(groups.slice(0, 10).map((g) => `${g.short}, ${thousands(g.size)} customers`))}.`,
      };
    },
  }]);

  figure("condensed-tree", (element) => [{
    element: element.querySelector(".plot"),
    draw(width) {
      const { nodes } = report.condensed_tree;
      const positive = nodes.flatMap((n) => [n.birth, n.death]).filter((v) => isNumber(v) && v > 0);
      const [least, most] = extent(positive);
      const y = log(least, most > least ? most : least * 2, 0.02);
      const birth = (n) => (isNumber(n.birth) && n.birth > 0 ? Math.log10(n.birth) : y.high);
      const death = (n) => (isNumber(n.death) && n.death > 0 ? Math.log10(n.death) : y.low);
      const tall = 360;
      const left = Math.ceil(widest(y.ticks(tall, false).map((t) => t.text), SMALL)) + 32;
      const selected = nodes.filter((n) => n.selected);
      const rest = mix(theme.paper, theme.muted, 0.35);
      const series = [
        layer(nodes, (n, at) => {
          const [a, top] = at(n.x0, birth(n));
          const [b, bottom] = at(n.x1, death(n));
          const fill = n.selected ? colour(n.color) : n.color === null || n.color === undefined ? rest : mix(theme.paper, colour(n.color), 0.45);
          const [wide, deep] = [b - a, bottom - top];
          const need = textWidth(one(n.short), SMALL) + 6;
          const isUpright = need > wide && deep > wide;
          const label = n.selected && (isUpright ? wide : deep) > 13 && Math.max(wide, deep) > 30 ? cut(n.short, (isUpright ? deep : wide) - 6, SMALL) : "";
          const middle = [(a + b) / 2, (top + bottom) / 2];
          const style = { align: "center", size: SMALL, fill: onto(fill) };
          return [rect(a, top, Math.max(0.8, b - a), Math.max(1, bottom - top), { fill, stroke: theme.paper, lineWidth: b - a > 3 ? 1 : 0 }), label.length > 3 && (isUpright ? { ...text(label, 0, 0, style), x: middle[0], y: middle[1], rotation: Math.PI / 2 } : text(label, ...middle, style))];
        }, (n) => [n.selected ? n.short : "a group that was not taken", `${thousands(n.size)} customers`, `from distance ${number(n.birth, 3)} to ${number(n.death, 3)}`]),
      ];
      return {
        option: chart({ left, right: 22, top: 8, height: tall }, axis(linear(0, 1), width - left - 22, true, { name: "share of the customers", gap: 26, format: (v) => percent(v).replace(".0", "") }), axis(y, tall, false, { name: "distance (scaled units, log scale)", grid: true, gap: left - 16 }), series),
        height: tall + 52,
        marks: nodes.length,
        label: `Condensed tree of HDBSCAN with ${nodes.length} groups, of which ${selected.length} were taken as clusters. The largest: ${listed([...selected].sort((a, b) => b.size - a.size).slice(0, 5).map((n) => `${n.short}, ${thousands(n.size)} customers, down to distance ${number(n.death, 2)}`))}.`,
      };
    },
  }]);

  figure("noise", (element) => [{
    element: element.querySelector(".plot"),
    draw(width) {
      const { edges, clustered, noise } = report.noise;
      const [tall, left] = [220, 64];
      const most = extent([...clustered, ...noise])[1] || 1;
      const y = linear(-most * 1.08, most * 1.08);
      const bins = clustered.map((v, i) => ({ i, v, up: true })).concat(noise.map((v, i) => ({ i, v, up: false })));
      const series = [
        layer(bins, (d, at) => {
          const [a, zero] = at(edges[d.i], 0);
          const [b, end] = at(edges[d.i + 1], d.up ? d.v : -d.v);
          return rect(a + 0.5, Math.min(zero, end), Math.max(0.5, b - a - 1), Math.abs(end - zero), { fill: d.up ? theme.palette[0] : theme.noise });
        }, (d) => [d.up ? "in clusters" : "noise", `score ${number(edges[d.i], 2)} to ${number(edges[d.i + 1], 2)}`, percent(d.v)]),
        layer([0], (_, at, area) => [text("customers in clusters", area.x + area.width - 4, area.y + 10, { align: "right", weight: 650, halo: true }), text("noise", area.x + area.width - 4, area.y + area.height - 10, { align: "right", weight: 650, halo: true }), line([[area.x, at(0, 0)[1]], [area.x + area.width, at(0, 0)[1]]], { stroke: theme.muted })]),
      ];
      const at = (values) => { let sum = 0; for (let i = 0; i < values.length; i++) { sum += values[i]; if (sum >= 0.5) return `${number(edges[i], 2)} to ${number(edges[i + 1], 2)}`; } return "unknown"; };
      return {
        option: chart({ left, right: 10, top: 6, height: tall }, axis(linear(edges[0], edges[edges.length - 1]), width - left - 10, true, { name: "outlier score (GLOSH, 0 to 1)", gap: 26 }), axis(y, tall, false, { name: "share of either group", grid: true, gap: 46, format: (v) => percent(Math.abs(v)).replace(".0", "") }), series),
        height: tall + 50,
        marks: bins.length,
        label: `Two histograms of the outlier score: the median of customers in clusters lies in ${at(clustered)}, that of noise in ${at(noise)}.`,
      };
    },
  }]);

  // Names, with those of the smallest totals put together where there are more than fit.
  function folded(list, totals, most) {
    if (list.length <= most) return { names: list, to: list.map((_, i) => i) };
    const order = totals.map((t, i) => [t, i]).sort((a, b) => b[0] - a[0]).slice(0, most - 1).map((d) => d[1]).sort((a, b) => a - b);
    const to = list.map((_, i) => { const at = order.indexOf(i); return at < 0 ? order.length : at; });
    return { names: [...order.map((i) => list[i]), `${list.length - order.length} others`], to };
  }
  const colorsByTitle = new Map(report.clusterings.map((c) => [c.title, c]));

  report.agreements.forEach((agreement, index) => figure(`agreement-${index + 1}`, (element) => {
    const { rows, columns, cells: counts } = agreement;
    const totals = (side, n) => counts.reduce((sums, c) => { sums[c[side]] += c[2]; return sums; }, Array(n).fill(0));
    const down = folded(rows, totals(0, rows.length), LISTED);
    const across = folded(columns, totals(1, columns.length), LISTED);
    const table = down.names.map(() => Array(across.names.length).fill(0));
    for (const [i, j, count] of counts) table[down.to[i]][across.to[j]] += count;
    const sums = table.map((r) => r.reduce((a, b) => a + b, 0));
    const folds = [down.names.length < rows.length && "rows", across.names.length < columns.length && "columns"].filter(Boolean);
    setNote(element, folds.length ? `The smallest ${folds.join(" and ")} are put together.` : "");
    return [{
      element: element.querySelector(".plot"),
      draw(width) {
        const cell = (i, j) => {
          const share = sums[i] ? table[i][j] / sums[i] : 0;
          return {
            fill: mix(theme.mid, theme.low, share),
            lines: table[i][j] ? [`${share > 0 && share < 0.005 ? "<1" : Math.round(share * 100)}${NBSP}%`, brief(table[i][j])] : [],
            tip: [`${one(down.names[i])} and ${one(across.names[j])}`, `${thousands(table[i][j])} customers`, `${percent(share)} of ${one(down.names[i])}`],
          };
        };
        const made = cells(width, down.names, across.names, cell, 34, 34);
        const kept = sums.map((s, i) => ({ i, j: table[i].indexOf(Math.max(...table[i])) }));
        return { ...made, label: `Table of ${agreement.first} against ${agreement.second}, adjusted Rand index ${number(agreement.adjusted_rand_index, 3)}. ${listed(kept.slice(0, 6).map(({ i, j }) => `${percent(sums[i] ? table[i][j] / sums[i] : 0)} of ${one(down.names[i])} are in ${one(across.names[j])}`))}.` };
      },
    }];
  }));

  // --- the data ------------------------------------------------------------------------------------------------------

  figure("missing", (element) => {
    clear(element);
    return report.missing.features.filter((m) => m.missing > 0).map((m) => {
      const rows = [["before", m.before], ["after", m.after]].filter(([, q]) => hasQuantiles(q));
      const all = rows.flatMap(([, q]) => QUANTILES.map((p) => q[p]));
      const scale = scaleOf(kindOf(all), ...extent(all), 0.04);
      return {
        element: panel(element, m.feature, [`${percent(m.share)} missing`, scale.kind].filter(Boolean).join(", ")),
        draw(width) {
          const left = Math.ceil(textWidth("before", SMALL)) + 12;
          const series = [layer(rows.map(([name, q], i) => ({ name, q, i })), (d, at) => {
            const y = at(0, d.i + 0.5)[1];
            return [...boxShapes(d.q, scale, at, y, 7, d.i ? theme.palette[0] : theme.noise), text(d.name, left - 8, y, { align: "right", size: SMALL })];
          }, (d) => [`${d.name} imputation`, ...quantileLines(d.q)])];
          return {
            option: chart({ left, right: 14, top: 2, height: 52 }, axis(scale, width - left - 14, true, { grid: true }), hiddenAxis(0, 2, true), series),
            height: 82,
            marks: rows.length,
            label: `${one(m.feature)}: ${percent(m.share)} missing, ${thousands(m.imputed)} cells imputed. Median before ${number(m.before?.p50)}, after ${number(m.after?.p50)}.`,
          };
        },
      };
    });
  });

  figure("outliers", (element) => {
    clear(element);
    return report.outliers.filter((o) => hasQuantiles(o)).map((o) => {
      const fences = [o.fence_low, o.fence_high].filter(isNumber);
      const inside = ["min", "p01", ...QUANTILES, "p99", "max"].map((q) => o[q]).filter(isNumber);
      const kind = kindOf(inside);
      // A fence beyond all rows is shown only where it does not squeeze what there is.
      const [low, high] = extent(inside);
      const reach = (high - low) * 0.35;
      const seen = fences.filter((f) => f >= low - reach && f <= high + reach && !(kind.kind === "log" && f <= 0));
      const scale = scaleOf(kind, ...extent([...inside, ...seen]), 0.04);
      const cutText = o.rule === "none" ? "no fence" : `${thousands(o.cut)} set aside`;
      return {
        element: panel(element, o.feature, [cutText, scale.kind].filter(Boolean).join(", ")),
        draw(width) {
          const [left, right] = [10, 14];
          const series = [
            layer([o], (d, at, area) => {
              const x = (v) => at(scale.to(v), 0)[0];
              const y = area.y + area.height / 2;
              const shade = [];
              const fence = (f, from, until, align, said) => {
                shade.push(rect(from, area.y, Math.max(0, until - from), area.height, { fill: theme.high, opacity: 0.13 }), line([[x(f), area.y], [x(f), area.y + area.height]], { stroke: theme.high, lineDash: [4, 3], lineWidth: 1.4 }));
              };
              if (seen.includes(d.fence_low)) fence(d.fence_low, area.x, x(d.fence_low));
              if (seen.includes(d.fence_high)) fence(d.fence_high, x(d.fence_high), area.x + area.width);
              const has = (...qs) => qs.every((q) => isNumber(d[q]));
              return [
                ...shade,
                has("p01", "p99") && line([[x(d.p01), y], [x(d.p99), y]], { lineWidth: 1.2 }),
                line([[x(d.p05), y], [x(d.p95), y]], { lineWidth: 3.5 }),
                rect(x(d.p25), y - 9, Math.max(1, x(d.p75) - x(d.p25)), 18, { fill: mix(theme.paper, theme.palette[0], 0.35), stroke: theme.palette[0] }),
                line([[x(d.p50), y - 9], [x(d.p50), y + 9]], { lineWidth: 2.2 }),
                ...["min", "max"].filter((q) => isNumber(d[q])).map((q) => ({ type: "circle", shape: { cx: x(d[q]), cy: y, r: 3 }, style: { fill: theme.ink } })),
              ];
            }, (d) => [one(d.feature), ...quantileLines(d), `1${NBSP}% to 99${NBSP}%: ${number(d.p01)} to ${number(d.p99)}`, `least ${number(d.min)}, largest ${number(d.max)}`, `fence ${number(d.fence_low)} to ${number(d.fence_high)} (${d.rule})`]),
          ];
          return {
            option: chart({ left, right, top: 2, height: 40 }, axis(scale, width - left - right, true, { grid: true }), hiddenAxis(0, 1), series),
            height: 70,
            marks: 1 + fences.length,
            label: `${one(o.feature)} of all customers, with those set aside: median ${number(o.p50)}, from ${number(o.min)} to ${number(o.max)}. ${o.rule === "none" ? "No fence." : `Fence from ${number(o.fence_low)} to ${number(o.fence_high)} by ${o.rule}; ${thousands(o.cut)} customers set aside by it, ${thousands(o.cut_by_forest)} by the forest.`}`,
          };
        },
      };
    });
  });

  // --- the run -------------------------------------------------------------------------------------------------------

  figure("stages", (element) => {
    const stages = report.platform.stages;
    const total = stages.reduce((sum, s) => sum + (s.seconds || 0), 0);
    const slowest = stages.reduce((a, b) => (!a || (b.seconds || 0) > a.seconds ? b : a), null);
    if (slowest) setTitle(element, `${slowest.stage} took ${duration(slowest.seconds)} of ${duration(total)} in all stages`);
    return [{
      element: element.querySelector(".plot"),
      draw(width) {
        const tall = 24;
        const left = Math.min(widest(stages.map((s) => s.stage)) + 12, width * 0.35);
        const most = extent(stages.map((s) => s.seconds))[1] || 1;
        const scale = linear(0, most);
        const right = 90;
        const series = [layer(stages.map((s, i) => ({ s, i })), (d, at, area) => {
          const [x, y] = at(d.s.seconds || 0, d.i + 0.5);
          return [rect(area.x, y - 7, Math.max(1, x - area.x), 14, { fill: d.s.resumed ? theme.noise : theme.palette[0] }), text(cut(d.s.stage, left - 10), left - 8, y, { align: "right" }), text(duration(d.s.seconds) + (d.s.resumed ? ", resumed" : ""), Math.max(x, area.x) + 6, y, { size: SMALL, fill: theme.muted })];
        }, (d) => [d.s.stage, duration(d.s.seconds), d.s.resumed ? "resumed: done in an earlier run" : `${thousands(d.s.rows)} rows`])];
        return {
          option: chart({ left, right, top: 2, height: tall * stages.length }, axis(scale, width - left - right, true, { name: "seconds", gap: 26, grid: true }), hiddenAxis(0, stages.length, true), series),
          height: tall * stages.length + 46,
          marks: stages.length,
          label: `Bar chart of the seconds of ${stages.length} stages, ${duration(total)} in all. ${slowest ? `${slowest.stage} took longest, ${duration(slowest.seconds)}.` : ""}`,
        };
      },
    }];
  });

  // --- theme, width, printing ----------------------------------------------------------------------------------------

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const KEY = "segmenta-report-theme";
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const button = document.getElementById("theme");
  function nameButton() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `${button.textContent} colours`);
  }
  function setTheme(name) {
    root.dataset.theme = name;
    nameButton();
  }
  function hashTheme() {
    const name = location.hash.slice(1);
    if (name !== "dark" && name !== "light") return false;
    setTheme(name);
    return true;
  }
  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function start() {
    root.classList.add("drawn");
    if (!hashTheme() && ["dark", "light"].includes(stored())) root.dataset.theme = stored();
    nameButton();
    button.hidden = false;
    button.addEventListener("click", () => {
      setTheme(isDark() ? "light" : "dark");
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // A page from disk may have no storage: the choice then lasts as long as the page.
      }
      draw();
    });
    addEventListener("hashchange", () => hashTheme() && draw());
    prefersDark.addEventListener("change", () => {
      nameButton();
      draw();
    });
    for (const radio of document.querySelectorAll("#shown-clustering input")) {
      radio.addEventListener("change", () => {
        shown = report.clusterings[Number(radio.value)];
        draw((item) => item.again, true);
      });
    }
    for (const box of document.querySelectorAll("details")) box.addEventListener("toggle", () => !printing && draw((item) => box.contains(item.element)));

    const main = document.getElementById("main");
    let width = main.clientWidth;
    let timer = 0;
    new ResizeObserver(() => {
      if (printing || main.clientWidth === width) return;
      width = main.clientWidth;
      clearTimeout(timer);
      timer = setTimeout(draw, 120);
    }).observe(main);

    let before = null;
    addEventListener("beforeprint", () => {
      if (printing) return;
      const closed = [...document.querySelectorAll("details:not([open])")];
      before = { theme: root.dataset.theme, closed };
      for (const box of closed) box.open = true;
      printing = true;
      root.dataset.theme = "light";
      root.classList.add("printing");
      draw();
    });
    addEventListener("afterprint", () => {
      if (!before) return;
      for (const box of before.closed) box.open = false;
      if (before.theme) root.dataset.theme = before.theme;
      else delete root.dataset.theme;
      root.classList.remove("printing");
      printing = false;
      before = null;
      draw();
    });

    draw();
    if (!root.dataset.failed) root.dataset.ready = "true";
  }

  try {
    start();
  } catch (error) {
    fail(error, "page");
  }
})();
