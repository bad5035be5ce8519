/** The paths that are not resources: version, health, discovery and OpenAPI. */
import type { IncomingMessage } from 'node:http';
import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersionOf,
  apiVersions,
  negotiate,
  noSuchPath,
  openApiV2,
  type ServedGroup,
  StatusError,
} from '#core/kube/index.ts';
import { type Answer, answerOf } from './exchange.ts';
import type { ResourceRegistry } from './registry.ts';

/** The API level whose built-in types and behaviour the server follows. */
const VERSION = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0+poplin',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

function discovery(accept: string | undefined, groups: readonly ServedGroup[], plain: () => unknown): Answer {
  if (negotiate(accept, ['object', 'discovery']) === 'object') return answerOf(plain());
  return { ...answerOf(aggregatedDiscovery(groups)), contentType: DISCOVERY };
}

function openApiIndex(registry: ResourceRegistry): Answer {
  const paths = [...registry.openApiPaths()].map(([path, { hash }]) => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
  ]);
  return answerOf({ paths: Object.fromEntries(paths) as unknown });
}

function health(isReady: boolean): Answer {
  return isReady
    ? { code: 200, body: 'ok', contentType: 'text/plain; charset=utf-8' }
    : { code: 503, body: 'shutting down', contentType: 'text/plain; charset=utf-8' };
}

function groupAnswer(registry: ResourceRegistry, segments: readonly string[]): Answer {
  const [name, version] = segments;
  const group = registry.groups.find((candidate) => candidate.name === name);
  if (group === undefined) throw noSuchPath();
  if (version === undefined) return answerOf(apiGroup(group));
  const served = group.versions.find((candidate) => candidate.version === version);
  if (served === undefined) throw noSuchPath();
  return answerOf(apiResourceList(apiVersionOf({ group: group.name, version }), served.resources));
}

function openApi(registry: ResourceRegistry, path: string, request: IncomingMessage): Answer {
  if (path === '/openapi/v2') {
    if (/^[^,]*protobuf[^,]*$/.test(request.headers.accept ?? '')) {
      throw new StatusError(406, 'NotAcceptable', 'OpenAPI v2 is served as application/json only');
    }
    return answerOf(openApiV2([...registry.resources]));
  }
  if (path === '/openapi/v3') return openApiIndex(registry);
  const document = registry.openApi(path.slice('/openapi/v3/'.length));
  if (document === undefined) throw noSuchPath();
  return { code: 200, body: document.text, headers: { etag: `"${document.hash}"` } };
}

/** The answer for a path that names no resource. Throws 404. */
export function documentAnswer(
  registry: ResourceRegistry,
  request: IncomingMessage,
  path: string,
  isReady: boolean,
): Answer {
  const { accept } = request.headers;
  const [core, ...others] = registry.groups;
  switch (path) {
    case '/version':
      return answerOf(VERSION);
    case '/healthz':
    case '/livez':
      return health(true);
    case '/readyz':
      return health(isReady);
    case '/api':
      return discovery(accept, core === undefined ? [] : [core], apiVersions);
    case '/apis':
      return discovery(accept, others, () => apiGroupList(registry.groups));
    case '/':
      return answerOf({
        paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
      });
    default:
  }
  if (path.startsWith('/openapi/')) return openApi(registry, path, request);
  const segments = path.split('/').slice(1);
  if (segments[0] === 'apis' && segments.length <= 3) return groupAnswer(registry, segments.slice(1));
  if (segments[0] === 'api' && segments.length === 2)
    return groupAnswer(registry, ['', ...segments.slice(1)]);
  throw noSuchPath();
}
