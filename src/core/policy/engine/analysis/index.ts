export type { Finding, FindingCode } from './finding.ts';
export { lint } from './lint.ts';
export { type Matrix, type MatrixCell, type MatrixGroup, type MatrixOptions, matrix } from './matrix.ts';
export type { Probe } from './prober.ts';
export { type GraphChange, type PairAction, type PairChange, type WhatIfOptions, whatIf } from './what-if.ts';
