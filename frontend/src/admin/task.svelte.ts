import { inWords } from '../lib/refusal';

/** Something that the service is asked to do: whether it is under way, and in words why it failed. */
export class Task {
  working = $state(false);
  trouble = $state('');

  readonly run = async (work: () => Promise<void>): Promise<void> => {
    // Pressed twice is meant once.
    if (this.working) return;
    this.working = true;
    this.trouble = '';
    try {
      await work();
    } catch (error) {
      this.trouble = inWords(error);
    } finally {
      this.working = false;
    }
  };
}
