export {
  type FamilyAnnotations,
  FLANNEL_ANNOTATION_PREFIX,
  type NodeAnnotations,
  nodeAnnotations,
} from './annotations.ts';
export { NodeBook, type NodeBookOptions, type NodeDiff } from './book.ts';
export { networkUpPatch } from './condition.ts';
export { factsText, type NodeFacts, nodeFacts } from './facts.ts';
export { type OwnNode, planOwnNode, wishedNodeIps } from './own.ts';
export { entryName } from './read.ts';
