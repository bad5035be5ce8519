export { forgetFlows } from './flows.ts';
