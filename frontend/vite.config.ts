import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { shell } from './src/shell/build.ts';

/** Where `npm run dev` finds the service (or the simulator in dev/). */
const service = 'http://127.0.0.1:8787';

/** Smaller files gain nothing. */
const WORTH_PACKING = 1024;

/** `offline.json` names the files that the service worker keeps; the administration needs a connection anyway. */
function offlineList(): Plugin {
  return {
    name: 'offline-list',
    apply: 'build',
    // A file that is missing would hold a connection of the worker that asks for it.
    enforce: 'post',
    generateBundle: {
      // After Vite has dropped the chunks that held styles alone.
      order: 'post',
      handler(_, bundle) {
        const files = Object.values(bundle).filter((file) => {
          if (!/^assets\/(?!Admin|admin|fill-).*\.(?:js|css)$/.test(file.fileName)) return false;
          // Other languages are kept when they have been spoken.
          return file.type === 'asset' || !/\/texts\/(?!en\/)[\w-]+\/\w+\.ts$/.test(file.facadeModuleId ?? '');
        });
        this.emitFile({ type: 'asset', fileName: 'offline.json', source: JSON.stringify(files.map((file) => `/${file.fileName}`).sort()) });
      },
    },
  };
}

/**
 * The styles of every visit lie in the document itself: on a slow line a file of their own costs a journey more. The scripts
 * of every visit are named there, so that none of them waits for another; `shell/early.ts` sends for them.
 */
function everyVisit(): Plugin {
  return {
    name: 'every-visit',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const document = bundle['index.html'];
        if (document?.type !== 'asset') return;
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
        // Vite leaves no file of its own for an entry that is a part of a group.
        const page = chunks.find((chunk) => chunk.moduleIds.some((id) => id.endsWith('/src/page.ts')));
        const list = chunks.find((chunk) => chunk.moduleIds.some((id) => id.endsWith('/src/views/Mailbox.svelte')));
        if (!page || !list) throw new Error('no page');
        const always = [...page.imports];
        // Loaded beside them: what no frame shows.
        const later = Object.keys(bundle).find((name) => /^assets\/later-.*\.css$/.test(name));
        if (!later) throw new Error('no styles of the page');
        always.push(later);
        const styles = new Set([page, list, ...always.map((name) => bundle[name])].flatMap((file) => (file?.type === 'chunk' ? [...(file.viteMetadata?.importedCss ?? [])] : [])));
        let text = '';
        for (const name of styles) {
          const file = bundle[name];
          if (file?.type !== 'asset') throw new Error(`no styles ${name}`);
          text += String(file.source).trim();
          delete bundle[name];
          // Chunks name the styles that they count on; a file that every visit has takes the place of these.
          for (const one of chunks) one.code = one.code.replaceAll(`"${name}"`, `"${page.fileName}"`);
        }
        document.source = String(document.source)
          .replace(/\s*<link rel="(?:stylesheet|modulepreload)"[^>]*>/g, '')
          .replace(/\s*<script type="module"[^>]*><\/script>/g, '')
          .replace('<!--head-->', () => `<meta name="entry" content="/${page.fileName}" data-load="${always.map((name) => `/${name}`).join(' ')}"><!--head--><style>${text}</style>`);
      },
    },
  };
}

/** Scripts and styles packed harder than a server could while somebody waits. The document is packed where it is filled in. */
function packed(): Plugin {
  return {
    name: 'packed',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      async handler(_, bundle) {
        const { brotliCompressSync } = await import('node:zlib');
        for (const file of Object.values(bundle)) {
          const text = file.type === 'chunk' ? file.code : file.source;
          if (!/^assets\/.*\.(?:js|css)$/.test(file.fileName) || text.length < WORTH_PACKING) continue;
          this.emitFile({ type: 'asset', fileName: `${file.fileName}.br`, source: brotliCompressSync(text) });
        }
      },
    },
  };
}

export default defineConfig({
  plugins: [svelte(), everyVisit(), shell(), offlineList(), packed()],
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
          groups: [
            { name: 'core', priority: 4, test: /rolldown\/runtime|node_modules\/(?:svelte|esm-env|clsx)\/|src\/(?:lib\/(?:api|refusal|memory|faces|addresses|clipboard|time|begun|requests|carried|route|paths|rows)|stores\/(?:notices|session|worker)|texts\/(?:index|tables|languages|forms|en\/page)|parts\/(?:Icon|icons))\b/ },
            // With all that it imports and the one above has not.
            { name: 'visit', priority: 3, test: /src\/page\.ts$/ },
            { name: 'list', priority: 2, test: /src\/views\/Mailbox\.svelte$/ },
            // And what every mail needs.
            { name: 'reader', priority: 1, test: /src\/(?:parts\/(?:MailReader|MessageFrame|MessageText|AttachmentList|VerdictList|file|reader)|stores\/reader|lib\/(?:frame|pictures|files|preview|verdicts))\b/ },
          ],
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
