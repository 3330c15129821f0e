// Lighthouse, once, on one address: node lighthouse.mjs <url> <path of Chromium>. Prints one JSON line.
// The phone profile as Lighthouse has it: a slow phone on a slow line, simulated. It asks nobody but the address.

import { launch } from 'chrome-launcher';
import lighthouse from 'lighthouse';

const [url, chromePath] = process.argv.slice(2);
const chrome = await launch({
  chromePath,
  chromeFlags: ['--headless=new', '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});
try {
  const result = await lighthouse(url, {
    port: chrome.port,
    logLevel: 'error',
    output: 'json',
    // The event stream stays open, so the network never rests: without a bound Lighthouse would wait for 45 s.
    maxWaitForLoad: 12_000,
    onlyCategories: ['performance', 'accessibility', 'best-practices'],
  });
  const { audits, categories, environment } = result.lhr;
  const broken = Object.values(audits).find((audit) => audit.scoreDisplayMode === 'error');
  if (broken || result.lhr.runtimeError) throw new Error(`${broken?.id} ${broken?.errorMessage} ${JSON.stringify(result.lhr.runtimeError)}`);
  const faults = Object.values(categories).flatMap((category) =>
    category.auditRefs
      .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9)
      .map(({ id }) => `${id} ${audits[id].displayValue ?? ''}`.trim()),
  );
  console.log(
    JSON.stringify({
      performance: Math.round(categories.performance.score * 100),
      accessibility: Math.round(categories.accessibility.score * 100),
      'best-practices': Math.round(categories['best-practices'].score * 100),
      lcp: audits['largest-contentful-paint'].numericValue / 1000,
      fcp: audits['first-contentful-paint'].numericValue / 1000,
      tbt: audits['total-blocking-time'].numericValue,
      cls: audits['cumulative-layout-shift'].numericValue,
      si: audits['speed-index'].numericValue / 1000,
      machine: environment.benchmarkIndex,
      largest: audits['largest-contentful-paint-element']?.details?.items?.[0]?.items?.[0]?.node?.snippet ?? '',
      files: audits['network-requests'].details.items.map((item) => [new URL(item.url).pathname.slice(0, 60), item.transferSize, item.networkEndTime]),
      observed: audits.metrics.details.items[0].observedLargestContentfulPaint,
      requested: audits['network-requests'].details.items.map((item) => item.url),
      faults,
    }),
  );
} finally {
  await chrome.kill();
}
