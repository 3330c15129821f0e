/** Where the frame of the page stands, for whoever wants it otherwise. */

import '../styles/arranged.css';
import type { Preferences } from './prefs.svelte';

export function arrange({ rail, margins }: Pick<Preferences, 'rail' | 'margins'>): void {
  const root = document.documentElement;
  root.dataset['rail'] = rail;
  root.toggleAttribute('data-margins', margins);
}
