export { apiServerCommand } from './command.ts';
export type { ApiServerOptions } from './options.ts';
export { type ApiServer, startApiServer } from './server.ts';
