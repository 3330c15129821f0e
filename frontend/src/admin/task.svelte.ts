export { Task } from '../lib/task.svelte';
