import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the service (or the simulator in dev/). */
const service = 'http://127.0.0.1:8787';

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: '../mailbox_service/page',
    emptyOutDir: true,
    // The first browsers with light-dark(), popover and nested :has(): nothing is compiled down.
    target: ['es2023', 'chrome123', 'firefox125', 'safari17.5'],
    // Everything is a file of our own origin; the policy of the page allows no inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: { '/api': service, '/open_api': service, '/external': service },
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
