export { runSpeaker, SPEAK, speak } from './speak.ts';
