import './styles/tokens.css';
import './styles/parts.css';
import './styles/layout.css';
import { painted } from './shell/painted';

// To run it can wait until there is something to see; its files are on their way by then (`shell/early.ts`).
void painted().then(() => import('./page'));
