/** Manifests as people feed them to kubectl. */

export const pod = (name: string, image = 'web:1', labels = 'app: web') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {${labels}}}
spec:
  containers:
    - name: c
      image: ${image}
      ports: [{containerPort: 80}]
`;

export const NODE = `
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {node-role.kubernetes.io/worker: ""}}
spec: {podCIDRs: [10.1.0.0/24, "fd00:1::/64"]}
status:
  conditions: [{type: Ready, status: "True"}]
  addresses: [{type: InternalIP, address: 192.0.2.1}]
  nodeInfo: {kubeletVersion: v1.35.0, osImage: Linux, kernelVersion: "6.1", containerRuntimeVersion: none}
`;

const SCHEMA = `
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [cidr]
              properties:
                cidr: {type: string, pattern: '^[0-9a-f.:/]+$', description: The prefix.}
                size: {type: integer, minimum: 1, maximum: 64, default: 26}
            status: {type: object, properties: {used: {type: integer}}}`;

export const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pools.net.example.com}
spec:
  group: net.example.com
  scope: Namespaced
  names: {plural: pools, kind: Pool, shortNames: [pl]}
  versions:
    - name: v1alpha1
      served: true
      storage: false
      deprecated: true
      schema:${SCHEMA}
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      additionalPrinterColumns:
        - {name: CIDR, type: string, jsonPath: .spec.cidr}
        - {name: Used, type: integer, jsonPath: .status.used, priority: 1}
        - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
      schema:${SCHEMA}
`;
