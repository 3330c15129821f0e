/** uPlot, dressed in our tokens. A chunk of its own: only the overview draws. */

import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';

export interface Drawn {
  destroy: () => void;
}

export interface Series {
  text: string;
  /** The token of its colour. */
  color: string;
}

interface Wish {
  times: number[];
  values: number[][];
  series: readonly Series[];
  height: number;
  bars: boolean;
  /** How a time is called on the axis. */
  name: (seconds: number) => string;
  number: (value: number) => string;
  /** The point under the pointer; null when it has left. */
  point: (at: number | null) => void;
}

/** What a token means here and now: canvases know no `light-dark()`. */
function colour(within: HTMLElement, token: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${token})`;
  within.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function faded(color: string, share: number): string {
  return color.replace(/^rgb\((.*)\)$/, (_, parts: string) => `rgba(${parts}, ${share})`);
}

export function draw(into: HTMLElement, wish: Wish): Drawn {
  const ink = colour(into, '--ink-3');
  const line = colour(into, '--line');
  const font = `11px ${getComputedStyle(into).fontFamily}`;
  const bars = uPlot.paths.bars?.({ size: [0.6, 24], radius: 0.15 });
  // The first and the last bar are as wide as the others.
  const half = wish.bars && wish.times.length > 1 ? (wish.times[1]! - wish.times[0]!) / 2 : 0;
  const axis: uPlot.Axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: Math.max(200, into.clientWidth),
      height: wish.height,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 8 } },
      scales: { x: { time: false, range: (_self, least, most) => [least - half, most + half] }, y: { range: (_self, _least, most) => [0, Math.max(4, most * 1.05)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, values: (_self, splits) => splits.map(wish.name), splits: (self) => ticks(self, wish.times) },
        { ...axis, size: (_self, values) => 14 + 7 * Math.max(1, ...(values ?? []).map((value) => String(value).length)), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7], values: (_self, splits) => splits.map(wish.number) },
      ],
      series: [
        {},
        ...wish.series.map((one, at): uPlot.Series => {
          const stroke = colour(into, one.color);
          return {
            label: one.text,
            stroke,
            width: wish.bars ? 0 : 1.75,
            points: { show: false },
            ...(wish.bars && bars ? { fill: stroke, paths: bars } : at === 0 ? { fill: faded(stroke, 0.11) } : {}),
          };
        }),
      ],
      hooks: { setCursor: [(self) => wish.point(self.cursor.idx ?? null)] },
    },
    [wish.times, ...wish.values],
    into,
  );
  const size = new ResizeObserver(() => plot.setSize({ width: Math.max(200, into.clientWidth), height: wish.height }));
  size.observe(into);
  return {
    destroy() {
      size.disconnect();
      plot.destroy();
    },
  };
}

/** Whole steps under the axis, evenly apart, as many as there is room for. */
function ticks(plot: uPlot, times: readonly number[]): number[] {
  const room = Math.max(2, Math.floor(plot.width / 84));
  const every = Math.max(1, Math.ceil(times.length / room));
  return times.filter((_, at) => (times.length - 1 - at) % every === 0);
}
