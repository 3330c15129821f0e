import './styles/tokens.css';
import './styles/parts.css';
import './styles/layout.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { theme } from './stores/theme.svelte';
import { chooseLanguage, language } from './texts';

theme.apply();
chooseLanguage(navigator.languages);
document.documentElement.lang = language();

const target = document.getElementById('page');
if (target) mount(App, { target });
