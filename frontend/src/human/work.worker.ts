/** A share of the proof of work, beside the page so that it stays awake. */

import { solve, type Challenge } from './work';

addEventListener('message', (message: MessageEvent<{ challenge: Challenge; start: number; step: number }>) => {
  const { challenge, start, step } = message.data;
  void solve(challenge, start, step).then(
    (solution) => postMessage(solution),
    () => postMessage(null),
  );
});
