export { type ContinueToken, decodeContinue, encodeContinue } from './continue-token.ts';
export {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  groupResources,
  type ServedGroup,
} from './discovery.ts';
export { cloneJson, equalJson, hasPrototypeKey, isObject, type JsonObject, objectOr } from './json.ts';
export { inOrder } from './lifecycle/metadata.ts';
export {
  type DeleteOutcome,
  type Deletion,
  prepareCreate,
  prepareDelete,
  prepareUpdate,
  shapeObject,
  type WriteContext,
} from './lifecycle/write.ts';
export { labelKeyProblem, labelValueProblem } from './names.ts';
export {
  type AnswerForm,
  type BodyForm,
  bodyFormOf,
  negotiate,
  type PatchForm,
  patchFormOf,
} from './negotiation.ts';
export { openApiPath, openApiV2, openApiV3 } from './openapi.ts';
export { applyJsonPatch, type JsonPatchOperation, parseJsonPatch } from './patch/json-patch.ts';
export { applyMergePatch, diffMergePatch } from './patch/merge-patch.ts';
export { PatchError } from './patch/patch-error.ts';
export { applyStrategicMergePatch } from './patch/strategic-merge.ts';
export type { KeyRange, ListRange, StoredChange, StoredObject, UnitOfWork, VersionedStore } from './ports.ts';
export { BUILT_IN_RESOURCES, DEFINITIONS, EVENTS, NAMESPACES } from './resource/built-in.ts';
export { customResources, storedResource } from './resource/custom.ts';
export { definitionWarnings } from './resource/definition-rules.ts';
export { apiVersionOf, type ServedResource } from './resource/served-resource.ts';
export {
  fieldValidationOf,
  isDryRun,
  isTrue,
  parseResourcePath,
  type ResourceTarget,
  type Verb,
  verbOf,
  wholeNumber,
} from './routing.ts';
export { decodeProtobuf, ProtobufError } from './schema/protobuf.ts';
export {
  type FieldSelector,
  fieldText,
  formatFieldSelector,
  matchesFields,
  parseFieldSelector,
} from './selector/field.ts';
export {
  formatLabelSelector,
  type LabelSelector,
  matchesLabels,
  parseLabelSelector,
  SelectorError,
} from './selector/label.ts';
export {
  alreadyExists,
  badRequest,
  conflict,
  deleted,
  expired,
  forbidden,
  internalError,
  invalid,
  MODIFIED,
  methodNotAllowed,
  noSuchPath,
  notAcceptable,
  notFound,
  type Status,
  StatusError,
  tooLarge,
  unauthorized,
  unsupportedMediaType,
} from './status.ts';
export type { Column } from './table/column.ts';
export { type IncludeObject, partialObject, tableOf } from './table/table.ts';
