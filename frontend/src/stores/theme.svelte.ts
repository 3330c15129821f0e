/** Light or dark: the system decides until the reader does. */

import { recall, remember } from '../lib/memory';

export type Theme = '' | 'light' | 'dark';

const isTheme = (value: unknown): value is Theme => value === '' || value === 'light' || value === 'dark';

class ThemeChoice {
  value = $state<Theme>(recall<Theme>('mailbox.theme', '', isTheme));

  choose(theme: Theme): void {
    this.value = theme;
    remember('mailbox.theme', theme);
    this.apply();
  }

  apply(): void {
    if (this.value) document.documentElement.dataset['theme'] = this.value;
    else delete document.documentElement.dataset['theme'];
  }
}

export const theme = new ThemeChoice();
