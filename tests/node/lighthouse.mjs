// Lighthouse, once, on one address: node lighthouse.mjs <url> <path of Chromium>. Prints one JSON line.
// The phone profile as Lighthouse has it: a slow phone on a slow line, simulated. It asks nobody but the address.

import { launch } from 'chrome-launcher';
import lighthouse from 'lighthouse';
import { Audit } from 'lighthouse/core/audits/audit.js';
import TotalBlockingTime from 'lighthouse/core/audits/metrics/total-blocking-time.js';
import { LanternTotalBlockingTime } from 'lighthouse/core/computed/metrics/lantern-total-blocking-time.js';
import * as Lantern from 'lighthouse/core/lib/lantern/lantern.js';

/**
 * Chromium may lose the first moments of a process that it has just started, and with them the beginning of the visit
 * (NO_NAVSTART): nothing can be said of such a look, so it is taken again with another browser.
 */
const AGAIN = 4;
const [url, chromePath] = process.argv.slice(2);

/** Whether a task counts as long as it worked, without the time in which others had the processor. */
let working = false;
const node = Object.getOwnPropertyDescriptor(Lantern.Graph.CPUNode.prototype, 'duration');
Object.defineProperty(Lantern.Graph.CPUNode.prototype, 'duration', {
  get() {
    const whole = node.get.call(this);
    return working ? Math.min(whole, this._event.tdur ?? whole) : whole;
  },
});

for (let left = AGAIN; ; left -= 1) {
  const result = await look();
  if (result.lhr.runtimeError?.code === 'NO_NAVSTART' && left > 0) continue;
  console.log(JSON.stringify(await told(result)));
  break;
}

async function look() {
  const chrome = await launch({
    chromePath,
    chromeFlags: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
  try {
    return await lighthouse(url, {
      port: chrome.port,
      logLevel: 'error',
      output: 'json',
      // The event stream stays open, so the network never rests: without a bound Lighthouse would wait for 45 s.
      maxWaitForLoad: 12_000,
      onlyCategories: ['performance', 'accessibility', 'best-practices'],
    });
  } finally {
    await chrome.kill();
  }
}

/** The same metric of the same trace, of what the page worked alone. */
async function workOf({ lhr, artifacts }) {
  const data = { trace: artifacts.Trace, devtoolsLog: artifacts.DevtoolsLog, gatherContext: artifacts.GatherContext, settings: lhr.configSettings, URL: artifacts.URL, SourceMaps: artifacts.SourceMaps, simulator: null };
  working = true;
  try {
    return (await LanternTotalBlockingTime.request(data, { settings: lhr.configSettings, computedCache: new Map() })).timing;
  } finally {
    working = false;
  }
}

async function told(result) {
  const { audits, categories, environment } = result.lhr;
  const broken = Object.values(audits).find((audit) => audit.scoreDisplayMode === 'error');
  if (broken || result.lhr.runtimeError) throw new Error(`${broken?.id} ${broken?.errorMessage} ${JSON.stringify(result.lhr.runtimeError)}`);
  const faults = Object.values(categories).flatMap((category) =>
    category.auditRefs
      .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9)
      .map(({ id }) => `${id} ${audits[id].displayValue ?? ''}`.trim()),
  );
  const work = await workOf(result);
  const { score } = audits['total-blocking-time'];
  const { weight } = categories.performance.auditRefs.find(({ id }) => id === 'total-blocking-time');
  const alone = Audit.computeLogNormalScore(TotalBlockingTime.defaultOptions.mobile.scoring, work);
  return {
    performance: Math.round(categories.performance.score * 100),
    // What it were if nobody else had used the processor.
    alone: Math.round((categories.performance.score + ((alone - score) * weight) / 100) * 100),
    accessibility: Math.round(categories.accessibility.score * 100),
    'best-practices': Math.round(categories['best-practices'].score * 100),
    lcp: audits['largest-contentful-paint'].numericValue / 1000,
    fcp: audits['first-contentful-paint'].numericValue / 1000,
    tbt: audits['total-blocking-time'].numericValue,
    work,
    cls: audits['cumulative-layout-shift'].numericValue,
    si: audits['speed-index'].numericValue / 1000,
    machine: environment.benchmarkIndex,
    largest: audits['largest-contentful-paint-element']?.details?.items?.[0]?.items?.[0]?.node?.snippet ?? '',
    files: audits['network-requests'].details.items.map((item) => [new URL(item.url).pathname.slice(0, 60), item.transferSize, item.networkEndTime]),
    long: audits['long-tasks']?.details?.items.map((item) => [item.url.replace(/\?.*/, '').slice(-60), item.startTime, item.duration]) ?? [],
    observed: audits.metrics.details.items[0].observedLargestContentfulPaint,
    requested: audits['network-requests'].details.items.map((item) => item.url),
    faults,
  };
}
