export { readJson } from './json.ts';
export {
  type LocatedDocument,
  type LocatedMember,
  type LocatedNode,
  nodeAt,
  plainValue,
  problemAt,
} from './located.ts';
export {
  type CheckOptions,
  checkDocument,
  type ParseOptions,
  parseConfig,
  parseYamlConfig,
  soundKeys,
} from './parse.ts';
export {
  ConfigError,
  compareProblems,
  formatPath,
  formatProblem,
  type KeyPath,
  type ParseResult,
  type Problem,
  requireConfig,
} from './problem.ts';
export { editDistance, suggest, suggestionText } from './suggestion.ts';
export { readYaml } from './yaml.ts';
