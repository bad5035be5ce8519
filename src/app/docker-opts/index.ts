export { dockerOptsCommand } from './command.ts';
