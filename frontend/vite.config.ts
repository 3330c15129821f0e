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

/** The styles of every visit lie in the document itself: on a slow line a file of their own costs a journey more. */
function inlineStyles(): Plugin {
  return {
    name: 'inline-styles',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const document = bundle['index.html'];
        if (document?.type !== 'asset') return;
        document.source = String(document.source).replace(/<link rel="stylesheet"[^>]*href="\/([^"]+)">/g, (_, name: string) => {
          const styles = bundle[name];
          if (styles?.type !== 'asset') throw new Error(`no styles ${name}`);
          delete bundle[name];
          // Chunks name the styles that they count on; a file that every visit has takes the place of these.
          const core = Object.keys(bundle).find((one) => /^assets\/core-.*\.js$/.test(one)) ?? '';
          for (const file of Object.values(bundle)) if (file.type === 'chunk') file.code = file.code.replaceAll(`"${name}"`, `"${core}"`);
          return `<style>${String(styles.source).trim()}</style>`;
        });
      },
    },
  };
}

export default defineConfig({
  plugins: [svelte(), inlineStyles(), offlineList()],
  build: {
    outDir: '../mailbox_service/page',
    emptyOutDir: true,
    // The first browsers with light-dark(), popover and nested :has(): nothing is compiled down.
    target: ['es2023', 'chrome123', 'firefox125', 'safari17.5'],
    // Named alone: a language version among them would compile light-dark() down, to more and slower styles.
    cssTarget: ['chrome123', 'firefox125', 'safari17.5'],
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
