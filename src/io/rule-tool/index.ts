export { createRuleTool } from './rule-tool.ts';
