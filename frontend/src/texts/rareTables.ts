/** Where the words of parts lie that few people open: a list of its own, so that a first visit does not load it. */
export const files = import.meta.glob(['./*/admin*.ts', './*/telegram.ts']) as Record<string, () => Promise<Record<string, Readonly<Record<string, string | { one: string; other: string }>>>>>;
