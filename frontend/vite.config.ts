import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the service (or the simulator in dev/). */
const service = 'http://127.0.0.1:8787';

/** `offline.json` names the files that the service worker keeps; the administration needs a connection anyway. */
function offlineList(): Plugin {
  return {
    name: 'offline-list',
    apply: 'build',
    generateBundle: {
      // After Vite has dropped the chunks that held styles alone.
      order: 'post',
      handler(_, bundle) {
        const files = Object.values(bundle).filter((file) => {
          if (!/^assets\/(?!Admin|admin).*\.(?:js|css)$/.test(file.fileName)) return false;
          // Other languages are kept when they have been spoken.
          return file.type === 'asset' || !/\/texts\/(?!en\/)[\w-]+\/\w+\.ts$/.test(file.facadeModuleId ?? '');
        });
        this.emitFile({ type: 'asset', fileName: 'offline.json', source: JSON.stringify(files.map((file) => `/${file.fileName}`).sort()) });
      },
    },
  };
}

export default defineConfig({
  plugins: [svelte(), offlineList()],
  build: {
    outDir: '../mailbox_service/page',
    emptyOutDir: true,
    // The first browsers with light-dark(), popover and nested :has(): nothing is compiled down.
    target: ['es2023', 'chrome123', 'firefox125', 'safari17.5'],
    // Everything is a file of our own origin; the policy of the page allows no inline code.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What every visit needs is one file: small files pack badly.
          groups: [{ name: 'core', test: /node_modules\/(?:svelte|esm-env|clsx)\/|src\/(?:lib\/(?:api|refusal|memory|faces|addresses|draft|clipboard|time)|stores\/(?:notices|session|worker)|texts\/(?:index|tables|languages|forms|en\/page)|parts\/(?:Icon|icons))\b/ }],
        },
      },
    },
    reportCompressedSize: true,
  },
  server: {
    proxy: { '/api': service, '/open_api': service, '/external': service },
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
