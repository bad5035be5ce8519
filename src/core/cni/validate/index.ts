export { type Findings, validateNetwork, validatePlugin } from './validate.ts';
