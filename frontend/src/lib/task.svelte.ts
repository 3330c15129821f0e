import { inWords } from './refusal';

interface How {
  /** What a failure is called, where it has words of its own. */
  words?: (error: unknown) => string;
  /** Hears of a failure, in words, where nothing on the screen shows `trouble`. */
  failed?: (trouble: string) => void;
}

/** Something that the service is asked to do: whether it is under way, what came of it, and in words why it failed. */
export class Task {
  working = $state(false);
  trouble = $state('');
  /** What came of it, where that is to be read until the next try. */
  said = $state('');

  constructor(private readonly how: How = {}) {}

  readonly run = async (work: () => Promise<void>): Promise<void> => {
    // Pressed twice is meant once.
    if (this.working) return;
    this.working = true;
    this.trouble = this.said = '';
    try {
      await work();
    } catch (error) {
      this.trouble = (this.how.words ?? inWords)(error);
      this.how.failed?.(this.trouble);
    } finally {
      this.working = false;
    }
  };
}
