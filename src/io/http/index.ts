export { chunksOf } from './chunks.ts';
export { sendJson } from './json-answer.ts';
export { Limit } from './limit.ts';
export { splitLines } from './lines.ts';
export { describe, excerpt } from './text.ts';
