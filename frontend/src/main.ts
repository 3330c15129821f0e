import './styles/tokens.css';
import './styles/parts.css';
import './styles/layout.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { readPath } from './lib/paths';
import { speech } from './stores/language.svelte';
import { theme } from './stores/theme.svelte';

theme.apply();
if (!readPath(location.pathname).known) history.replaceState(null, '', `/${location.search}${location.hash}`);

void speech.start().then(() => {
  const target = document.getElementById('page');
  if (target) mount(App, { target });
});
