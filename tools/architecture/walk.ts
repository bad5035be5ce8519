/**
 * Walks a syntax tree for what oxc's module record leaves out: dynamic imports, `import('…')` types, and references to
 * names that the file binds nowhere. Scopes are not modelled: a name bound anywhere in a file counts as the file's own
 * (oxlint's no-restricted-globals is exact about values).
 */
import { type Program, visitorKeys } from 'oxc-parser';

export interface Reference {
  readonly name: string;
  readonly line: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

interface Walked {
  readonly imports: { specifier: string; line: number }[];
  readonly globals: Reference[];
}

/** Keys under which an identifier is a mere label: of a property, a member, a signature. */
const LABEL_KEYS: Readonly<Record<string, readonly string[]>> = {
  MemberExpression: ['property'],
  Property: ['key'],
  MethodDefinition: ['key'],
  PropertyDefinition: ['key'],
  AccessorProperty: ['key'],
  TSAbstractMethodDefinition: ['key'],
  TSAbstractPropertyDefinition: ['key'],
  TSPropertySignature: ['key'],
  TSMethodSignature: ['key'],
  TSQualifiedName: ['right'],
  TSNamedTupleMember: ['label'],
  TSTypePredicate: ['parameterName'],
  TSImportType: ['qualifier'],
  MetaProperty: ['meta', 'property'],
  ImportSpecifier: ['imported'],
  ExportSpecifier: ['exported'],
  LabeledStatement: ['label'],
  BreakStatement: ['label'],
  ContinueStatement: ['label'],
  ImportAttribute: ['key'],
};

/** Keys under which an identifier, or a pattern of them, is bound. */
const BINDING_KEYS: Readonly<Record<string, readonly string[]>> = {
  VariableDeclarator: ['id'],
  FunctionDeclaration: ['id', 'params'],
  FunctionExpression: ['id', 'params'],
  ArrowFunctionExpression: ['params'],
  TSDeclareFunction: ['id', 'params'],
  TSEmptyBodyFunctionExpression: ['params'],
  TSFunctionType: ['params'],
  TSConstructorType: ['params'],
  TSMethodSignature: ['params'],
  TSCallSignatureDeclaration: ['params'],
  TSConstructSignatureDeclaration: ['params'],
  TSIndexSignature: ['parameters'],
  ClassDeclaration: ['id'],
  ClassExpression: ['id'],
  CatchClause: ['param'],
  ImportSpecifier: ['local'],
  ImportDefaultSpecifier: ['local'],
  ImportNamespaceSpecifier: ['local'],
  TSTypeAliasDeclaration: ['id'],
  TSInterfaceDeclaration: ['id'],
  TSTypeParameter: ['name'],
  TSMappedType: ['key'],
};

/** Where a binding pattern goes on binding: `{ a: b = c }` binds b, and refers to c. */
const PATTERN_KEYS: Readonly<Record<string, readonly string[]>> = {
  ObjectPattern: ['properties'],
  Property: ['value'],
  ArrayPattern: ['elements'],
  AssignmentPattern: ['left'],
  RestElement: ['argument'],
};

/** One pass over a file’s syntax tree. */
export function walkProgram(program: Program, lineAt: (offset: number) => number): Walked {
  const imports: Walked['imports'] = [];
  const references: Reference[] = [];
  const bound = new Set<string>();

  const visit = (node: Node, binds: boolean) => {
    if (node.type === 'Identifier' && typeof node['name'] === 'string') {
      if (binds) bound.add(node['name']);
      else references.push({ name: node['name'], line: lineAt(node.start) });
    }
    if (node.type === 'ImportExpression' || node.type === 'TSImportType') {
      const specifier = literalText(node['source']);
      if (specifier !== undefined) imports.push({ specifier, line: lineAt(node.start) });
    }
    if (isMathRandom(node)) references.push({ name: 'Math.random', line: lineAt(node.start) });
    for (const key of visitorKeys[node.type] ?? []) {
      const isLabel = LABEL_KEYS[node.type]?.includes(key) === true && node['computed'] !== true;
      const goesOn = binds && PATTERN_KEYS[node.type]?.includes(key) === true;
      const childBinds = goesOn || BINDING_KEYS[node.type]?.includes(key) === true;
      for (const child of childrenOf(node[key])) {
        if (!(isLabel && child.type === 'Identifier')) visit(child, childBinds);
      }
    }
  };
  visit(program as unknown as Node, false);
  return { imports, globals: references.filter(({ name }) => !bound.has(name)) };
}

function childrenOf(value: unknown): Node[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((each): each is Node => typeof each === 'object' && each !== null && 'type' in each);
}

function literalText(value: unknown): string | undefined {
  const [node] = childrenOf(value);
  return node?.type === 'Literal' && typeof node['value'] === 'string' ? node['value'] : undefined;
}

function isMathRandom(node: Node): boolean {
  if (node.type !== 'MemberExpression') return false;
  const [object] = childrenOf(node['object']);
  const [property] = childrenOf(node['property']);
  if (object?.type !== 'Identifier' || object['name'] !== 'Math') return false;
  return property?.['name'] === 'random' || property?.['value'] === 'random';
}
