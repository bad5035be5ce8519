/** Field tables of v1 Namespace, ConfigMap, Secret, Event and ServiceAccount and of Lease, in the notation of ../notation.ts. */

export const CLUSTER_TYPES = {
  package: 'io.k8s.api.core.v1',
  text: `
Namespace apiVersion kind metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
NamespaceSpec finalizers:[]string
NamespaceStatus conditions:[]NamespaceCondition~type phase
NamespaceCondition lastTransitionTime:time message reason status! type!
ConfigMap apiVersion binaryData:map:bytes data:map immutable:bool kind metadata:ObjectMeta
Secret apiVersion data:map:bytes immutable:bool kind metadata:ObjectMeta stringData:map type
Event action apiVersion count:int32 eventTime:microTime firstTimestamp:time involvedObject!:ObjectReference
  kind lastTimestamp:time message metadata:ObjectMeta reason related:ObjectReference reportingComponent
  reportingInstance series:EventSeries source:EventSource type
ObjectReference apiVersion fieldPath kind name namespace resourceVersion uid
EventSeries count:int32 lastObservedTime:microTime
EventSource component host
ServiceAccount apiVersion automountServiceAccountToken:bool imagePullSecrets:[]LocalObjectReference kind
  metadata:ObjectMeta secrets:[]ObjectReference~name
`,
} as const;

export const LEASE_TYPES = {
  package: 'io.k8s.api.coordination.v1',
  text: `
Lease apiVersion kind metadata:ObjectMeta spec:LeaseSpec
LeaseSpec acquireTime:microTime holderIdentity leaseDurationSeconds:int32 leaseTransitions:int32
  preferredHolder renewTime:microTime strategy
`,
} as const;
