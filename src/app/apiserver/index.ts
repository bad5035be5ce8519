export { apiServerCommand } from './command.ts';
export { type ApiServerOptions, ListeningError } from './options.ts';
export { type ApiServer, startApiServer } from './server.ts';
