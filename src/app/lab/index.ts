export { labCommand } from './command.ts';
export type { MatrixReport, StatusReport } from './report.ts';
