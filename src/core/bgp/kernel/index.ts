/** What a speaker has learned, as routes of the kernel. */
export { type KernelRouteRules, KernelRoutes, type WayTo } from './routes.ts';
