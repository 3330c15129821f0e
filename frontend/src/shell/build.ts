/**
 * What the build adds to the document: the frames in every language, the script that shows them, the signs they are drawn
 * with, and the names of the files that each place loads, so that none of them waits for another.
 */

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build, type Plugin, type Rolldown } from 'vite';
import { ICONS, spriteOf } from '../parts/icons.ts';
import type { Area } from '../texts/tables.svelte';
import { LANGUAGES, type Language } from '../texts/languages.ts';
import type { draw } from './frames';
import type { FrameName } from './marks';

type Bundle = Rolldown.OutputBundle;
type Place = 'mailbox' | 'account' | 'admin';

interface Needs {
  /** Loaded for every visit of the place. */
  module: string | null;
  areas: readonly Area[];
}

const NEEDS: Record<Place, Needs> = {
  mailbox: { module: null, areas: ['page'] },
  account: { module: '/src/account/Account.svelte', areas: ['page', 'mail', 'more', 'account'] },
  admin: { module: '/src/admin/Admin.svelte', areas: ['page', 'mail', 'more', 'account', 'admin'] },
};

/** What a frame of the mailbox needs besides. */
const MORE: Partial<Record<FrameName, readonly Needs[]>> = {
  inbox: [{ module: '/src/views/Mailbox.svelte', areas: [] }],
  mail: [
    { module: '/src/views/Mailbox.svelte', areas: [] },
    { module: '/src/parts/MailReader.svelte', areas: ['mail'] },
  ],
};
const SIGNS = '/src/parts/moreIcons.ts';

/** Where the document has room for the frames of a place; the service fills it. */
export const ROOM = '<!--frames-->';

export function shell(): Plugin {
  return {
    name: 'shell',
    // After the styles of every visit have gone into the document.
    enforce: 'post',
    transformIndexHtml: (html) => html.replace('<!--signs-->', spriteOf(ICONS)),
    generateBundle: {
      order: 'post',
      async handler(_, bundle) {
        if (!bundle['index.html']) return;
        const document = bundle['index.html'] as Rolldown.OutputAsset;
        const drawn = await drawnFrames();
        const code = await scriptOf('fill', 'es');
        const fills = Object.fromEntries(
          (Object.keys(LANGUAGES) as Language[]).map((language) => {
            const source = code.replace('__DRAWN__', () => JSON.stringify(drawn.fill[language]));
            return [language, this.getFileName(this.emitFile({ type: 'asset', name: `fill-${language}.js`, source }))];
          }),
        ) as Record<Language, string>;
        const places = Object.fromEntries(
          (Object.keys(NEEDS) as Place[]).map((place) => [
            place,
            Object.fromEntries((Object.keys(LANGUAGES) as Language[]).map((language) => [language, { head: headOf(bundle, place, language), body: bodyOf(bundle, drawn, place, language, fills) }])),
          ]),
        );
        document.source = String(document.source).replace('<!--early-->', `<script>${await scriptOf('early', 'iife')}</script>`);
        this.emitFile({ type: 'asset', fileName: 'frames.json', source: JSON.stringify(places) });
      },
    },
  };
}

function headOf(bundle: Bundle, place: Place, language: Language): string {
  const { scripts, styles } = filesOf(bundle, NEEDS[place], language);
  // The styles lie beside the frame; a link that is switched off keeps the loader from fetching them again.
  const text = styles.map((name) => String((bundle[name] as Rolldown.OutputAsset).source).trim()).join('');
  return (
    (scripts.length > 0 ? `<meta name="load" content="${scripts.map((name) => `/${name}`).join(' ')}">` : '') +
    styles.map((name) => `<link rel="stylesheet" href="/${name}" disabled>`).join('') +
    (text ? `<style>${text}</style>` : '')
  );
}

function bodyOf(bundle: Bundle, drawn: Awaited<ReturnType<typeof draw>>, place: Place, language: Language, fills: Record<Language, string>): string {
  const loadOf = (name: FrameName) => {
    const files = (MORE[name] ?? []).map((needs) => filesOf(bundle, needs, language)).flatMap(({ scripts, styles }) => [...scripts, ...styles]);
    return files.length > 0 ? ` data-fill="/${fills[language]}" data-load="${[...new Set(files)].map((file) => `/${file}`).join(' ')}"` : '';
  };
  return (Object.entries(drawn[place][language]) as [FrameName, string][])
    .map(([name, markup]) => `<template data-frame="${name}"${loadOf(name)}>${markup}</template>`)
    .join('');
}

/** Words that are found by a list of their own (texts/rareTables.ts). */
const RARE = /^(?:admin|telegram)/;
const RARE_TABLES = '/src/texts/rareTables.ts';

/** The files of a part, without those of every visit. */
function filesOf(bundle: Bundle, { module, areas }: Needs, language: Language): { scripts: string[]; styles: string[] } {
  const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
  const of = (module: string) => chunks.find((chunk) => chunk.moduleIds.some((id) => id.endsWith(module)));
  const page = of('/src/page.ts');
  const always = new Set([page?.fileName, ...(page?.imports ?? [])]);
  // Styles that the document holds are files no more.
  const there = new Set(Object.keys(bundle));
  const scripts = new Set<string>();
  const styles = new Set<string>();
  const take = (name: string) => {
    const file = bundle[name];
    if (file?.type !== 'chunk' || always.has(name) || scripts.has(name)) return;
    scripts.add(name);
    for (const style of file.viteMetadata?.importedCss ?? []) if (there.has(style)) styles.add(style);
    for (const next of file.imports) take(next);
  };
  if (module) take(of(module)?.fileName ?? missing(module));
  if (module && areas.length > 0) take(of(SIGNS)?.fileName ?? missing(SIGNS));
  for (const area of areas) {
    if (language === 'en' && area === 'page') continue;
    const file = `/src/texts/${language}/${area}.ts`;
    take(of(file)?.fileName ?? missing(file));
    if (RARE.test(area)) take(of(RARE_TABLES)?.fileName ?? missing(RARE_TABLES));
  }
  return { scripts: [...scripts], styles: [...styles] };
}

function missing(what: string): never {
  throw new Error(`no file of ${what}`);
}

/** The frames, drawn by the components themselves. */
async function drawnFrames(): ReturnType<typeof draw> {
  const code = await built({
    plugins: [svelte({ compilerOptions: { preserveComments: true } })],
    ssr: { noExternal: true },
    build: { ssr: 'src/shell/frames.ts', write: false, minify: false, rolldownOptions: { output: { codeSplitting: false } } },
  });
  try {
    const module = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)) as { draw: typeof draw };
    return await module.draw();
  } catch (error) {
    // The place of a fault would be the whole program.
    throw new Error(`the frames cannot be drawn: ${String(error)}`);
  }
}

/** A script of its own, with everything that it needs. */
async function scriptOf(name: 'early' | 'fill', format: 'iife' | 'es'): Promise<string> {
  const code = await built({
    build: { write: false, target: ['es2023', 'chrome123', 'firefox125', 'safari17.5'], modulePreload: false, rolldownOptions: { input: `src/shell/${name}.ts`, preserveEntrySignatures: 'strict', output: { format } } },
  });
  // Nothing in it may end the element that it lies in.
  if (format === 'iife' && /<\/script|<!--/i.test(code)) throw new Error('the early script holds markup');
  return code.trim();
}

async function built(config: Parameters<typeof build>[0]): Promise<string> {
  const result = await build({ configFile: false, logLevel: 'warn', ...config });
  const output = (Array.isArray(result) ? result : [result as Rolldown.RolldownOutput]).flatMap((one) => one.output);
  const entry = output.find((file) => file.type === 'chunk' && file.isEntry);
  if (entry?.type !== 'chunk') throw new Error('nothing was built');
  return entry.code;
}
