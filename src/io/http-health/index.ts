export { type HealthPages, HealthServer } from './http-health.ts';
