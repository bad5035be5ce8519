export { ptpPlugin } from './ptp.ts';
