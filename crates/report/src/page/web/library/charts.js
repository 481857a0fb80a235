// What page.js uses of ECharts; everything else is left out of echarts.js.
import { init, use } from "echarts/core";
import { CustomChart, LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

use([CustomChart, LineChart, GridComponent, TooltipComponent, SVGRenderer]);

export { init };
