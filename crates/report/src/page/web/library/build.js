// Makes echarts.js, and copies the licences that go with it:
//
//     npm ci && npm run build
//
// The same versions make the same bytes. The file is put into a <script> of the page, so it must not end one.
import { build } from "esbuild";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";

const { version } = JSON.parse(readFileSync("node_modules/echarts/package.json", "utf8"));
const result = await build({
  entryPoints: ["charts.js"],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "echarts",
  target: "es2018",
  charset: "ascii",
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  banner: { js: `/* Apache ECharts ${version}, zrender, tslib: the parts that charts.js names. Licences beside this file: LICENSE, NOTICE, LICENSE-* */` },
  write: false,
});
const text = result.outputFiles[0].text.replaceAll(/<\/script/gi, "<\\/script").replaceAll("<!--", "<\\!--");
writeFileSync("echarts.js", text);
for (const [from, to] of [
  ["echarts/LICENSE", "LICENSE"],
  ["echarts/NOTICE", "NOTICE"],
  ["echarts/licenses/LICENSE-d3", "LICENSE-d3"],
  ["zrender/LICENSE", "LICENSE-zrender"],
  ["tslib/LICENSE.txt", "LICENSE-tslib"],
]) {
  copyFileSync(`node_modules/${from}`, to);
}
console.log(`echarts.js: ${text.length} bytes`);
